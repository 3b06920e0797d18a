"""What the command line prints about sources before they are judged, and about those that cannot be."""

from collections.abc import Sequence
from pathlib import Path

from harness.analyse.examine import examine
from harness.claims.opening import SOURCES
from harness.formats import format_percent
from harness.plan.plan import Plan
from harness.sources.planned import ImportedRun


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


def format_failures(plan: Plan, runs: Sequence[ImportedRun]) -> list[str]:
    """A line for each run that cannot be compared, with its reason."""
    return [
        f"{planned.folder_name} failed: {run.failure}"
        for planned, run in zip(plan.runs, runs, strict=True)
        if run.failure is not None
    ]
