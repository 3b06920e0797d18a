"""Running external arms: planned beside our own, each run's output kept, its journal imported when it has ended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.external import OUTPUT_NAME, WORK_FOLDER, ExternalArm, ForeignFollower
from harness.importing import UNKNOWN_CORPUS, store_log
from harness.journals import Event
from harness.launch import Job, Launcher, Outcome
from harness.plan import Arm, Plan, PlannedRun
from harness.sources import STORED_NAMES
from mainrun.errors import EXIT_DONE, EXIT_INTERRUPTED, ProgramError, RequestError, RunError
from mainrun.files import compute_file_sha256, make_folder, save_json
from mainrun.run_record import FILE_NAME as RECORD_NAME
from mainrun.run_record import SCHEMA_VERSION

RECIPE = "external"
Show = Callable[[Sequence[Event]], None]


def plan_external(
    names: Sequence[str],
    arms: Mapping[str, ExternalArm],
    seeds: Sequence[int],
    arms_file: str,
    plan_own: Callable[[Sequence[str]], Plan | None],
) -> Plan:
    """A plan of external arms and of our own in the order of `names`; `plan_own` plans the latter, None without any.

    Raises `RequestError` where several seeds are asked of a command that takes none.
    """
    chosen = [name for name in names if name in arms]
    if len(set(chosen)) < len(chosen):
        raise RequestError("An external arm stands twice; give it two names in the arms file.")
    for name in chosen:
        if len(seeds) > 1 and not arms[name].takes_seed:
            raise RequestError(f"--seeds names {len(seeds)} seeds, but the command of {name} holds no {{seed}}.")
    own = plan_own([name for name in names if name not in arms])
    trained = iter(own.arms if own else ())
    all_arms = tuple(Arm(name, RECIPE, {}, {}, {}) if name in arms else next(trained) for name in names)
    runs = tuple(
        PlannedRun(arm.name, seed)
        for place, seed in enumerate(seeds)
        for arm in (all_arms if place % 2 == 0 else reversed(all_arms))
    )
    sources = [
        {
            "arm": run.arm,
            "seed": run.seed,
            "kind": "log",
            "name": Path(arms[run.arm].journal).name,
            "loss_unit": None,
            "external": arms[run.arm].to_json(arms_file),
        }
        for run in runs
        if run.arm in arms
    ]
    base = own or Plan("", "imported", UNKNOWN_CORPUS, (), tuple(seeds), ())
    return replace(base, arms=all_arms, runs=runs, sources=sources)


def run_external(
    run: PlannedRun,
    arm: ExternalArm,
    source: Mapping[str, Any],
    folder: Path,
    plan_sha256: str,
    launcher: Launcher,
    show: Show,
) -> Outcome:
    """Runs one command to its end and imports its journal; whatever goes wrong becomes the run's reason."""
    work = (folder / WORK_FOLDER).resolve()
    make_folder(work)
    filled = arm.fill(run.seed, work)
    follower = ForeignFollower(filled.journal_path)
    job = Job(run, folder, external=filled, output=folder / OUTPUT_NAME, measure=lambda: follower.num_bytes)
    outcome = launcher.launch(job, lambda: show(follower.read_new()))
    if outcome.exit_code == EXIT_INTERRUPTED:
        return outcome
    (folder / STORED_NAMES["log"]).write_bytes(follower.read_all())
    reason = None if outcome.exit_code == EXIT_DONE else _describe_end(outcome)
    described = {**source, "num_bytes": 0, "sha256": []}
    place = folder / STORED_NAMES["log"]
    described |= {"num_bytes": place.stat().st_size, "sha256": [compute_file_sha256(place)]}
    try:
        if reason is None and place.stat().st_size == 0:
            reason = f"its journal {source['name']} stayed empty"
        if reason is None:
            log = store_log(folder, run, plan_sha256, described)
            if log.status == "imported":
                return outcome
            reason = log.reason
    except ProgramError as error:
        reason = str(error)
    _store_failure(folder, run, plan_sha256, described, reason or "")
    return Outcome(RunError.exit_code, reason or "")


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
