"""How long a plan will take, from a few real steps of each kind of arm, trained in a folder that is thrown away."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.launch.estimate import Work, estimate_run_s, find_work, measure_speed
from harness.launch.job import Launcher
from harness.launch.shares import share_machine
from harness.launch.training import build_training_job, train_for
from harness.plan.plan import Arm, Plan, PlannedRun
from harness.plan.request import CompareRequest
from harness.store.journals import load_journal
from mainrun.record.files import make_scratch_folder


@dataclass(frozen=True)
class Forecast:
    """How long the runs of a plan will take."""

    run_s: dict[str, float]
    """Of each arm, a run, its start included."""
    total_s: float
    """Of all runs that are to be trained, so many at once as was asked for."""


def forecast(
    request: CompareRequest, plan: Plan, runs: Sequence[PlannedRun], launcher: Launcher, say: Callable[[str], None]
) -> Forecast | None:
    """Trains a few steps of each kind of arm; None where an arm of another program is among them, or one fails.

    Arms of equal sizes, optimizer and code are one kind. `say` gets what is being measured.
    """
    by_kind: dict[str, float] = {}
    run_s: dict[str, float] = {}
    for arm in plan.arms:
        if not any(run.arm == arm.name for run in runs):
            continue
        kind = json.dumps(
            [arm.sizes, arm.config.get("optimizer.name"), arm.config.get("training.rdrop"), str(arm.code)]
        )
        if kind not in by_kind:
            work = find_work(arm.sizes)
            if work is None:
                return None
            say(f"Taking {work.num_telling_steps} steps of {arm.name}, to tell how long a run takes …")
            measured = _measure(request, plan, arm, work, launcher)
            if measured is None:
                return None
            by_kind[kind] = measured
        run_s[arm.name] = by_kind[kind]
    return Forecast(run_s, sum(run_s[run.arm] for run in runs) / min(request.jobs or 1, max(1, len(runs))))


def _measure(request: CompareRequest, plan: Plan, arm: Arm, work: Work, launcher: Launcher) -> float | None:
    """Seconds of a whole run of an arm."""
    num_steps = work.num_telling_steps
    with make_scratch_folder() as scratch:
        job = build_training_job(request, plan, PlannedRun(arm.name, plan.seeds[0]), scratch / "run", "none")
        job = share_machine(replace(job, name=f"{arm.name} for {num_steps} steps"), request)
        began = time.monotonic()
        if isinstance(train_for(num_steps, job, launcher), str):
            return None
        taken_s = time.monotonic() - began
        events = load_journal(job.journal, finished=True)
    speed = measure_speed(work, events)
    if speed is None:
        return None
    start_s = max(0.0, taken_s - max(event.get("elapsed_time") or 0.0 for event in events))
    return start_s + estimate_run_s(work, speed)
