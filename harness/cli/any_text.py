"""What the command line prints about imported runs and comparisons with them: functions that return text."""

from collections.abc import Sequence
from pathlib import Path

from harness.analyse.examine import examine
from harness.claims.opening import SOURCES
from harness.formats import format_percent
from harness.plan.plan import Plan
from harness.sources.take_in import ImportedRun
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
