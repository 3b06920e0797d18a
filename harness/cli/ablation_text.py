"""What `ablate` answers on the command line: each change added one more at a time, and left out of the whole."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.cli.table import format_columns
from harness.formats import ABSENT, format_ends, format_loss, format_percent

HEADER = ("Change", "nats/char", "Gain", "95 % interval", "95 % at once", "Verdict", "Verdict at once")
NUMERIC = (1, 2)
SPARED = (3, 5, 1, 4, 6)
"""Columns that a narrow terminal does without, in this order."""


def format_ablation(ablation: Mapping[str, Any], max_width: int | None) -> list[str]:
    """The lines of both tables, which have the same columns, each with its sum, and the whole under them."""
    ladder, left_out = ablation["ladder"], ablation["leave_one_out"]
    header, *rows = _lay_out(
        [
            *(_format_step(f"+ {step['unit']}", step) for step in ladder),
            *(_format_step(f"− {step['unit']}", step) for step in left_out),
        ],
        max_width,
    )
    seeds = " (one seed)" if ablation["num_seeds"] == 1 else ""
    sums = [
        f"Sum: {format_loss(ablation[f'{kind}_sum_nats_per_char'])} nats per character"
        for kind in ("ladder", "leave_one_out")
    ]
    return [
        *(f"Added one more at a time{seeds}", header, *rows[: len(ladder)], sums[0], ""),
        *(f"Left out of the whole{seeds}", header, *rows[len(ladder) :], sums[1], ""),
        f"The whole, {ablation['recipe']}: {format_loss(ablation['whole_nats_per_char'])} nats per character",
        "",
    ]


def _lay_out(rows: Sequence[Sequence[str]], max_width: int | None) -> list[str]:
    """A table without columns that say nothing of any row."""
    kept = [place for place in range(len(HEADER)) if {row[place] for row in rows} != {ABSENT}]
    shown = [[row[place] for place in kept] for row in (HEADER, *rows)]
    numeric, spared = ([kept.index(place) for place in places if place in kept] for places in (NUMERIC, SPARED))
    return format_columns(shown[0], shown[1:], numeric, max_width=max_width, names=(0,), spared=spared)


def _format_step(name: str, step: Mapping[str, Any]) -> list[str]:
    verdict = step["verdict"]
    return [
        name,
        format_loss(step["impact_nats_per_char"]),
        format_percent(verdict["gain_percent"], 2),
        *(format_ends(verdict[f"interval_{level}"]) for level in ("95", "joint")),
        verdict["word"],
        verdict["adjusted"]["word"] if verdict["adjusted"] else ABSENT,
    ]
