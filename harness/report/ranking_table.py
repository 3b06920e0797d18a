"""The table of all arms: one row an arm, best first."""

from collections.abc import Callable, Sequence
from typing import Any

from harness import formats
from harness.plan.plan import PREVIOUS
from harness.report.blocks import Described, Table

Column = tuple[str, str, Callable[[Any], str]]
"""Name, field of a row, and how its value is shown."""
COLUMNS: tuple[Column, ...] = (
    ("Loss", "loss", formats.format_loss),
    ("Frozen loss", "frozen_loss_nats_per_char", formats.format_loss),
    ("Spans", "num_spans", formats.format_count),
    ("Coverage", "coverage_percent", formats.format_percent),
    ("Training time", "train_elapsed_s", formats.format_duration),
    ("Time as logged", "logged_elapsed_s", formats.format_duration),
    ("Memory", "peak_memory_bytes", formats.format_bytes),
    ("Compute", "training_flops", formats.format_flops),
    ("Parameters", "num_parameters", formats.format_count),
    ("Steps", "step", formats.format_count),
    ("Last above best", "above_best", formats.format_loss),
)
OF_LOGS = frozenset({"Spans", "Parameters", "Steps", "Last above best"})
"""Columns that tell logs apart; between runs of one program they say little."""
OTHER_TEXT, UNKNOWN_TEXT = "on another text", "not shown to be on the same text"
"""In the place of a gain that would be one of texts."""
LEAST = ("Compute", "Memory", "Steps", "Parameters", "Last above best", "Spans", "Training time", "Time as logged",
         "Coverage", "Frozen loss")  # fmt: skip
"""Columns that a narrow page or terminal does without, in this order."""
MAX_ON_PAPER = 6
"""Of these columns those that fit a page."""
SHORT = frozenset({"Loss", "Frozen loss"})
"""Columns of the summary's table of two arms."""
FEW_ARMS = 2
"""Of more arms the ranking comes first, with all that tells them apart."""


def describe_ranking(
    document: Described,
    *,
    most: int | None = None,
    short: bool = False,
    on_paper: bool = False,
    whole: bool = False,
    split: bool = False,
) -> Table:
    """One row an arm, best first, no more than `most`; columns that nobody has a value for are left out.

    Of an ablation those that are compared, or the `whole`. The interval of a gain stands in brackets behind it, or is
    `split` off into a last column of its own.
    """
    ranking = document["ranking"]
    rows = ranking["rows"] if whole else list_ranked(document)
    if most is not None and len(rows) > most:
        baseline = [row for row in rows[most:] if row["is_baseline"]]
        rows = [*rows[: most - len(baseline)], *baseline]
    columns = _choose_columns(document, rows, short=short)
    for name in LEAST if on_paper else ():
        columns = [column for column in columns if column[0] != name or len(columns) <= MAX_ON_PAPER]
    cells = [
        (
            "" if row["rank"] is None else f"{row['rank']}{'' if document['ablation'] else _mark(row, rows)}",
            row["label"],
            row["change"],
            *(_format_loss(row) if field == "loss" else show(row[field]) for _, field, show in columns),
            *(_format_gain(row) if split else [_join(*_format_gain(row))]),
        )
        for row in rows
    ]
    gain = "Gain on the arm before" if ranking["against"] == PREVIOUS else "Gain"
    loss = (ranking["name"] or "Loss").partition(" (")[0].capitalize()
    names = [loss if name == "Loss" else name for name, _, _ in columns]
    header = ("", "Arm", "What changed", *names, gain, *(["Interval"] if split else []))
    return Table(header, cells, numeric=range(3, 3 + len(columns)))


def list_ranked(document: Described) -> list[Described]:
    """The rows of the ranking that stand first in a report: of an ablation those of the arms that are compared."""
    rows: list[Described] = document["ranking"]["rows"]
    if document["ablation"] is None:
        return rows
    return [row for row in rows if row["is_baseline"] or row["gain_percent"] is not None]


def _choose_columns(document: Described, rows: Sequence[Described], *, short: bool) -> list[Column]:
    """Those that some row has a value for, and that say something of such arms."""
    if short and len(rows) <= FEW_ARMS:
        telling = {name for name, _, _ in COLUMNS if name in SHORT}
    else:
        telling = {name for name, _, _ in COLUMNS if document["num_runs_taken_in"] > 0 or name not in OF_LOGS}
    if document["ranking"]["field"] == "loss_nats_per_char":
        telling -= {"Frozen loss"}  # which is the first column then
    return [column for column in COLUMNS if column[0] in telling and any(row[column[1]] is not None for row in rows)]


def _mark(row: Described, rows: Sequence[Described]) -> str:
    """`≈` where the arm is not told apart from the best, `?` where nothing shows it and there are other arms."""
    if row["rank"] == 1 or row["is_apart"] is True:
        return ""
    return " ≈" if row["is_apart"] is False else " ?" * (len(rows) > 2)


def _format_loss(row: Described) -> str:
    loss = formats.format_loss(row["loss"])
    if row["low"] is None or row["low"] == row["high"]:
        return loss
    return f"{loss} ({formats.format_loss(row['low'])} to {formats.format_loss(row['high'])})"


def _format_gain(row: Described) -> tuple[str, str]:
    """The gain and its interval, or the range that an estimate leaves; a reason where there is none."""
    if row["gain_percent"] is None:
        return "" if row["is_baseline"] else (row["reason"] or ""), ""
    if not row["text_is_shared"]:
        return OTHER_TEXT if row["text_is_shared"] is False else UNKNOWN_TEXT, ""
    ends = row["interval_95"]
    if ends is None and row["bounds"] is not None:
        ends = {f"{end}_percent": bound for end, bound in row["bounds"].items()}
    return formats.format_percent(row["gain_percent"], 2), "" if ends is None else formats.format_ends(ends)


def _join(gain: str, interval: str) -> str:
    return f"{gain} ({interval})" if interval else gain
