"""The main job: plan, launch, collect, analyse, render. Each stage reads only what the one before it stored."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from time import time
from typing import Any

from harness.analyse.document import describe_comparison
from harness.check.registry import Evidence
from harness.check.reread import read_titles
from harness.check.rules import judge_official_corpus
from harness.check.suite import Occasion, find_all
from harness.claims.report_order import say_all
from harness.launch.again import Again
from harness.launch.job import Launcher
from harness.launch.progress import ProgressDisplay
from harness.launch.reuse import load_offers
from harness.launch.runs import launch_runs
from harness.plan.folders import make_own_folder, point_latest_at
from harness.plan.from_request import leave_as_it_was, plan_request, save_changes, store_plan
from harness.plan.git import find_head
from harness.plan.plan import Plan
from harness.plan.request import CompareRequest
from harness.processes import PLACE
from harness.report.figure_list import list_figures
from harness.report.pdf import Renderer
from harness.report.render import render
from harness.store.document import FILE_NAME as DOCUMENT_NAME
from harness.store.findings import load_findings, save_findings
from harness.store.locks import hold
from harness.store.measurements import Row, build_rows, collect, load_metrics
from harness.store.rounding import round_numbers
from harness.store.runs import StoredComparison, get_run_folder, load_comparison
from harness.store.tensorboard import FOLDER as TENSORBOARD_FOLDER
from harness.store.tensorboard import TensorBoardLog
from mainrun.data.corpus import SYNTHETIC, CorpusSource
from mainrun.record.errors import InterruptionError, MachineError, RequestError, RunError
from mainrun.record.files import check_temporary_folder, save_json
from mainrun.record.run_record import JOURNAL_NAME

NO_TITLES_HERE = "the titles are not here: give --data with the file they came from"


def run_comparison(request: CompareRequest, launcher: Launcher, display: ProgressDisplay) -> Path:
    """Runs what is missing of the comparison, then writes its data and reports; returns its folder.

    Raises `MachineError` where this machine lacks what a training needs, `RunError` where a run failed, once everything
    that could be reported on is written, and `InterruptionError` where the user ended it.
    """
    check_temporary_folder()
    plan, folder = plan_request(request)
    offers = load_offers(request.reuse, folder)
    folder = make_own_folder(folder, is_named=request.out is not None)
    plan = replace(plan, name=folder.resolve().name)
    with hold(folder, is_new=True), leave_as_it_was(folder):
        plan, plan_sha256 = store_plan(folder, plan, resume=request.resume)
        save_changes(folder, plan, request.repository)
        point_latest_at(folder)
        try:
            failures = launch_runs(request, plan, folder, plan_sha256, offers, launcher, display)
            if not failures or _has_measurements(plan, folder):
                check_comparison(load_comparison(folder), request.source.data, launcher, request.repository)
        except KeyboardInterrupt:
            raise InterruptionError(
                "Interrupted. Nothing finished is lost; go on with the same command and --out "
                f"{shlex.quote(str(folder))} --resume."
            ) from None
        if failures and not _has_measurements(plan, folder):
            raise RunError(f"No run measured anything. {' '.join(failures)}")
        said = f"{len(failures)} of {len(plan.runs)} runs failed. {' '.join(failures)}" if failures else None
        with tell_failures(said):
            make_reports(folder)
    if said:
        raise RunError(f"{said} Reports are in {folder}.")
    return folder


@contextmanager
def tell_failures(said: str | None) -> Iterator[None]:
    """Has what is `said` of runs that failed told first where the machine lacks what the reports inside need."""
    try:
        yield
    except MachineError as error:
        if said:
            raise RunError(f"{said} {error}") from error
        raise


def check_comparison(
    comparison: StoredComparison, data: str | None, launcher: Launcher, repository: Path | None = None
) -> None:
    """Makes every check that can be made here and stores what was found, with when and where.

    `data` is where the titles are read again from; synthetic ones are always made again.
    """
    own = data if comparison.plan.corpus["source"] != "imported" else None
    try:
        evidence = gather_evidence(comparison, find_source(comparison.plan, own), launcher, repository)
    except (RequestError, MachineError) as error:
        evidence = Evidence(comparison, f"the titles cannot be read again here: {error}", "the titles are not here")
    store_findings(evidence, "compare")


def store_findings(evidence: Evidence, verb: str) -> None:
    """Makes every check that the evidence allows and stores what was found, with when, where and by which verb."""
    starts = [] if isinstance(evidence.fresh_starts, str) else list(evidence.fresh_starts.values())
    machine: dict[str, Any] = next((start["machine"] for start in starts if isinstance(start, dict)), {})
    occasion = Occasion(time(), verb, _find_commit(), machine.get("device_name"))
    save_findings(evidence.comparison, find_all(evidence, occasion))


def _find_commit() -> str | None:
    """Of the harness that stands here, `-dirty` where it differs; None where it is not kept by git."""
    head = find_head(PLACE, "harness")
    return None if head is None else head[0] + "-dirty" * head[1]


def gather_evidence(
    comparison: StoredComparison, source: CorpusSource | None, launcher: Launcher, repository: Path | None
) -> Evidence:
    """The titles read again from `source` and every whole run of ours begun again; neither where there is no source.

    `repository` is that of the runs' programs, None our own.

    Raises `RequestError` for a file that does not hold the titles, `MachineError` where the hub cannot be read.
    """
    if source is None:
        return Evidence(comparison, NO_TITLES_HERE, NO_TITLES_HERE)
    titles = read_titles(comparison.plan, source)  # before any run is begun for a file that is refused
    return Evidence(comparison, titles, Again(comparison, source, launcher, repository).begin_all())


def find_source(plan: Plan, data: str | None) -> CorpusSource | None:
    """Where the titles of a plan are read again from; None where there are none, or `data` does not say it.

    Raises `RequestError` for `data` of a comparison whose titles come from nowhere else.
    """
    origin = plan.corpus["source"]
    if origin in ("imported", SYNTHETIC) and data not in (None, origin):
        what = (
            "has synthetic titles, which are made again" if origin == SYNTHETIC else "is of logs, which name no titles"
        )
        raise RequestError(f"--data {data} is never read: the comparison {what}. Leave --data out.")
    if origin == "imported":
        return None
    if origin == SYNTHETIC:
        return CorpusSource(SYNTHETIC)
    return None if data is None else CorpusSource(data, plan.corpus["revision"], plan.title_column)


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
    """The content of `comparison.json`: checked, analysed and said, from what the comparison has stored.

    Findings are those made when it was, and where there are none of these files, what the files alone can show.
    """
    findings = load_findings(comparison) or find_all(Evidence(comparison), Occasion())
    status, _ = judge_official_corpus(comparison)
    document = describe_comparison(comparison, rows, findings, official=status == "PASS")
    document["figures"] = list_figures(document, rows)
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
