"""Runs that went on at the same time are told by their journals, and the reports warn of their times."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analyse.overlaps import count_beside
from harness.comparison import make_reports
from harness.plan.plan import PlannedRun
from harness.store.document import load_document
from harness.store.runs import StoredComparison, StoredRun, load_comparison
from harness.verify.verify import verify
from tests.harness.fakes import FakeLauncher, read_events, rehash, skip_rendering, write_events

SAID = "training times and speeds do not compare"


def build(tiny: Path, times: dict[str, Sequence[float | str]]) -> StoredComparison:
    """A comparison whose runs wrote something at those times; a text is the time at which the run was resumed."""
    comparison = load_comparison(tiny)
    runs = {}
    for name, moments in times.items():
        events = [
            {"event": "run_resumed" if isinstance(moment, str) else "training_step", "timestamp": float(moment)}
            for moment in moments
        ]
        runs[PlannedRun(name, 1)] = StoredRun(
            name, 1, tiny / name, {"status": "complete", "plan_sha256": "0" * 64}, events
        )
    return replace(comparison, runs=runs)


@pytest.mark.parametrize(
    ("times", "beside", "most"),
    [
        ({"a": [0, 5], "b": [5, 9]}, {}, 1),
        ({"a": [0, 5], "b": [4, 9]}, {"a": 1, "b": 1}, 2),
        ({"a": [0, 9], "b": [1, 2], "c": [3, 4]}, {"a": 2, "b": 1, "c": 1}, 2),
        ({"a": [0, 9], "b": [1, 5], "c": [3, 4]}, {"a": 2, "b": 2, "c": 2}, 3),
        ({"a": [0, 2, "8", 9], "b": [3, 7]}, {}, 1),
        ({"a": [0, 2, "6", 9], "b": [3, 7]}, {"a": 1, "b": 1}, 2),
        ({"a": [], "b": [3, 7]}, {}, 1),
    ],
    ids=str,
)
def test_runs_are_beside_others_where_their_stretches_overlap(
    times: dict[str, Sequence[float | str]], beside: dict[str, int], most: int, tiny_comparison: Path
) -> None:
    found, most_at_once = count_beside(build(tiny_comparison, times))
    assert most_at_once == most
    assert {run.arm: count for run, count in found.items()} == beside


def test_the_reports_warn_of_runs_at_the_same_time_and_of_none_that_were_back_to_back(own_comparison: Path) -> None:
    folder = own_comparison / "runs" / "optimized-s1337"
    assert SAID not in (own_comparison / "PERFORMANCE_SUMMARY.md").read_text(encoding="utf-8")
    events = read_events(folder / "mainrun.log")
    write_events(folder / "mainrun.log", [{**event, "timestamp": event["timestamp"] - 1000.0} for event in events])
    rehash(folder)
    (own_comparison / "comparison.json").unlink()
    with skip_rendering():
        make_reports(own_comparison)
        caveats = [caveat["text"] for caveat in load_document(own_comparison)["caveats"]]
        assert [text for text in caveats if SAID in text and "at most 2 at once:" in text]
        findings = {finding.name: finding.status for finding in verify(own_comparison, None, None, FakeLauncher())}
    assert findings["numbers"] == findings["claims"] == "PASS"
    assert json.loads((own_comparison / "comparison.json").read_text())["runs"][0]["num_runs_beside"] == 1
    assert SAID in (own_comparison / "TRAINING_OPTIMIZATION_REPORT.md").read_text(encoding="utf-8")
