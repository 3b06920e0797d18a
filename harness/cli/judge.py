"""`compare --from`: judging stored runs and logs of other programs without training anything."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analyse.examine import examine
from harness.claims.opening import SOURCES
from harness.cli.answer import Answer
from harness.cli.outcome import format_result
from harness.comparison import check_comparison, make_reports
from harness.formats import format_percent
from harness.launch.choose import LOCAL
from harness.plan.arms import check_against
from harness.plan.folders import make_own_folder, name_folder, point_latest_at, refuse_filled, refuse_unstorable
from harness.plan.plan import FIRST, MARGIN_PERCENT, Plan, check_rule, plan_to_json, save_plan
from harness.sources.given import Given
from harness.sources.planned import ImportedRun, plan_import, read_runs
from harness.sources.take_in import store_runs
from harness.store.locks import hold
from harness.store.runs import load_comparison
from mainrun.record.errors import EXIT_DONE, RequestError, RunError
from mainrun.record.files import make_folder

ADVICE = "Choose another --out."


def run_import(given: argparse.Namespace) -> Answer:
    """Judges the sources; one that cannot be compared is a run that failed, once all others are judged.

    Raises `RequestError` for options that only training has, for a source that cannot be read, and where the folder
    holds something already.
    """
    trained = {
        "--jobs": given.jobs,
        "--threads": given.threads,
        "--launcher": given.launcher != LOCAL,
        "--address": given.address,
        "--checkpoint-minutes": given.checkpoint_minutes is not None,
        "--mixed-machines": given.mixed_machines,
        "--seeds": given.seeds is not None,
        "--device": given.device != "auto",
        "--precision": given.precision != "auto",
        "--preset": given.preset is not None,
        "--data": given.data,
        "--data-revision": given.data_revision,
        "--title-column": given.title_column,
        "--repo": given.repo,
        "--set": given.settings,
        "--arms": given.arms,
        "--sweep": given.sweeps,
        "--resume": given.resume,
        "--reuse": given.reuse,
        "--keep-weights": given.keep_weights,
        "--keep-checkpoints": given.keep_checkpoints,
        "RECIPE": given.recipes,
    }
    if stray := [option for option, value in trained.items() if value]:
        raise RequestError(f"--from trains nothing and takes no {', '.join(stray)}.")
    plan, folder, runs = _plan(given)
    if given.dry_run:
        return Answer(format_import(plan, runs, folder), {"folder": str(folder), "plan": plan_to_json(plan)})
    folder = make_own_folder(folder, is_named=given.out is not None)
    document = _judge(replace(plan, name=folder.resolve().name), folder, runs)
    failures = [
        f"{planned.folder_name} failed: {run.failure}"
        for planned, run in zip(plan.runs, runs, strict=True)
        if run.failure is not None
    ]
    return Answer(
        "\n".join([format_result(document, folder), *failures]),
        {"folder": str(folder), "pairs": document["pairs"]},
        RunError.exit_code if failures else EXIT_DONE,
        " ".join(failures) or None,
    )


def format_import(plan: Plan, runs: Sequence[ImportedRun], folder: Path) -> str:
    """What would be judged: each source with what was read of it, and every note."""
    lines = [f"Comparison {plan.name}, without training, in {folder}"]
    for planned, run in zip(plan.runs, runs, strict=True):
        if run.log is None:
            lines.append(f"{planned.arm}: the run {run.source.name} of our own, seed {planned.seed}")
            continue
        evaluations = [event for event in run.log.events if event["event"] == "validation_step"]
        last = f", last at step {evaluations[-1]['step']:,}: {evaluations[-1]['loss']:.6g}" if evaluations else ""
        coverage = examine(run.log.events, run.facts)["coverage"]
        share = f"{format_percent(100 * coverage['share'])}, {coverage['num_spans']} spans" if coverage else "not known"
        lines += [
            f"{planned.arm}: {SOURCES[run.source.kind]} {run.source.name}, {run.log.status}"
            f"{f' ({run.log.reason})' if run.log.reason else ''}",
            f"  {len(evaluations)} evaluations{last}; coverage {share}",
            *(f"  note: {note}" for note in run.log.notes),
        ]
    return "\n".join(lines)


def _plan(given: argparse.Namespace) -> tuple[Plan, Path, list[ImportedRun]]:
    """The plan, the folder it would fill and what was read; nothing is written."""
    folder = given.out or name_folder("imported")
    margin_percent = MARGIN_PERCENT if given.margin is None else given.margin
    facts = Given(given.block_size, given.batch_size, given.train_tokens, given.validation_tokens)
    if given.out is None:
        refuse_unstorable(folder)
    else:
        refuse_filled(folder, ADVICE)
    check_rule((), margin_percent)
    runs = read_runs(given.sources, given.loss_unit, facts)
    plan = plan_import(folder.resolve().name, runs, margin_percent)
    against = given.against or FIRST
    check_against(against, [arm.name for arm in plan.arms])
    return replace(plan, against=against), folder, runs


def _judge(plan: Plan, folder: Path, runs: list[ImportedRun]) -> dict[str, Any]:
    """Takes the runs in, checks them, writes data and reports, and returns the content of `comparison.json`."""
    from harness.launch.local import LocalLauncher

    with hold(folder, is_new=True):
        refuse_filled(folder, ADVICE)  # another may have begun there since this was planned
        make_folder(folder / "runs")
        plan_sha256 = save_plan(folder, plan)
        point_latest_at(folder)
        store_runs(folder, plan, plan_sha256, runs)
        check_comparison(load_comparison(folder), None, LocalLauncher())
        return make_reports(folder)
