"""`compare --from`: judging stored runs and logs of other programs without training anything."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analyse.examine import examine
from harness.claims.opening import SOURCES
from harness.cli.answer import Answer
from harness.cli.options import build_training_options
from harness.cli.outcome import format_result
from harness.comparison import check_comparison, make_reports, tell_failures
from harness.formats import format_percent
from harness.plan.arms import check_against
from harness.plan.folders import make_own_folder, name_folder, point_latest_at, refuse_filled, refuse_unstorable
from harness.plan.plan import FIRST, MARGIN_PERCENT, Plan, check_rule, plan_to_json, save_plan
from harness.sources.given import Given
from harness.sources.planned import ImportedRun, plan_import, read_runs
from harness.sources.take_in import store_runs
from harness.store.locks import hold
from harness.store.runs import RUNS_FOLDER, StoredRun, load_comparison
from mainrun.record.errors import EXIT_DONE, RequestError, RunError
from mainrun.record.files import make_folder

ADVICE = "Choose another --out."
SHARED = ("out", "margin", "dry_run")
"""Options of training that mean the same where nothing is trained."""


def run_import(given: argparse.Namespace) -> Answer:
    """Judges the sources; one that cannot be compared is a run that failed, once all others are judged.

    Raises `RequestError` for options that only training has, for a source that cannot be read, and where the folder
    holds something already.
    """
    stray = [action.option_strings[-1] for action in find_trainings_own() if _is_given(given, action)]
    stray += [name for name, value in (
        ("--repo", given.repo), ("--set", given.settings), ("--sweep", given.sweeps), ("--arms", given.arms),
        ("ARM", given.recipes),
    ) if value]  # fmt: skip
    if stray:
        raise RequestError(f"--from trains nothing and takes no {', '.join(stray)}.")
    plan, folder, runs = _plan(given)
    if given.dry_run:
        return Answer(format_import(plan, runs, folder), {"folder": str(folder), "plan": plan_to_json(plan)})
    folder = make_own_folder(folder, is_named=given.out is not None)
    failures = [
        f"{planned.folder_name} failed: {run.failure}"
        for planned, run in zip(plan.runs, runs, strict=True)
        if run.failure is not None
    ]
    said = " ".join(failures) or None
    with tell_failures(said):
        document = _judge(replace(plan, name=folder.resolve().name), folder, runs)
    return Answer(
        "\n".join([format_result(document, folder), *failures]),
        {"folder": str(folder), "pairs": document["pairs"]},
        RunError.exit_code if failures else EXIT_DONE,
        said,
    )


def find_trainings_own() -> list[argparse.Action]:
    """The options of training that `--from` does not take."""
    return [action for action in build_training_options()._actions if action.dest not in SHARED]


def format_import(plan: Plan, runs: Sequence[ImportedRun], folder: Path) -> str:
    """What would be judged: each source with what was read of it, and every note."""
    lines = [f"Comparison {plan.name}, without training, in {folder}"]
    for planned, run in zip(plan.runs, runs, strict=True):
        if isinstance(run.content, StoredRun):
            lines.append(f"{planned.arm}: the run {run.source.name} of our own, seed {planned.seed}")
            continue
        log = run.content
        evaluations = [event for event in log.events if event["event"] == "validation_step"]
        last = f", last at step {evaluations[-1]['step']:,}: {evaluations[-1]['loss']:.6g}" if evaluations else ""
        coverage = examine(log.events, run.facts)["coverage"]
        share = f"{format_percent(100 * coverage['share'])}, {coverage['num_spans']} spans" if coverage else "not known"
        lines += [
            f"{planned.arm}: {SOURCES[run.source.kind]} {run.source.name}, {log.status}"
            f"{f' ({log.reason})' if log.reason else ''}",
            f"  {len(evaluations)} evaluations{last}; coverage {share}",
            *(f"  note: {note}" for note in log.notes),
        ]
    return "\n".join(lines)


def _is_given(given: argparse.Namespace, action: argparse.Action) -> bool:
    return bool(getattr(given, action.dest) != action.default)


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
        make_folder(folder / RUNS_FOLDER)
        plan_sha256 = save_plan(folder, plan)
        point_latest_at(folder)
        store_runs(folder, plan, plan_sha256, runs)
        check_comparison(load_comparison(folder), None, LocalLauncher())
        return make_reports(folder)
