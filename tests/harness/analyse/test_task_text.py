"""What the first losses of a log show of its validation text, where its token counts do not give it."""

from pathlib import Path
from typing import Any

import pytest

from harness.store.document import load_document
from tests.harness.sources.logs import BASELINE, Lines, Shape, write_json
from tests.harness.sources.test_imports import SUMMARY, compare, write

WIDE = Shape(final=1.2, vocab_size=24_000, num_train_tokens=1_046_384, first_training_loss=10.2)
MARKED_NUM_CHARS = 562_970
"""Of the task's validation text once words of a vocabulary of markers stand in it."""


def scale(factor: float) -> Lines:
    return [
        line | ({"loss": factor * line["loss"]} if line["event"] == "validation_step" else {}) for line in WIDE.build()
    ]


def judge(tmp_path: Path, lines: Lines) -> tuple[dict[str, Any], str]:
    sources = write(tmp_path, baseline=write_json(BASELINE.build()), other=write_json(lines))
    assert compare(sources, tmp_path / "out") == 0
    return load_document(tmp_path / "out"), (tmp_path / "out" / SUMMARY).read_text(encoding="utf-8")


def test_another_vocabulary_on_the_tasks_text_fits_it(tmp_path: Path) -> None:
    again = [line | {"timestamp": 5.0} for line in WIDE.build()]
    sources = write(tmp_path, other=write_json(WIDE.build()), again=write_json(again))
    assert compare(sources, tmp_path / "out") == 0
    summary = (tmp_path / "out" / SUMMARY).read_text(encoding="utf-8")
    assert "other: its first losses fit the validation text of the task, 533,366 characters, with 14 whole" in summary
    document = load_document(tmp_path / "out")
    assert document["pairs"][0]["doubts"] == []
    assert "not decidable" not in str(document["caveats"])


def test_beside_a_run_on_the_tasks_text_another_vocabulary_takes_its_size_in_proportion(tmp_path: Path) -> None:
    document, summary = judge(tmp_path, WIDE.build())
    validation = document["arms"][1]["forensics"]["validation"]
    middle = 121_150 * 1_046_384 / 1_102_455
    assert validation["num_tokens"] == round(middle) and validation["high_num_tokens"] < 1.005 * middle
    assert "first losses fit the 533,366 characters there" in summary
    assert document["pairs"][0]["doubts"] == []


def test_markers_in_the_text_that_losses_are_divided_by_are_found(tmp_path: Path) -> None:
    document, summary = judge(tmp_path, scale(533_366 / MARKED_NUM_CHARS))
    assert "would come to 13.26 spans (from the first training loss), 14 are due" in summary
    assert "not divided by the characters of one text" in document["pairs"][0]["verdict"]["reason"]
    (found,) = [f for f in document["integrity"] if f["name"] == "first-loss"]
    assert found["status"] == "NOT CHECKED" and "on the text of the task" in found["evidence"]


def test_an_estimate_is_shown_with_its_range_wherever_it_stands(tmp_path: Path) -> None:
    document, summary = judge(tmp_path, WIDE.build())
    pair, final = document["pairs"][0], document["arms"][1]["final"]
    low, high = pair["basis_gain_bounds_percent"]["low"], pair["basis_gain_bounds_percent"]["high"]
    assert low < pair["basis_gain_percent"] < high
    full = 1.7533 / document["arms"][0]["sizes"]["coverage"]
    assert low == pytest.approx(100 * (1 - final["matched_high_nats_per_char"] / full))
    assert f"the gain is between {low:.1f} % and {high:.1f} %" in summary
    assert f"(estimated: {final['coverage_low_percent']:.1f} % to {final['coverage_high_percent']:.1f} %)" in summary


def test_other_data_with_as_many_titles_is_no_doubt_between_two_arms_that_share_it(tmp_path: Path) -> None:
    sources = write(tmp_path, one=write_json(scale(0.9)), two=write_json([x | {"timestamp": 5.0} for x in scale(0.9)]))
    assert compare(sources, tmp_path / "out") == 0
    assert load_document(tmp_path / "out")["pairs"][0]["doubts"] == []


def test_a_candidate_below_the_trained_baseline_before_it_is_trained_is_in_doubt(tmp_path: Path) -> None:
    document, summary = judge(tmp_path, scale(0.5))
    assert "untrained, at step 1, it is at or below the baseline's last loss" in summary
    assert document["pairs"][0]["verdict"]["word"] == "INCONCLUSIVE"


def test_the_vocabulary_that_was_made_stands_among_the_changes(tmp_path: Path) -> None:
    lines = [x | ({"vocab_size": 3} if x["event"] == "dataset_info" else {}) for x in Shape(final=1.2).build()]
    document, _ = judge(tmp_path, lines)
    changes = {change["key"]: change["candidate"] for change in document["pairs"][0]["changes"]}
    assert changes["vocab_size"] == 3


def test_averaged_weights_are_said(tmp_path: Path) -> None:
    lines = [x | ({"ema": True} if x["event"] == "validation_step" else {}) for x in Shape(final=1.2).build()]
    assert "23 of 23 evaluations are marked as of averaged weights" in judge(tmp_path, lines)[1]


def test_the_tasks_data_since_june_2026_is_named(tmp_path: Path) -> None:
    document, _ = judge(tmp_path, Shape(final=1.2, num_train_tokens=1_168_720).build())
    (found,) = [f for f in document["constraints"] if f["name"] == "official-data"]
    assert found["status"] == "NOT CHECKED" and "since June 2026" in found["evidence"]


def test_a_normalizer_is_named_where_titles_might_not_come_back(tmp_path: Path) -> None:
    lines = [x | ({"normalizer": "lowercase"} if "num_titles" in x else {}) for x in Shape(final=1.2).build()]
    document, _ = judge(tmp_path, lines)
    (found,) = [f for f in document["integrity"] if f["name"] == "round-trip"]
    assert found["status"] == "NOT CHECKED" and "'lowercase', which may not give every title back" in found["evidence"]
