"""Which training times do not compare: of runs at the same time, by their journals, and of runs that stood still."""

from collections.abc import Collection, Sequence

from harness.formats import format_hash
from harness.plan.plan import PlannedRun
from harness.store.arm_fields import Arm
from harness.store.document import RunEntry
from harness.store.records import TAKEN_OVER
from harness.store.runs import StoredComparison, StoredRun

RESUMED = "run_resumed"
"""The event before which a run stood still."""


def count_beside(comparison: StoredComparison) -> tuple[dict[PlannedRun, int], int]:
    """How many other runs went on while a run did, of those trained by our program under one plan.

    Runs beside none are absent: those of other plans may have been made on other machines. Then how many went on at
    once at most. A run that was cut off and went on later did not go on in between.
    """
    by_plan: dict[str, list[tuple[float, float, PlannedRun]]] = {}
    for planned, run in comparison.runs.items():
        if not run.is_read and TAKEN_OVER not in run.record and run.trained_under is not None:
            by_plan.setdefault(run.trained_under, []).extend((*span, planned) for span in _find_spans(run))
    counted = [_count_beside(sorted(spans, key=lambda span: span[:2])) for spans in by_plan.values()]
    beside = {planned: number for numbers, _ in counted for planned, number in numbers.items()}
    return beside, max((most for _, most in counted), default=0)


def _count_beside(spans: Sequence[tuple[float, float, PlannedRun]]) -> tuple[dict[PlannedRun, int], int]:
    beside: dict[PlannedRun, set[PlannedRun]] = {}
    going_on: list[tuple[float, PlannedRun]] = []
    most = 0
    for start, end, planned in spans:
        going_on = [(until, other) for until, other in going_on if until > start]
        for _, other in going_on:
            if other != planned:
                beside.setdefault(planned, set()).add(other)
                beside.setdefault(other, set()).add(planned)
        going_on.append((end, planned))
        most = max(most, len({other for _, other in going_on}))
    return {planned: len(others) for planned, others in beside.items()}, most


def find_time_doubts(arms: Sequence[Arm], runs: Sequence[RunEntry]) -> list[str]:
    """Why the training times of these arms do not compare, in words; `runs` may hold those of others too."""
    names = {arm["name"] for arm in arms}
    own = [run for run in runs if run["arm"] in names]
    machines = {(arm["machine"]["device_name"], arm["machine"]["num_threads"]) for arm in arms if arm["machine"]}
    plans = {run["taken_in_from"] for run in own if "taken_in_from" in run}
    found = {
        "runs went on at the same time": any("num_runs_beside" in run for run in own),
        "a run was interrupted": any("resumed" in run for run in own),
        "a run was taken over from another comparison": any("taken_over" in run for run in own),
        "runs were not trained under one plan": None in plans or len(plans) > 1,
        "machines or threads differ": len(machines) > 1,
    }
    return [words for words, is_so in found.items() if is_so]


def list_taken_over(runs: Sequence[RunEntry], compared: Collection[str]) -> dict[str, list[str]] | None:
    """The `runs` that were trained in other comparisons, those of `compared` arms first; and these `comparisons`.

    None where all runs are the comparison's own.
    """
    taken = sorted((run for run in runs if TAKEN_OVER in run), key=lambda run: run["arm"] not in compared)
    if not taken:
        return None
    origins = [(run["taken_over"]["comparison"], run["taken_over"]["plan_sha256"]) for run in taken]
    return {
        "runs": [f"{run['label']} with seed {run['seed']}" for run in taken],
        "comparisons": [f"{name} (plan {format_hash(digest)})" for name, digest in dict.fromkeys(origins)],
    }


def _find_spans(run: StoredRun) -> Sequence[tuple[float, float]]:
    """First and last time (Unix seconds) of each stretch that the run and its clock went on without a break."""
    stretches: list[list[float]] = [[]]
    for event in run.events:
        if event["event"] == RESUMED or (stretches[-1] and event["timestamp"] < stretches[-1][-1]):
            stretches.append([])
        stretches[-1].append(event["timestamp"])
    return [(times[0], times[-1]) for times in stretches if times]
