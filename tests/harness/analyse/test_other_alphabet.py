"""Logs whose tokenizer has only the bytes it saw, beside a run of ours on the same titles: fewer tokens, one text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.validation_share import train_bpe_of_seen_bytes
from harness.analyse.same_text import bound_tokenizer_share
from harness.store.document import load_document
from mainrun.data import streams, tokenizer
from mainrun.data.synthetic import generate_headlines
from tests.harness.analyse.test_known_truth import strip
from tests.harness.sources.logs import write_json
from tests.harness.sources.test_imports import SUMMARY, compare, write
from tests.mainrun.tiny_runs import load_events, load_record, train_tiny

NUM_TITLES = 1_500
SCALE = {"num_titles": str(NUM_TITLES), "vocab_size": "1024", "block_size": "16", "d_model": "8"}
BATCHES = {"one": 100, "two": 60}
"""One and two spans of the validation text."""
Titles = list[str]


@pytest.fixture
def _seen_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tokenizer, "train_bpe", train_bpe_of_seen_bytes)
    streams._tokenize.cache_clear()
    yield
    streams._tokenize.cache_clear()


def save_titles(path: Path, titles: Titles) -> Path:
    path.write_text("".join(f"{title}\n" for title in titles), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of ours, with the titles it was trained on in a file beside it."""
    folder = tmp_path_factory.mktemp("own")
    titles = save_titles(folder / "titles.txt", generate_headlines(NUM_TITLES))
    assert train_tiny(titles, folder / "run", **SCALE, batch_size="100") == 0
    return folder


def train_log(titles: Path, out: Path, batch: int) -> tuple[bytes, dict[str, Any]]:
    """A public log, and what is true of its run."""
    assert train_tiny(titles, out, **SCALE, batch_size=str(batch)) == 0
    (data,) = load_events(out, "dataset_info")
    last = load_events(out, "validation_step")[-1]
    return write_json(strip(load_events(out))), load_record(out)["sizes"] | data | {"last": last}


@pytest.mark.usefixtures("_seen_bytes")
def test_fewer_tokens_of_the_same_titles_are_compared_with_a_caveat_and_accused_of_nothing(
    own: Path, tmp_path: Path
) -> None:
    logs, truths = {}, {}
    for name, batch in BATCHES.items():
        logs[name], truths[name] = train_log(own / "titles.txt", tmp_path / f"{name}-run", batch)
    assert compare([str(own / "run"), *write(tmp_path, **logs)], tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    base = load_record(own / "run")["sizes"]
    before = load_events(own / "run", "validation_step")[-1]["loss"] / base["coverage"]
    for arm, pair in zip(document["arms"][1:], document["pairs"], strict=True):
        true, found = truths[arm["name"]], arm["forensics"]
        assert true["tokens_per_epoch"] < 0.95 * load_events(own / "run", "dataset_info")[0]["tokens_per_epoch"]
        assert found["validation"]["origin"] == "scaled"
        assert found["validation"]["low_num_tokens"] <= true["num_validation_tokens"]
        assert true["num_validation_tokens"] <= found["validation"]["high_num_tokens"]
        assert found["coverage"]["low_num_spans"] == found["coverage"]["high_num_spans"] == true["num_spans"]
        assert found["coverage"]["low_share"] <= true["coverage"] <= found["coverage"]["high_share"]
        gap, bounds = pair["coverage_gap_points"], pair["basis_gain_bounds_percent"]
        assert gap["low"] <= 100 * (base["coverage"] - true["coverage"]) <= gap["high"] < gap["low"] + 5
        gain = 100 * (1 - true["last"]["loss"] / true["coverage"] / before)
        assert bounds["low"] <= gain <= bounds["high"] < bounds["low"] + 5
        assert (pair["text_is_shared"], pair["mismatch"], pair["doubts"]) == (True, None, [])
    assert [len(truths), *(true["num_spans"] for true in truths.values())] == [2, 1, 2]
    assert {f["name"] for f in document["integrity"] if f["status"] == "FAIL"} == set()
    summary = (tmp_path / "out" / SUMMARY).read_text(encoding="utf-8")
    assert "another tokenizer on the same titles, as far as first losses show it" in summary
    assert "which is not proven" in summary and "was changed" not in summary


@pytest.mark.usefixtures("_seen_bytes")
def test_as_many_other_titles_are_not_taken_for_the_same_ones(own: Path, tmp_path: Path) -> None:
    other = save_titles(tmp_path / "other.txt", [f"{title} now" for title in generate_headlines(NUM_TITLES)])
    log, true = train_log(other, tmp_path / "run", 100)
    assert compare([str(own / "run"), *write(tmp_path, other=log)], tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    found, pair = document["arms"][1]["forensics"]["validation"], document["pairs"][0]
    assert found["origin"] == "estimated" and found["low_num_tokens"] <= true["num_validation_tokens"]
    assert pair["text_is_shared"] is not True and pair["doubts"] != []


@pytest.mark.parametrize(
    ("vocab_size", "share"), [(259, float("inf")), (400, 0.249), (1_024, 0.071), (2_048, 0.033), (16_000, 0.001)]
)
def test_what_an_alphabet_makes_of_the_tokens_is_no_sign_of_other_titles(vocab_size: int, share: float) -> None:
    """What synthetic titles were measured to differ by, which is more than headlines do."""
    assert share <= bound_tokenizer_share(vocab_size) <= max(0.03, 1.7 * share)
