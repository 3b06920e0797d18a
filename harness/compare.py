"""The main job: plan, launch, collect, analyse, render. Each stage reads only what the one before it stored."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.ablation import plan_ablation
from harness.analyse import analyse
from harness.collect import collect
from harness.external import load_arms
from harness.external_runs import RECIPE as EXTERNAL
from harness.external_runs import plan_external, run_external
from harness.journals import JournalFollower
from harness.launch import Job, Launcher, Outcome, build_job
from harness.plan import FILE_NAME as PLAN_NAME
from harness.plan import ArmRequest, Plan, PlannedRun, load_plan, name_arms, plan_comparison, plan_to_json, save_plan
from harness.progress import ProgressDisplay
from harness.render import render
from harness.stored import check_run_hashes, get_run_folder, load_comparison, load_run
from harness.tensorboard_log import TensorBoardLog
from harness.verdict import MARGIN_PERCENT
from mainrun.corpus import CorpusSource
from mainrun.errors import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    InterruptionError,
    MachineError,
    RequestError,
    RunError,
    StoredResultsError,
)
from mainrun.files import compute_file_sha256, make_folder, save_json
from mainrun.recipes import get_preset
from mainrun.run_record import FILE_NAME as RECORD_NAME
from mainrun.run_record import JOURNAL_NAME, load_run_record

RESULTS = Path("results")
LATEST = "latest"
EXIT_SIGNAL = 128
"""Exit codes above this one are signals."""
TENSORBOARD_FOLDER = Path("logs") / "tensorboard"


@dataclass(frozen=True)
class CompareRequest:
    """One comparison, as asked for on the command line."""

    recipes: tuple[str, ...]
    preset: str
    seeds: tuple[int, ...]
    data: str | None = None
    """None is the preset's own source."""
    data_revision: str | None = None
    title_column: str = "title"
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    """`--set` values of each arm."""
    ablate: str | None = None
    """The recipe whose changes are taken apart, instead of comparing `recipes`."""
    margin_percent: float = MARGIN_PERCENT
    device: str = "auto"
    out: Path | None = None
    """None is a folder of its own below `results/`."""
    resume: bool = False
    arms_file: Path | None = None
    """An arms file; its names may stand among `recipes`."""

    @property
    def source(self) -> CorpusSource:
        data = self.data or get_preset(self.preset).data
        return CorpusSource(data, self.data_revision, self.title_column)


def plan_request(request: CompareRequest) -> tuple[Plan, Path]:
    """The plan a request comes to, and the folder it would fill; nothing is written there.

    Raises `RequestError` where the folder holds something already and `--resume` was not given.
    """
    folder = (
        request.out
        or RESULTS / f"{'ablate-' if request.ablate else ''}{request.preset}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    )
    if not request.resume and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} exists already. Continue it with --resume or choose another --out.")
    if request.arms_file is not None:
        return _plan_with_external(request, folder), folder
    ablation = plan_ablation(request.ablate) if request.ablate else None
    arms = name_arms(request.recipes, request.settings)
    if ablation:
        arms = [ArmRequest(name, "baseline", settings) for name, settings in ablation.arms.items()]
        arms[-1] = ArmRequest(ablation.recipe, ablation.recipe, {})
    plan = plan_comparison(
        folder.resolve().name, arms, request.preset, request.source, request.seeds, ablation, request.margin_percent
    )
    return plan, folder


def _plan_with_external(request: CompareRequest, folder: Path) -> Plan:
    assert request.arms_file is not None
    external = load_arms(request.arms_file)

    def plan_own(recipes: Sequence[str]) -> Plan | None:
        own = name_arms(recipes, request.settings)
        if not own:
            return None
        name, margin = folder.resolve().name, request.margin_percent
        return plan_comparison(name, own, request.preset, request.source, request.seeds, None, margin, min_arms=1)

    plan = plan_external(request.recipes, external, request.seeds, request.arms_file.name, plan_own)
    return replace(plan, name=folder.resolve().name, margin_percent=request.margin_percent)


def run_comparison(request: CompareRequest, launcher: Launcher, display: ProgressDisplay) -> Path:
    """Trains what is missing of the comparison, then writes its data and reports; returns its folder.

    Raises `RunError` where a run failed, once everything that could be reported on is written.
    """
    plan, folder = plan_request(request)
    plan_sha256 = _store_plan(folder, plan)
    with hold(folder):
        point_latest_at(folder)
        try:
            failures = _run_all(request, plan, folder, plan_sha256, launcher, display)
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


def make_reports(folder: Path) -> dict[str, Any]:
    """Collects, analyses and renders what a comparison has stored; returns the content of `comparison.json`.

    Raises `StoredResultsError` for damaged files, and `MachineError` where the PDF cannot be made here, after all
    else is written.
    """
    comparison = load_comparison(folder)
    collect(comparison)
    document = analyse(comparison)
    for run in comparison.runs.values():
        if any(event.get("loss_unit") == "nats_per_token" for event in run.events):
            continue  # the tags name another unit
        log = TensorBoardLog(folder / TENSORBOARD_FOLDER / run.folder.name)
        log.write(run.events)
        log.close()
    render(folder)
    return document


