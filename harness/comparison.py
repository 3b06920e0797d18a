"""The main job: plan, launch, collect, analyse, render. Each stage reads only what the one before it stored."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analyse.document import analyse
from harness.launch.errors_log import hide_folders, save_errors
from harness.launch.external import is_external, plan_external, run_external
from harness.launch.local import Job, Launcher, Outcome, build_job
from harness.launch.progress import ProgressDisplay
from harness.launch.reuse import Offers, load_offers, take_over
from harness.plan.ablation import plan_ablation
from harness.plan.folders import name_folder, point_latest_at, refuse_filled
from harness.plan.plan import FILE_NAME as PLAN_NAME
from harness.plan.plan import (
    ArmRequest,
    Plan,
    PlannedRun,
    load_plan,
    name_arms,
    plan_comparison,
    plan_to_json,
    save_plan,
)
from harness.plan.request import CompareRequest
from harness.report.pdf import Renderer
from harness.report.render import render
from harness.store.journals import JournalFollower
from harness.store.locks import hold
from harness.store.measurements import collect
from harness.store.runs import COMPLETE, StoredComparison, check_run_hashes, get_run_folder, load_comparison, load_run
from harness.store.tensorboard import TensorBoardLog
from mainrun.data.corpus import HUB
from mainrun.record.errors import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    InterruptionError,
    MachineError,
    RequestError,
    RunError,
    StoredResultsError,
)
from mainrun.record.files import compute_file_sha256, make_folder
from mainrun.record.inert import make_inert
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import JOURNAL_NAME, load_run_record, mark_failed

EXIT_SIGNAL = 128
"""Exit codes above this one are signals."""
TENSORBOARD_FOLDER = Path("logs") / "tensorboard"


def plan_request(request: CompareRequest) -> tuple[Plan, Path]:
    """The plan a request comes to, and the folder it would fill; nothing is written there.

    Raises `RequestError` where the folder holds something already and `--resume` was not given.
    """
    folder = request.out or name_folder(f"{'ablate-' if request.ablate else ''}{request.preset}")
    if not request.resume:
        refuse_filled(folder, "Continue it with --resume or choose another --out.")
    elif (folder / PLAN_NAME).exists():
        request = _pin_revision(request, load_plan(folder))
    if request.arms_file is not None:
        return plan_external(request, folder), folder
    ablation = plan_ablation(request.ablate, request.preset) if request.ablate else None
    arms = name_arms(request.recipes, request.settings)
    if ablation:
        arms = [ArmRequest(name, "baseline", settings) for name, settings in ablation.arms.items()]
        arms[-1] = ArmRequest(ablation.recipe, ablation.recipe, {})
    plan = plan_comparison(
        folder.resolve().name, arms, request.preset, request.source, request.seeds, ablation, request.margin_percent
    )
    return plan, folder


def _pin_revision(request: CompareRequest, begun: Plan) -> CompareRequest:
    """The request with the revision of the hub's dataset that a comparison was begun with, where it names none."""
    if request.source.data != HUB or begun.corpus["source"] != HUB or request.data_revision is not None:
        return request
    return replace(request, data_revision=begun.corpus["revision"])


def run_comparison(request: CompareRequest, launcher: Launcher, display: ProgressDisplay) -> Path:
    """Trains what is missing of the comparison, then writes its data and reports; returns its folder.

    Raises `RunError` where a run failed, once everything that could be reported on is written.
    """
    plan, folder = plan_request(request)
    offers = load_offers(request.reuse, folder)
    make_folder(folder)
    with hold(folder):
        plan_sha256 = _store_plan(folder, plan)
        point_latest_at(folder)
        try:
            failures = _run_all(request, plan, folder, plan_sha256, offers, launcher, display)
        except KeyboardInterrupt:
            raise InterruptionError(
                f"Interrupted. Nothing finished is lost; go on with the same command and --out {folder} --resume."
            ) from None
        if failures and not any((get_run_folder(folder, run) / JOURNAL_NAME).exists() for run in plan.runs):
            raise RunError(f"No run measured anything. {' '.join(failures)}")
        make_reports(folder)
    if failures:
        raise RunError(
            f"{len(failures)} of {len(plan.runs)} runs failed. {' '.join(failures)} Reports are in {folder}."
        )
    return folder


def make_reports(folder: Path, renderer: Renderer | None = None) -> dict[str, Any]:
    """Collects, analyses and renders what a comparison has stored; returns the content of `comparison.json`.

    Raises `StoredResultsError` for damaged files, and `MachineError` where the PDF cannot be made here, after all
    else is written.
    """
    comparison = load_comparison(folder)
    collect(comparison)
    document = analyse(comparison)
    render(folder, renderer, lambda: _save_tensorboard_logs(comparison))
    return document


def _save_tensorboard_logs(comparison: StoredComparison) -> None:
    for run in comparison.runs.values():
        if any(event.get("loss_unit") == "nats_per_token" for event in run.events):
            continue  # the tags name another unit
        log = TensorBoardLog(comparison.folder / TENSORBOARD_FOLDER / run.folder.name)
        log.write(run.events)
        log.close()


