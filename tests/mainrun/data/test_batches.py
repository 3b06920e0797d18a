from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainrun.data.batches import Batches, ShuffledBatches, build_batches, order_titles
from mainrun.rules import EOS_ID


def list_starts(num_ids: int, num_steps: int, block_size: int = 4, batch_size: int = 3) -> list[int]:
    """Where the reads of so many steps begin; the ids are their own places."""
    batches = Batches(torch.arange(num_ids), block_size, batch_size)
    return [int(batches.read(step)[0][0, 0]) for step in range(1, num_steps + 1)]


def test_a_read_lays_consecutive_ids_out_in_windows_and_targets_are_the_next_ids() -> None:
    inputs, targets = Batches(torch.arange(100), 4, 3).read(3)
    assert inputs.tolist() == [[24, 25, 26, 27], [28, 29, 30, 31], [32, 33, 34, 35]]
    assert torch.equal(targets, inputs + 1)


@pytest.mark.parametrize(
    ("num_ids", "starts"),
    [
        (13, [0, 0, 0, 0]),
        (24, [0, 0, 0, 0]),  # two steps an epoch by the count of tokens, but a second read lacks its last target
        (25, [0, 12, 0, 12]),
        (36, [0, 12, 0, 12]),
        (37, [0, 12, 24, 0]),
    ],
)
def test_reading_goes_back_to_the_start_where_no_whole_read_is_left(num_ids: int, starts: list[int]) -> None:
    assert list_starts(num_ids, 4) == starts


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 200))
def test_an_epoch_reads_the_stream_in_order_and_leaves_only_its_end(block: int, batch: int, more: int) -> None:
    num_targets = block * batch
    num_ids = num_targets + 1 + more
    num_reads = (num_ids - 1) // num_targets
    batches, seen = Batches(torch.arange(num_ids), block, batch), []
    for step in range(1, num_reads + 1):
        inputs, targets = batches.read(step)
        assert inputs.shape == targets.shape == (batch, block)
        seen += targets.flatten().tolist()
    assert seen == list(range(1, num_reads * num_targets + 1))
    assert num_ids - len(seen) - 1 < num_targets
    assert list_starts(num_ids, num_reads + 1, block, batch)[-1] == 0


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 60), st.integers(1, 40))
def test_a_step_reads_what_a_pointer_that_walks_the_stream_would_reach(
    block: int, batch: int, more: int, num_steps: int
) -> None:
    num_targets = block * batch
    num_ids, ptr, walked = num_targets + 1 + more, 0, []
    for _ in range(num_steps):
        ptr = ptr if ptr + num_targets + 1 <= num_ids else 0
        walked.append(ptr)
        ptr += num_targets
    assert list_starts(num_ids, num_steps, block, batch) == walked


TITLES = st.lists(st.integers(0, 4), min_size=1, max_size=30)
"""Ids of each title, its `<eos>` not counted."""


def build_stream(lengths: list[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Titles whose ids are all different, from 10 on, each ended by `<eos>`."""
    numbers = iter(range(10, 10_000))
    return np.array([token for length in lengths for token in [*islice(numbers, length), EOS_ID]], np.int64)


def split_titles(ids: Iterable[int]) -> list[tuple[int, ...]]:
    titles: list[tuple[int, ...]] = [()]
    for token in ids:
        titles[-1] += (token,)
        titles += [()] if token == EOS_ID else []
    return titles[:-1]


@given(TITLES, st.integers(0, 2**63 - 1), st.integers(0, 6))
def test_an_epoch_is_the_same_titles_whole_in_another_order(lengths: list[int], seed: int, epoch: int) -> None:
    ids = build_stream(lengths)
    shuffled = ids[order_titles(ids, seed, epoch)].tolist()
    expected = split_titles(ids.tolist())
    order = np.random.default_rng((seed, epoch)).permutation(len(expected))
    assert split_titles(shuffled) == [expected[place] for place in order]


def test_each_epoch_and_each_seed_has_an_order_of_its_own_that_repeats() -> None:
    ids = build_stream([2] * 20)
    orders = {(seed, epoch): tuple(order_titles(ids, seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}
    assert len(set(orders.values())) == 4
    assert all(tuple(order_titles(ids, *key)) == order for key, order in orders.items())


@given(TITLES, st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32))
def test_shuffled_batches_read_each_id_once_an_epoch_but_for_a_tail_and_predict_it_from_the_one_before(
    lengths: list[int], block: int, batch: int, seed: int
) -> None:
    ids, num_targets = build_stream(lengths), block * batch
    steps = len(ids) // num_targets
    batches = ShuffledBatches(torch.from_numpy(ids), block, batch, seed)
    for epoch in range(2) if steps else ():
        stream = ids[order_titles(ids, seed, epoch)].tolist()
        read = [batches.read(epoch * steps + step) for step in range(1, steps + 1)]
        assert [token for _, targets in read for token in targets.flatten().tolist()] == stream[: steps * num_targets]
        inputs = [token for given, _ in read for token in given.flatten().tolist()]
        assert inputs == [EOS_ID, *stream][: steps * num_targets]


def test_a_shuffled_step_follows_from_its_number_alone() -> None:
    ids = torch.from_numpy(build_stream([3] * 30))
    forward, backward = (ShuffledBatches(ids, 4, 2, 7) for _ in range(2))
    read = {step: forward.read(step) for step in range(1, 40)}
    for step in (39, 1, 17, 16, 38):
        assert all(map(torch.equal, backward.read(step), read[step]))


def test_the_setting_chooses_the_order() -> None:
    ids = torch.from_numpy(build_stream([3] * 30))
    fixed, shuffled = (build_batches(order, ids, 4, 2, 7) for order in ("fixed", "shuffled"))
    assert type(fixed) is Batches
    assert isinstance(shuffled, ShuffledBatches)
    assert shuffled.seed == 7
