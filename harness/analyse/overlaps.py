"""Which runs went on at the same time, by their journals: they took each other's time."""

from collections.abc import Sequence

from harness.plan.plan import PlannedRun
from harness.store.runs import TAKEN_OVER, StoredComparison, StoredRun

RESUMED = "run_resumed"
"""The event before which a run stood still."""


def count_beside(comparison: StoredComparison) -> dict[PlannedRun, int]:
    """How many other runs went on while a run did, of those trained here by our program; runs beside none are absent.

    A run that was cut off and went on later did not go on in between.
    """
    spans = [
        (start, end, planned)
        for planned, run in comparison.runs.items()
        if not run.is_read and TAKEN_OVER not in run.record
        for start, end in _find_spans(run)
    ]
    beside: dict[PlannedRun, set[PlannedRun]] = {}
    going_on: list[tuple[float, PlannedRun]] = []
    for start, end, planned in sorted(spans, key=lambda span: span[:2]):
        going_on = [(until, other) for until, other in going_on if until > start]
        for _, other in going_on:
            if other != planned:
                beside.setdefault(planned, set()).add(other)
                beside.setdefault(other, set()).add(planned)
        going_on.append((end, planned))
    return {planned: len(others) for planned, others in beside.items()}


def _find_spans(run: StoredRun) -> Sequence[tuple[float, float]]:
    """First and last time (Unix seconds) of each stretch that the run went on without a break."""
    stretches: list[list[float]] = [[]]
    for event in run.events:
        if event["event"] == RESUMED:
            stretches.append([])
        stretches[-1].append(event["timestamp"])
    return [(min(times), max(times)) for times in stretches if times]
