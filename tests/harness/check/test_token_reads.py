"""How often each training token is read: what the checker counts is what the program reads, and a repeat is found."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from harness.check import token_reads
from harness.check.registry import Finding
from harness.check.rules import EPOCHS
from harness.verify.verify import verify
from mainrun.data.batches import build_batches, order_titles
from tests.harness.fakes import FakeLauncher, make_comparison

BLOCK, BATCH = 4, 3
PER_STEP = BLOCK * BATCH


def make_ids(num_ids: int) -> NDArray[np.int64]:
    """A stream in which each token but the `<eos>` after every few has an id of its own."""
    ids = np.arange(2, num_ids + 2, dtype=np.int64)
    ids[4::5] = 1
    ids[-1] = 1
    return ids


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fixed order against a shuffled one."""
    changes = {"optimized": {"order": "shuffled"}}
    return make_comparison(tmp_path_factory.mktemp("reading"), settings=changes)


def find(folder: Path, data: str | None = None) -> Finding:
    return next(finding for finding in verify(folder, data, None, FakeLauncher()) if finding.name == "reads")


@pytest.mark.parametrize("num_ids", [PER_STEP + 1, 2 * PER_STEP, 5 * PER_STEP, 5 * PER_STEP + 1, 6 * PER_STEP - 1])
def test_the_places_by_the_rule_are_those_that_a_fixed_order_reads(num_ids: int) -> None:
    ids = make_ids(num_ids)
    batches = build_batches("fixed", torch.from_numpy(ids), BLOCK, BATCH, seed=7)
    num_steps = EPOCHS * (num_ids // PER_STEP)
    for step, place in enumerate(token_reads.walk(num_ids, PER_STEP, num_steps), 1):
        inputs, targets = batches.read(step)
        assert inputs.flatten().tolist() == ids[place : place + PER_STEP].tolist()
        assert targets.flatten().tolist() == ids[place + 1 : place + PER_STEP + 1].tolist()


def test_the_targets_of_a_shuffled_epoch_are_the_order_that_is_counted() -> None:
    ids = make_ids(5 * PER_STEP + 7)
    batches = build_batches("shuffled", torch.from_numpy(ids), BLOCK, BATCH, seed=7)
    read: Counter[int] = Counter()
    for epoch in range(EPOCHS):
        places = order_titles(ids, 7, epoch)
        assert token_reads.find_other_order(ids.astype(np.int32), places) is None
        targets = [batches.read(5 * epoch + step)[1].flatten() for step in range(1, 6)]
        assert torch.cat(targets).tolist() == ids[places[: 5 * PER_STEP]].tolist()
        read.update(places[: 5 * PER_STEP].tolist())
    assert max(read.values()) <= EPOCHS and sum(read.values()) == EPOCHS * 5 * PER_STEP


def test_an_honest_comparison_passes_and_says_how_many_are_left_out(shuffled: Path) -> None:
    found = find(shuffled)
    assert found.status == "PASS"
    num_ids = int(found.evidence.split()[1].replace(",", ""))
    fixed, own = found.evidence.split("; ")
    assert fixed.endswith(f"each is a target 7 times, but {(num_ids - 1) % 256 + 1:,} that are never one")
    assert own.endswith(f"each is a target once an epoch, but its last {num_ids % 256:,}")


def repeat_a_title(ids: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    places = order_titles(ids, seed, epoch)
    length = int(np.flatnonzero(ids == 1)[0]) + 1
    return np.concatenate([np.arange(length), places[:-length]]) if epoch == 3 else places


def swap_two_tokens(ids: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    places = order_titles(ids, seed, epoch)
    places[[0, 1]] = places[[1, 0]]
    return places


def leave_the_end_out(ids: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    return order_titles(ids, seed, epoch)[:-1]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (repeat_a_title, "epoch 4 reads"),
        (swap_two_tokens, "epoch 1 cuts the title"),
        (leave_the_end_out, "epoch 1 reads"),
    ],
)
def test_an_order_that_repeats_leaves_out_or_cuts_a_title_is_found(
    order: object, told: str, shuffled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_reads, "order_titles", order)
    found = find(shuffled)
    assert found.status == "FAIL"
    assert found.evidence.startswith(f"optimized-s1337: {told}")


def test_a_fixed_order_that_reads_a_row_twice_is_found(shuffled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_reads, "find_first", lambda step, num_ids, per_step: max(0, step - 2) * per_step)
    found = find(shuffled)
    assert (found.status, found.evidence) == ("FAIL", "baseline-s1337: step 2 reads from token 0, by the rule from 256")


def test_what_other_code_reads_is_not_vouched_for(tmp_path: Path) -> None:
    code = {**FakeLauncher().source_sha256, token_reads.READER: "0" * 64}
    found = find(make_comparison(tmp_path, launcher=FakeLauncher(source_sha256=code)))
    assert found.status == "NOT VOUCHED"
    assert f"its {token_reads.READER} is not the one that stands here" in found.evidence
