"""Tables in plain text."""

import shutil
import sys
from collections.abc import Collection, Sequence

GAP = 2
"""Spaces between two columns."""
MIN_CELL_CHARS = 24
"""A long cell that is cut to fewer characters says nothing."""


def format_columns(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Collection[int] = (),
    *,
    max_width: int | None = None,
    longest: int | None = None,
    spared: Sequence[int] = (),
) -> list[str]:
    """Lines with every column as wide as its widest cell; those at the places `numeric` are set to the right.

    In no more than `max_width` characters, where that is given: the cells of the column at `longest` are cut to the
    room there is, and where that leaves too few of them, columns are left out in the order of `spared`, and then it.
    """
    widths = _measure([header, *rows])
    left_out: list[int] = []
    room = None
    if max_width is not None and longest is not None:
        waiting = [*spared, longest]
        while True:
            others = [width + GAP for place, width in enumerate(widths) if place not in (longest, *left_out)]
            room = max_width - sum(others)
            if not waiting or room >= min(widths[longest], MIN_CELL_CHARS):
                break
            left_out.append(waiting.pop(0))
    cut = [
        [_cut(cell, room) if place == longest else cell for place, cell in enumerate(row)] for row in [header, *rows]
    ]
    return [
        (" " * GAP)
        .join(
            cell.rjust(width) if place in numeric else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, _measure(cut), strict=True))
            if place not in left_out
        )
        .rstrip()
        for row in cut
    ]


def find_width() -> int | None:
    """Characters of a line of the terminal that stdout is; None for a file or a pipe, which holds any."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def _measure(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _cut(cell: str, room: int | None) -> str:
    return cell if room is None or len(cell) <= room else f"{cell[: room - 1]}…"
