"""Running external arms: planned beside our own, each run's output kept, its journal imported when it has ended."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.launch.follow import ForeignFollower
from harness.launch.local import Job, Launcher, Outcome
from harness.launch.progress import ProgressDisplay
from harness.plan.arms_file import load_arms
from harness.plan.plan import Arm, Plan, PlannedRun, check_rule, name_arms, order_runs, plan_comparison
from harness.plan.request import CompareRequest
from harness.sources.find import STORED_NAMES
from harness.sources.planned import UNKNOWN_CORPUS
from harness.sources.take_in import store_log
from mainrun.record.errors import EXIT_DONE, EXIT_INTERRUPTED, RequestError, RunError, StoredResultsError
from mainrun.record.files import atomic_write, compute_file_sha256, make_folder, save_json
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import SCHEMA_VERSION

RECIPE = "external"
WORK_FOLDER = "work"
OUTPUT_NAME = "output.log"


def is_external(arm: Arm) -> bool:
    """Whether an arm is the command of another program."""
    return arm.recipe == RECIPE


def plan_external(request: CompareRequest, folder: Path) -> Plan:
    """A plan of external arms and of our own in the order of the request's names.

    Raises `RequestError` as `load_arms` and `plan_comparison`, for an external arm that is named twice, and where
    several seeds are asked of a command that takes none.
    """
    assert request.arms_file is not None
    arms = load_arms(request.arms_file)
    chosen = [name for name in request.recipes if name in arms]
    if len(set(chosen)) < len(chosen):
        raise RequestError("An external arm stands twice; give it two names in the arms file.")
    if len(request.recipes) < 2:
        raise RequestError("A comparison needs two arms or more; the first is the baseline.")
    for name in chosen:
        if name in request.settings:
            raise RequestError(f"--set names {name}, an external arm: give settings to its command in the arms file.")
        if len(request.seeds) > 1 and not arms[name].takes_seed:
            raise RequestError(
                f"--seeds names {len(request.seeds)} seeds, but the command of {name} holds no {{seed}}."
            )
    plan = _plan_own(request, folder.resolve().name, [name for name in request.recipes if name not in arms])
    taken = [arm.name for arm in plan.arms if arm.name in chosen]
    if taken:
        raise RequestError(f"Two arms would be called {taken[0]}; give the external one another name in the arms file.")
    trained = iter(plan.arms)
    all_arms = tuple(Arm(name, RECIPE, {}, {}, {}) if name in arms else next(trained) for name in request.recipes)
    runs = order_runs([arm.name for arm in all_arms], request.seeds)
    sources = [
        {
            "arm": run.arm,
            "seed": run.seed,
            "kind": "log",
            "name": Path(arms[run.arm].journal).name,
            "loss_unit": None,
            "external": arms[run.arm].to_json(request.arms_file.name),
        }
        for run in runs
        if run.arm in arms
    ]
    return replace(plan, arms=all_arms, runs=runs, sources=sources)


def _plan_own(request: CompareRequest, name: str, recipes: list[str]) -> Plan:
    """The plan of those arms that are trained by us; without any of them, one of no arm and unknown titles."""
    check_rule(request.seeds, request.margin_percent)
    own = name_arms(recipes, request.settings)
    if own:
        return plan_comparison(
            name, own, request.preset, request.source, request.seeds, None, request.margin_percent, min_arms=1
        )
    return Plan(name, "imported", UNKNOWN_CORPUS, (), tuple(request.seeds), (), margin_percent=request.margin_percent)


def run_external(
    request: CompareRequest,
    plan: Plan,
    run: PlannedRun,
    folder: Path,
    plan_sha256: str,
    launcher: Launcher,
    display: ProgressDisplay,
) -> Outcome:
    """Runs one command to its end and imports its journal; whatever goes wrong becomes the run's reason.

    Raises `KeyboardInterrupt` where the user ended it.
    """
    assert request.arms_file is not None and plan.sources is not None
    arm = load_arms(request.arms_file)[run.arm]
    source = next(entry for entry in plan.sources if (entry["arm"], entry["seed"]) == (run.arm, run.seed))
    work = (folder / WORK_FOLDER).resolve()
    make_folder(work)
    filled = arm.fill(run.seed, work)
    follower = ForeignFollower(filled.journal_path)
    job = Job(run, folder, external=filled, output=folder / OUTPUT_NAME, measure=follower.measure)
    outcome = launcher.launch(job, lambda: display.show(follower.read_new()))
    if outcome.exit_code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    outcome = _take_in(run, source, folder, plan_sha256, outcome, follower.read_all())
    display.finish("complete" if outcome.exit_code == EXIT_DONE else f"failed: {outcome.message}")
    return outcome


def _take_in(
    run: PlannedRun, source: Mapping[str, Any], folder: Path, plan_sha256: str, outcome: Outcome, content: bytes
) -> Outcome:  # fmt: skip
    """Keeps the journal's bytes and imports them, or records why the run failed."""
    place = folder / STORED_NAMES["log"]
    with atomic_write(place) as file:
        file.write(content)
    described = {**source, "num_bytes": len(content), "sha256": [compute_file_sha256(place)]}
    reason = None if outcome.exit_code == EXIT_DONE else _describe_end(outcome)
    if reason is None and not content:
        reason = f"its journal {source['name']} stayed empty"
    if reason is None:
        try:
            log = store_log(folder, run, plan_sha256, described)
        except (RequestError, StoredResultsError) as error:
            reason = str(error)
        else:
            if log.status == "imported":
                return outcome
            reason = log.reason or log.status
    _store_failure(folder, run, plan_sha256, described, reason)
    return Outcome(RunError.exit_code, reason)


def _describe_end(outcome: Outcome) -> str:
    last = f": {outcome.message}" if outcome.message else ""
    return f"its command ended with exit code {outcome.exit_code}{last}"


def _store_failure(
    folder: Path, run: PlannedRun, plan_sha256: str, described: Mapping[str, Any], reason: str
) -> None:  # fmt: skip
    """A record that says why; the journal of a run that failed is not kept, its source is."""
    (folder / "mainrun.log").unlink(missing_ok=True)
    record = {
        "schema_version": SCHEMA_VERSION,
        "status": "failed",
        "reason": reason,
        "arm": run.arm,
        "seed": run.seed,
        "source": {**described, "files": {STORED_NAMES["log"]: compute_file_sha256(folder / STORED_NAMES["log"])}},
        "plan_sha256": plan_sha256,
    }
    save_json(folder / RECORD_NAME, record)