def _run_all(
    request: CompareRequest, plan: Plan, folder: Path, plan_sha256: str, launcher: Launcher, display: ProgressDisplay
) -> list[str]:
    """Trains every run of the plan that is not complete; returns how those that failed ended."""
    failures = []
    for place, run in enumerate(plan.runs, 1):
        arm, run_folder = plan.get_arm(run.arm), get_run_folder(folder, run)
        is_external = arm.recipe == EXTERNAL
        tokens_per_step = 0 if is_external else arm.config["block_size"] * arm.config["batch_size"]
        display.start(run, f"[{place}/{len(plan.runs)}]", tokens_per_step)
        if _is_complete(run_folder):
            display.finish("complete already")
            continue
        if is_external:
            outcome = _run_external(request, plan, run, run_folder, plan_sha256, launcher, display)
            if outcome.exit_code != EXIT_DONE:
                failures.append(f"{run.folder_name}: {outcome.message}")
            continue
        # The revision the plan resolved: upstream may move between two runs.
        source = replace(request.source, revision=plan.corpus["revision"])
        job = build_job(run, arm, plan.preset, source, request.device, run_folder, plan_sha256)
        outcome = _watch_run(folder, job, launcher, display)
        if outcome.exit_code != EXIT_DONE:
            failures.append(f"{run.folder_name}: {outcome.message}")
    return failures


def _run_external(
    request: CompareRequest, plan: Plan, run: PlannedRun, run_folder: Path, plan_sha256: str, launcher: Launcher,
    display: ProgressDisplay,
) -> Outcome:  # fmt: skip
    """Runs one external command; raises `KeyboardInterrupt` where the user ended it."""
    assert request.arms_file is not None and plan.sources is not None
    arm = load_arms(request.arms_file)[run.arm]
    source = next(entry for entry in plan.sources if (entry["arm"], entry["seed"]) == (run.arm, run.seed))
    outcome = run_external(run, arm, source, run_folder, plan_sha256, launcher, display.show)
    if outcome.exit_code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    display.finish("complete" if outcome.exit_code == EXIT_DONE else f"failed: {outcome.message}")
    return outcome


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keeps every other process from running the comparison; `RequestError` where one does already."""
    with (folder / PLAN_NAME).open("rb") as plan:
        try:
            fcntl.flock(plan, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RequestError(f"Another process is running {folder}. Wait for it, or end it.") from None
        yield


def _store_plan(folder: Path, plan: Plan) -> str:
    """Writes the plan of a new comparison, or makes sure that a stored one is the same; returns its SHA-256."""
    if not (folder / PLAN_NAME).exists():
        make_folder(folder / "runs")
        return save_plan(folder, plan)
    stored, asked = plan_to_json(load_plan(folder)), plan_to_json(plan)
    differing = [key for key in asked if stored[key] != asked[key]]
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
    if outcome.exit_code != EXIT_DONE:
        _mark_failed(job.folder, outcome)
        display.finish(f"failed: {outcome.message}")
        _refuse_to_go_on(outcome, job.run)
        return outcome
    display.finish("complete")
    return outcome


def _refuse_to_go_on(outcome: Outcome, run: PlannedRun) -> None:
    """Stops the comparison for what would stop every other run too."""
    for kind in (RequestError, StoredResultsError, MachineError):
        if outcome.exit_code == kind.exit_code:
            raise kind(f"{run.folder_name}: {outcome.message}")


def _is_complete(folder: Path) -> bool:
    """Whether the run is finished; `StoredResultsError` where its files were changed since."""
    if not (folder / RECORD_NAME).exists() or load_run_record(folder)["status"] not in ("complete", "imported"):
        return False
    check_run_hashes(load_run(folder))
    return True


def _mark_failed(folder: Path, outcome: Outcome) -> None:
    """Records how a run ended that could not say so itself; other messages than of a failed run may hold a path."""
    by_signal_or_loss = outcome.exit_code > EXIT_SIGNAL or outcome.exit_code == RunError.exit_code
    reason = outcome.message if by_signal_or_loss else f"it ended with exit code {outcome.exit_code}"
    if (folder / RECORD_NAME).exists():
        record = load_run_record(folder)
        if record["status"] == "running":
            save_json(folder / RECORD_NAME, {**record, "status": "failed", "reason": reason})


def point_latest_at(folder: Path) -> None:
    """Lets `results/latest` lead to the newest comparison of that folder."""
    if folder.parent.name == RESULTS.name:
        latest = folder.parent / LATEST
        if latest.is_symlink() or not latest.exists():
            latest.unlink(missing_ok=True)
            latest.symlink_to(folder.name)
