"""What a reader must know of the runs of a comparison: how they ended, where and by which clock they were trained."""

from collections.abc import Callable, Iterator
from typing import Any

from harness.claims.engine import Claim, prove
from harness.claims.left_out import warn_of_left_out_seeds

Document = dict[str, Any]


def warn_of_missing_runs(document: Document) -> Iterator[Claim]:
    """Runs that failed, were stopped or never started."""
    for place, run in enumerate(document["runs"]):
        inputs = {name: f"/runs/{place}/{name}" for name, value in run.items() if value is not None and name != "arm"}
        because = " ({reason})" if "reason" in inputs else ""
        sentence = f"{{label}} with seed {{seed}} is not complete: {{status}}{because}."
        yield from prove(document, "missing-run", {'status != "complete"': sentence}, inputs=inputs)


def warn_of_taken_over_runs(document: Document) -> Iterator[Claim]:
    """Runs that were trained in another comparison, whose order and times are not those of this one."""
    for place, run in enumerate(document["runs"]):
        if "taken_over" in run:
            yield from prove(
                document,
                "taken-over-run",
                "{label} with seed {seed} was not trained in this comparison but taken over from comparison "
                "{comparison}, measured from {start:time} to {end:time}. Configuration, titles, seed, code, torch "
                "version, device, precision, threads and first weights are the same; its training time was not "
                "measured back to back with those of other runs.",
                inputs={
                    "label": f"/runs/{place}/label",
                    "seed": f"/runs/{place}/seed",
                    "comparison": f"/runs/{place}/taken_over/comparison",
                    "start": f"/runs/{place}/taken_over/started_at",
                    "end": f"/runs/{place}/taken_over/finished_at",
                },
            )


def warn_of_clocks(document: Document) -> Iterator[Claim]:
    """Runs during which the machine's clock was set back."""
    for place, run in enumerate(document["runs"]):
        if "clock_set_back_s" in run:
            yield from prove(
                document,
                "clock-set-back",
                {
                    "back > 0": "The machine's clock was set back by {back:duration} during {label} with seed {seed}: "
                    "dates are not exact. Training times come from another clock."
                },
                inputs={
                    "back": f"/runs/{place}/clock_set_back_s",
                    "label": f"/runs/{place}/label",
                    "seed": f"/runs/{place}/seed",
                },
            )


def warn_of_runs_beside_others(document: Document) -> Iterator[Claim]:
    """Runs that went on at the same time; the one beside most others is named."""
    beside = {place: run["num_runs_beside"] for place, run in enumerate(document["runs"]) if "num_runs_beside" in run}
    if beside:
        place = max(beside, key=lambda place: beside[place])
        yield from prove(
            document,
            "runs-beside-others",
            {
                "count > 0": "Runs went on at the same time, {label} with seed {seed} beside {count:count} other(s): "
                "they took each other's time, so their training times and speeds do not compare. Losses do."
            },
            inputs={
                "count": f"/runs/{place}/num_runs_beside",
                "label": f"/runs/{place}/label",
                "seed": f"/runs/{place}/seed",
            },
        )


RUN_CAVEATS: tuple[Callable[[Document], Iterator[Claim]], ...] = (
    warn_of_missing_runs,
    warn_of_taken_over_runs,
    warn_of_runs_beside_others,
    warn_of_clocks,
    warn_of_left_out_seeds,
)
