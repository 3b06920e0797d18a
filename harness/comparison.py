"""The main job: plan, launch, collect, analyse, render. Each stage reads only what the one before it stored."""

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.analyse.document import describe_comparison
from harness.check.integrity import INTEGRITY
from harness.check.logs import FORENSICS
from harness.check.registry import Evidence, run_checks
from harness.check.rules import judge_official_corpus
from harness.check.terms import CONSTRAINTS
from harness.claims.report_order import say_all
from harness.launch.job import Launcher
from harness.launch.progress import ProgressDisplay
from harness.launch.reuse import load_offers
from harness.launch.runs import launch_runs
from harness.plan.folders import point_latest_at
from harness.plan.from_request import plan_request, save_changes, store_plan
from harness.plan.plan import Plan
from harness.plan.request import CompareRequest
from harness.report.pdf import Renderer
from harness.report.render import render
from harness.store.document import FILE_NAME as DOCUMENT_NAME
from harness.store.locks import hold
from harness.store.measurements import Row, build_rows, collect, load_metrics
from harness.store.rounding import round_numbers
from harness.store.runs import StoredComparison, get_run_folder, load_comparison
from harness.store.tensorboard import FOLDER as TENSORBOARD_FOLDER
from harness.store.tensorboard import TensorBoardLog
from mainrun.record.errors import InterruptionError, RunError
from mainrun.record.files import check_temporary_folder, make_folder, save_json
from mainrun.record.run_record import JOURNAL_NAME


def run_comparison(request: CompareRequest, launcher: Launcher, display: ProgressDisplay) -> Path:
    """Runs what is missing of the comparison, then writes its data and reports; returns its folder.

    Raises `MachineError` where this machine lacks what a training needs, `RunError` where a run failed, once everything
    that could be reported on is written, and `InterruptionError` where the user ended it.
    """
    check_temporary_folder()
    plan, folder = plan_request(request)
    offers = load_offers(request.reuse, folder)
    make_folder(folder)
    with hold(folder):
        plan, plan_sha256 = store_plan(folder, plan)
        save_changes(folder, plan, request.repository)
        point_latest_at(folder)
        try:
            failures = launch_runs(request, plan, folder, plan_sha256, offers, launcher, display)
        except KeyboardInterrupt:
            raise InterruptionError(
                f"Interrupted. Nothing finished is lost; go on with the same command and --out {folder} --resume."
            ) from None
        if failures and not _has_measurements(plan, folder):
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
    document = build_document(comparison, load_metrics(folder))
    save_json(folder / DOCUMENT_NAME, document)
    render(folder, renderer, lambda: _save_tensorboard_logs(comparison))
    return document


def build_document(comparison: StoredComparison, rows: list[Row]) -> dict[str, Any]:
    """The content of `comparison.json`: checked, analysed and said, from what the comparison has stored."""
    evidence = Evidence(comparison)
    findings = {
        "constraints": [asdict(finding) for finding in run_checks(CONSTRAINTS, evidence)],
        "integrity": [
            asdict(finding) for registry in (INTEGRITY, FORENSICS) for finding in run_checks(registry, evidence)
        ],
    }
    status, _ = judge_official_corpus(comparison)
    document = describe_comparison(comparison, rows, findings, official=status == "PASS")
    return dict(round_numbers(say_all(document)))


@lru_cache(maxsize=1)
def rebuild(comparison: StoredComparison) -> tuple[list[Row], dict[str, Any]]:
    """Measurements and document made again from the journals, whatever is stored of them."""
    rows = [row for run in comparison.runs.values() for row in build_rows(run)]
    return rows, build_document(comparison, rows)


def _has_measurements(plan: Plan, folder: Path) -> bool:
    return any((get_run_folder(folder, run) / JOURNAL_NAME).exists() for run in plan.runs)


def _save_tensorboard_logs(comparison: StoredComparison) -> None:
    for run in comparison.runs.values():
        if any(event.get("loss_unit") == "nats_per_token" for event in run.events):
            continue  # the tags name another unit
        log = TensorBoardLog(comparison.folder / TENSORBOARD_FOLDER / run.folder.name)
        log.write(run.events)
        log.close()
