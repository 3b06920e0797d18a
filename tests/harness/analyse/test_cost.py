"""What an arm took is the mean over its seeds, everywhere it is said; times that do not compare are called so."""

import copy
import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from harness.analyse.overlaps import find_time_doubts
from harness.claims.report_order import say_all
from harness.cli.outcome import format_result
from harness.comparison import make_reports
from harness.formats import format_bytes, format_duration
from harness.report.blocks import Note, Table
from harness.report.front import describe_metrics
from harness.report.pair_sections import describe_times
from harness.report.render import render_html
from harness.store.document import load_document
from mainrun.record.files import save_json
from tests.harness.fakes import CURVES, Curve, FakeLauncher, make_comparison, skip_rendering

SEEDS = (1337, 1, 2)
STEP_S = (0.010, 0.023, 0.057)
MEMORY_MIB = (300, 320, 370)
MEANS = "The ranking gives means over 3 seeds."


@pytest.fixture(scope="module")
def uneven(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of which every one of `optimized` took another time and memory."""
    curves = {
        f"optimized-s{seed}": Curve(CURVES["optimized"].start, CURVES["optimized"].floor, step_s=step_s)
        for seed, step_s in zip(SEEDS, STEP_S, strict=True)
    }
    folder = make_comparison(tmp_path_factory.mktemp("uneven"), seeds=SEEDS, launcher=FakeLauncher(curves=curves))
    for seed, num_mib in zip(SEEDS, MEMORY_MIB, strict=True):
        path = folder / "runs" / f"optimized-s{seed}" / "run.json"
        save_json(path, json.loads(path.read_text()) | {"peak_memory_bytes": num_mib * 2**20})
    (folder / "comparison.json").unlink()
    with skip_rendering():
        make_reports(folder)
    return folder


def test_the_spread_of_times_stands_beside_them(uneven: Path) -> None:
    baseline, optimized = (arm["cost"] for arm in load_document(uneven)["arms"])
    num_steps = load_document(uneven)["arms"][1]["final"]["step"]
    assert optimized["train_elapsed_range_s"] == pytest.approx([num_steps * min(STEP_S), num_steps * max(STEP_S)])
    assert baseline["step_quartiles_s"] == pytest.approx([CURVES["baseline"].step_s] * 3)
    assert optimized["step_quartiles_s"] == pytest.approx([fmean(STEP_S)] * 3), "a mean over seeds like the rest"
    report = (uneven / "TRAINING_OPTIMIZATION_REPORT.md").read_text(encoding="utf-8")
    assert " to ".join(format_duration(num_steps * end_s) for end_s in (min(STEP_S), max(STEP_S))) in report
    assert "| 0.01 s (0.01 to 0.01) |" in report


def test_a_single_run_has_the_quartiles_of_its_steps_alone(tiny_comparison: Path) -> None:
    for arm in load_document(tiny_comparison)["arms"]:
        assert arm["cost"]["train_elapsed_range_s"] is None
        low, middle, high = arm["cost"]["step_quartiles_s"]
        assert 0 < low <= middle <= high


def test_time_and_memory_are_means_over_the_seeds_in_every_report(uneven: Path) -> None:
    document = load_document(uneven)
    arm, row = document["arms"][1], document["ranking"]["rows"][0]
    elapsed_s, num_bytes = arm["final"]["step"] * fmean(STEP_S), fmean(MEMORY_MIB) * 2**20
    assert (row["train_elapsed_s"], row["peak_memory_bytes"]) == pytest.approx((elapsed_s, num_bytes))
    assert (arm["cost"]["num_runs"], arm["cost"]["tokens_per_s"]) == pytest.approx(
        (3, arm["cost"]["tokens_seen"] / elapsed_s)
    )
    baseline_s = document["arms"][0]["cost"]["train_elapsed_s"]
    assert document["pairs"][0]["time_ratio"] == pytest.approx(elapsed_s / baseline_s)
    reports = [(uneven / name).read_text() for name in ("PERFORMANCE_SUMMARY.md", "TRAINING_OPTIMIZATION_REPORT.md")]
    pages = [render_html(document, {}, on_screen=on_screen) for on_screen in (False, True)]
    for text in (*reports[1:], *pages):
        assert format_duration(elapsed_s) in text and format_bytes(num_bytes) in text
    assert all(MEANS in text for text in (*reports, *pages, format_result(document, uneven)))


def test_one_seed_is_no_mean(tiny_document: dict[str, Any]) -> None:
    assert {arm["cost"]["num_runs"] for arm in tiny_document["arms"]} == {1}
    assert "ranking-means" not in [claim["id"] for claim in tiny_document["claims"]]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"num_runs_beside": 1}, "runs went on at the same time"),
        ({"resumed": {"steps": [3], "checkpoints": ["0"]}}, "a run was interrupted"),
        ({"taken_over": {}}, "a run was taken over from another comparison"),
        ({"taken_in_from": None}, "runs were not trained under one plan"),
        ({}, None),
    ],
)
def test_what_disturbed_a_clock_is_a_doubt_of_its_own_arms_alone(
    entry: dict[str, Any], words: str | None, tiny_document: dict[str, Any]
) -> None:
    first, *others = tiny_document["runs"]
    runs, arms = [{**first, **entry}, *others], tiny_document["arms"]
    assert find_time_doubts(arms, runs) == ([words] if words else [])
    assert find_time_doubts(arms[1:], runs) == []


def test_what_one_comparison_took_is_told_of_it_and_not_of_its_recipes(tiny_document: dict[str, Any]) -> None:
    document = copy.deepcopy(tiny_document)
    for name in ("time", "memory", "flops"):
        document["pairs"][0][f"{name}_ratio"] = 1.5
    baseline, candidate = document["arms"]
    for field in ("train_elapsed_s", "peak_memory_bytes", "training_flops"):
        candidate["cost"][field] = 1.5 * baseline["cost"][field]
    said = say_all(document)
    texts = [claim["text"] for claim in (*said["pairs"][0]["claims"], *said["caveats"])]
    for what, verb in (("training time", "took"), ("peak memory", "took"), ("floating-point operations", "takes")):
        told = [text for text in texts if f" 1.50 × the {what}" in text]
        assert len(told) == 2 and all(f" {verb} 1.50 ×" in text for text in told), what


def test_other_threads_are_another_machine(tiny_document: dict[str, Any]) -> None:
    one, other = tiny_document["arms"]
    arms = [one, {**other, "machine": {**other["machine"], "num_threads": 1}}]
    assert find_time_doubts(arms, tiny_document["runs"]) == ["machines or threads differ"]


def test_times_that_do_not_compare_are_called_so_and_give_no_ratio(tiny_document: dict[str, Any]) -> None:
    document = copy.deepcopy(tiny_document)
    doubts = ["runs went on at the same time", "a run was interrupted"]
    document["ranking"]["time_doubts"] = document["pairs"][0]["time_doubts"] = doubts
    document["pairs"][0]["time_ratio"] = 1.5
    said = say_all(copy.deepcopy(document))
    assert "Training times are not comparable: runs went on at the same time; a run was interrupted." in [
        claim["text"] for claim in said["claims"]
    ]
    for found in (tiny_document, said):
        ids = [claim["id"] for claim in (*found["pairs"][0]["claims"], *found["caveats"])]
        assert ("time-ratio" in ids) == (found is tiny_document) and "time-ratio-warning" not in ids
    table = describe_metrics(document, document["pairs"])
    assert ("Training time against the baseline", "not comparable") in table.rows


@pytest.mark.parametrize("doubts", [[], ["a run was interrupted"]])
def test_times_to_a_loss_are_given_where_times_compare(tiny_document: dict[str, Any], doubts: list[str]) -> None:
    note, table = describe_times({**tiny_document["pairs"][0], "time_doubts": doubts}).blocks
    assert isinstance(note, Note) and isinstance(table, Table)
    assert ("training time" in note.text) == (not doubts)
    assert any(" s" in str(cell) for row in table.rows for cell in row[1:]) == (not doubts)
