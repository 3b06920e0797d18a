"""What the command line prints about imported runs and comparisons with them: functions that return text."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analyse.any_arms import examine
from harness.claims.any_headline import SOURCES
from harness.formats import format_gain, format_loss, format_percent
from harness.plan.plan import Plan
from harness.sources.planned import ImportedRun
from harness.store.facts import read_facts


def format_import(plan: Plan, runs: Sequence[ImportedRun], folder: Path) -> str:
    """What would be judged: each source with what was read of it, and every note."""
    lines = [f"Comparison {plan.name}, without training, in {folder}"]
    for planned, run in zip(plan.runs, runs, strict=True):
        if run.log is None:
            lines.append(f"{planned.arm}: the run {run.source.name} of our own, seed {planned.seed}")
            continue
        evaluations = [event for event in run.log.events if event["event"] == "validation_step"]
        last = f", last at step {evaluations[-1]['step']:,}: {evaluations[-1]['loss']:.6g}" if evaluations else ""
        coverage = examine(run.log.events, read_facts(run.log.events))["coverage"]
        share = f"{format_percent(100 * coverage['share'])}, {coverage['num_spans']} spans" if coverage else "not known"
        lines += [
            f"{planned.arm}: {SOURCES[run.source.kind]} {run.source.name}, {run.log.status}"
            f"{f' ({run.log.reason})' if run.log.reason else ''}",
            f"  {len(evaluations)} evaluations{last}; coverage {share}",
            *(f"  note: {note}" for note in run.log.notes),
        ]
    return "\n".join(lines)


def format_failures(plan: Plan, runs: Sequence[ImportedRun]) -> list[str]:
    """A line for each run that cannot be compared, with its reason."""
    return [
        f"{planned.folder_name} failed: {run.failure}"
        for planned, run in zip(plan.runs, runs, strict=True)
        if run.failure is not None
    ]


def format_external_plan(plan: Plan, folder: Path) -> str:
    """What would be run: every run in order, external ones with their command."""
    commands = {source["arm"]: source["external"]["command"] for source in plan.sources or []}
    lines = [f"Comparison {plan.name}, preset {plan.preset}"]
    for place, run in enumerate(plan.runs, 1):
        arm = plan.get_arm(run.arm)
        what = f"command: {shlex.join(commands[run.arm])}" if run.arm in commands else f"recipe {arm.recipe}"
        lines.append(f"  {place}. {folder / 'runs' / run.folder_name}: {what}")
    return "\n".join(lines)


def format_foreign_result(document: dict[str, Any]) -> list[str]:
    """The headline lines of a comparison with foreign arms."""
    lines = []
    arms = {arm["name"]: arm["final"] for arm in document["arms"]}
    for pair in document["pairs"]:
        field, verdict = pair["basis"]["field"], pair["verdict"]
        before, after, bounds = arms[pair["baseline"]], arms[pair["candidate"]], pair["basis_gain_bounds_percent"]
        among = f" ({format_percent(bounds['low'])} to {format_percent(bounds['high'])})" if bounds else ""
        lines += [
            f"{pair['candidate_label']} against {pair['baseline_label']}: {verdict['label']}",
            f"  {verdict['reason']}; margin {format_percent(verdict['margin_percent'])}",
            f"  {pair['basis']['name']}  {format_loss(before[field])} → {format_loss(after[field])}, "
            f"{format_gain(pair['basis_gain_percent'])}{among}",
        ]
        if field != "loss_nats_per_char" and pair["reported_gain_percent"] is not None:
            lines.append(
                f"  frozen loss as reported  {format_loss(before['loss_nats_per_char'])} → "
                f"{format_loss(after['loss_nats_per_char'])}, {format_gain(pair['reported_gain_percent'])}"
            )
        lines += [f"  {claim['text']}" for claim in pair["claims"] if claim["id"] == "coverage-share"]
    if not document["pairs"]:
        lines.append("No two arms can be compared.")
    return [*lines, *(f"  {caveat['text']}" for caveat in document["caveats"][:1])]
