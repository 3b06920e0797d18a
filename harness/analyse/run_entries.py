"""How every planned run ended, and what of its clock a reader must know."""

from collections.abc import Mapping
from itertools import pairwise

from harness.analyse.overlaps import RESUMED
from harness.plan.plan import PlannedRun
from harness.store.document import RunEntry
from harness.store.records import OWN_KIND, TAKEN_OVER
from harness.store.runs import StoredComparison, StoredRun

NOTED_CLOCK_CHANGE_S = 1.0
"""A machine's clock that was set back by less is not worth a caveat."""


def describe_run(comparison: StoredComparison, planned: PlannedRun, beside: Mapping[PlannedRun, int]) -> RunEntry:
    """How a planned run ended. A run trained elsewhere, or while the machine's clock was set back, says so besides."""
    plan, run = comparison.plan, comparison.runs.get(planned)
    described: RunEntry = {"arm": planned.arm, "label": plan.get_arm(planned.arm).label, "seed": planned.seed,
                           "origin": "trained", "status": "missing", "reason": None}  # fmt: skip
    if run is not None:
        described |= {"origin": run.origin, "status": run.record["status"], "reason": run.record["reason"]}
        described |= _describe_clock(run)
    if planned not in plan.compared_runs:
        described["is_left_out"] = True
    if run is not None and run.origin == OWN_KIND:
        described["taken_in_from"] = run.trained_under
    if planned in beside:
        described["num_runs_beside"] = beside[planned]
    return described


def _describe_clock(run: StoredRun) -> RunEntry:
    described: RunEntry = {}
    times = [event["timestamp"] for event in run.events if event["timestamp"] is not None]
    if TAKEN_OVER in run.record:
        described["taken_over"] = {**run.record[TAKEN_OVER], "finished_at": max(times)}
    if resumes := [event for event in run.select(RESUMED) if "checkpoint_sha256" in event]:
        described["resumed"] = {
            "steps": [event["step"] for event in resumes],
            "checkpoints": [event["checkpoint_sha256"] for event in resumes],
        }
    clock_set_back_s = max((before - after for before, after in pairwise(times)), default=0.0)
    if not run.is_read and clock_set_back_s >= NOTED_CLOCK_CHANGE_S:
        described["clock_set_back_s"] = clock_set_back_s
    return described
