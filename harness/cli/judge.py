"""`compare --from`: judging stored runs and logs of other programs without training anything."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.cli.outcome import format_result
from harness.cli.source_text import format_failures, format_import
from harness.comparison import check_comparison, make_reports
from harness.plan.arms import check_against
from harness.plan.folders import name_folder, point_latest_at, refuse_filled
from harness.plan.plan import FIRST, MARGIN_PERCENT, Plan, plan_to_json, save_plan
from harness.sources.given import NOTHING_GIVEN, Given
from harness.sources.planned import ImportedRun, plan_import, read_runs
from harness.sources.source_log import LossUnit
from harness.sources.take_in import store_runs
from harness.store.locks import hold
from harness.store.runs import load_comparison
from mainrun.record.errors import EXIT_DONE, RequestError, RunError
from mainrun.record.files import make_folder


@dataclass(frozen=True)
class ImportRequest:
    """What is to be judged, as asked for on the command line."""

    sources: tuple[str, ...]
    """Paths, each with `NAME=` before it where it has one."""
    loss_unit: LossUnit | None = None
    given: Given = NOTHING_GIVEN
    margin_percent: float = MARGIN_PERCENT
    against: str = FIRST
    """Whom every arm is compared with: see `Plan.against`."""
    out: Path | None = None
    """None is a folder of its own below `results/`."""


def run_import(given: argparse.Namespace) -> tuple[str, dict[str, Any], int, str | None]:
    """Judges the sources; returns text, values, exit code and reason of the answer.

    A source that cannot be compared is a run that failed, once all others are judged. `RequestError` for options that
    only training has.
    """
    trained = {
        "--seeds": given.seeds is not None,
        "--device": given.device != "auto",
        "--precision": given.precision != "auto",
        "--preset": given.preset is not None,
        "--data": given.data,
        "--data-revision": given.data_revision,
        "--set": given.settings,
        "--arms": given.arms,
        "--sweep": given.sweeps,
        "--resume": given.resume,
        "--reuse": given.reuse,
        "RECIPE": given.recipes,
    }
    stray = [option for option, value in trained.items() if value]
    if stray:
        raise RequestError(f"--from trains nothing and takes no {', '.join(stray)}.")
    margin = MARGIN_PERCENT if given.margin is None else given.margin
    facts = Given(given.block_size, given.batch_size, given.train_tokens, given.validation_tokens)
    request = ImportRequest(tuple(given.sources), given.loss_unit, facts, margin, given.against or FIRST, given.out)
    plan, folder, runs = plan_imported(request)
    if given.dry_run:
        text, values = format_import(plan, runs, folder), {"folder": str(folder), "plan": plan_to_json(plan)}
        return text, values, EXIT_DONE, None
    document = judge_imported(plan, folder, runs)
    failures = format_failures(plan, runs)
    text = "\n".join([format_result(document, folder), *failures])
    reason = " ".join(failures) or None
    exit_code = RunError.exit_code if failures else EXIT_DONE
    return text, {"folder": str(folder), "pairs": document["pairs"]}, exit_code, reason


def plan_imported(request: ImportRequest) -> tuple[Plan, Path, list[ImportedRun]]:
    """The plan, the folder it would fill and what was read; nothing is written.

    Raises `RequestError` for a source that cannot be read, and where the folder holds something already.
    """
    folder = request.out or name_folder("imported")
    refuse_filled(folder, "Choose another --out.")
    if not 0 <= request.margin_percent < 100:
        raise RequestError(f"--margin takes a percentage from 0 to below 100, not {request.margin_percent}.")
    runs = read_runs(request.sources, request.loss_unit, request.given)
    plan = plan_import(folder.resolve().name, runs, request.margin_percent)
    check_against(request.against, [arm.name for arm in plan.arms])
    return replace(plan, against=request.against), folder, runs


def judge_imported(plan: Plan, folder: Path, runs: list[ImportedRun]) -> dict[str, Any]:
    """Takes the runs in, checks them, writes data and reports, and returns the content of `comparison.json`."""
    from harness.launch.local import LocalLauncher

    make_folder(folder)
    with hold(folder):
        make_folder(folder / "runs")
        plan_sha256 = save_plan(folder, plan)
        point_latest_at(folder)
        store_runs(folder, plan, plan_sha256, runs)
        check_comparison(load_comparison(folder), None, LocalLauncher())
        return make_reports(folder)