def _run_all(
    request: CompareRequest,
    plan: Plan,
    folder: Path,
    plan_sha256: str,
    offers: Offers,
    launcher: Launcher,
    display: ProgressDisplay,
) -> list[str]:
    """Takes over or trains every run of the plan that is not complete; returns how those that failed ended."""
    failures = []
    request = _train_alike(request, plan, folder)
    finished = {run for run in plan.runs if _is_complete(get_run_folder(folder, run))}
    offers.taken |= {load_run_record(get_run_folder(folder, run))["mainrun_log_sha256"] for run in finished}
    for place, run in enumerate(plan.runs, 1):
        arm, run_folder = plan.get_arm(run.arm), get_run_folder(folder, run)
        display.start(plan.describe_run(run), f"[{place}/{len(plan.runs)}]", arm.tokens_per_step)
        if run in finished:
            display.finish("complete already")
            continue
        if is_external(arm):
            outcome = run_external(request, plan, run, run_folder, plan_sha256, launcher, display)
            if outcome.exit_code != EXIT_DONE:
                failures.append(f"{run.folder_name}: {outcome.message}")
            continue
        # The revision the plan resolved: upstream may move between two runs.
        source = replace(request.source, revision=plan.corpus["revision"])
        own = (other for other in plan.runs if other in finished and not is_external(plan.get_arm(other.arm)))
        beside = next((get_run_folder(folder, other) for other in own), None)
        job = build_job(
            run, arm, plan.preset, source, request.device, request.precision, run_folder, plan_sha256, beside
        )
        if not (run_folder / RECORD_NAME).exists():  # one that was begun here goes on here
            said = take_over(offers, plan, run, job, launcher, plan_sha256)
            if said:
                display.finish(said)
            if _is_complete(run_folder):
                finished.add(run)
                continue
        outcome = _watch_run(folder, job, launcher, display)
        if outcome.exit_code == EXIT_DONE:
            finished.add(run)
        else:
            failures.append(f"{run.folder_name}: {outcome.message}")
    return failures


def _train_alike(request: CompareRequest, plan: Plan, folder: Path) -> CompareRequest:
    """The request with the device and precision of the runs begun before, where it names none.

    Raises `RequestError` where it names others: arms trained in different ways are not compared.
    """
    for run in plan.runs:
        record = get_run_folder(folder, run) / RECORD_NAME
        machine = load_run_record(record.parent).get("machine", {}) if record.exists() else {}
        for key, named in (("device", request.device), ("precision", request.precision)):
            stored = machine.get(key, named)
            if named not in ("auto", stored):
                raise RequestError(
                    f"{run.folder_name} was begun with --{key} {stored}, not {named}. Go on with that, or begin anew "
                    "in another folder."
                )
            request = replace(request, **{key: stored})
    return request


def _store_plan(folder: Path, plan: Plan) -> str:
    """Writes the plan of a new comparison, or makes sure that a stored one is the same; returns its SHA-256."""
    if not (folder / PLAN_NAME).exists():
        make_folder(folder / "runs")
        return save_plan(folder, plan)
    stored, asked = plan_to_json(load_plan(folder)), plan_to_json(plan)
    differing = [key for key in asked if stored[key] != asked[key] and key != "name"]  # a folder may be renamed
    if differing:
        raise RequestError(
            f"{folder} was planned with another {', '.join(differing)}. Give the command line it was begun with."
        )
    return compute_file_sha256(folder / PLAN_NAME)


def _watch_run(folder: Path, job: Job, launcher: Launcher, display: ProgressDisplay) -> Outcome:
    """Runs one job, showing and logging its journal as it grows."""
    make_folder(job.folder)
    follower = JournalFollower(job.folder / JOURNAL_NAME)
    log = TensorBoardLog(folder / TENSORBOARD_FOLDER / job.folder.name)

    def watch() -> None:
        events = follower.read_new()
        log.write(events)
        display.show(events)

    try:
        outcome = launcher.launch(job, watch)
    finally:
        log.close()
    if outcome.exit_code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if outcome.exit_code == EXIT_DONE and not _is_complete(job.folder):
        outcome = replace(outcome, exit_code=RunError.exit_code, message="its process ended well and left no whole run")
    if outcome.exit_code != EXIT_DONE:
        mark_failed(job.folder, _describe_failure(outcome, folder))
        where = (
            f"; all it said is in {folder / save_errors(folder, job.folder, outcome.errors)}" if outcome.errors else ""
        )
        display.finish(f"failed: {outcome.message}{where}")
        _refuse_to_go_on(outcome, job.run)
        return outcome
    display.finish("complete")
    return outcome


def _describe_failure(outcome: Outcome, folder: Path) -> str:
    """Why a run ended, for its record, which holds no path."""
    if outcome.exit_code > EXIT_SIGNAL or outcome.exit_code == RunError.exit_code:
        return outcome.message
    message = make_inert(hide_folders(outcome.message, folder))
    return f"it ended with exit code {outcome.exit_code}{': ' if message else ''}{message}"


def _refuse_to_go_on(outcome: Outcome, run: PlannedRun) -> None:
    """Stops the comparison for what would stop every other run too."""
    for kind in (RequestError, StoredResultsError, MachineError):
        if outcome.exit_code == kind.exit_code:
            raise kind(f"{run.folder_name}: {outcome.message}")


def _is_complete(folder: Path) -> bool:
    """Whether the run is finished; `StoredResultsError` where its files were changed since."""
    if not (folder / RECORD_NAME).exists() or load_run_record(folder)["status"] not in COMPLETE:
        return False
    check_run_hashes(load_run(folder))
    return True
