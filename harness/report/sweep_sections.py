"""The section on sweeps: the loss along a setting, with what it comes to."""

from harness import formats
from harness.report.blocks import Claims, Described, Note, Section, Table

APART = {True: "worse", False: "not told apart", None: "not decided"}


def describe_sweeps(document: Described) -> Section:
    """One table a sweep, the best value marked; nothing where no setting was swept."""
    said = [claim for claim in document["claims"] if claim["id"].startswith("sweep-")]
    note = Note("Interval: where an arm's loss lies by the 95 % interval of its difference from the best, in nats.")
    tables = [_describe_sweep(sweep) for sweep in document["sweeps"]]
    return Section("Sweep", [Claims(said), *tables, note] if tables else ())


def _describe_sweep(sweep: Described) -> Table:
    rows = [
        (
            formats.format_value(point["value"]),
            point["label"],
            formats.format_loss(point["loss"]),
            ""
            if point["low"] is None
            else f"{formats.format_loss(point['low'])} to {formats.format_loss(point['high'])}",
            "best" if point["label"] == sweep["best"] else APART[point["is_apart"]],
        )
        for point in sweep["points"]
    ]
    return Table((sweep["setting"], "Arm", "Loss, nats per character", "Interval", "Beside the best"), rows, (0, 2))
