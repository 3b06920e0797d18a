"""Tables in plain text."""

import shutil
import sys
from collections.abc import Collection, Sequence

from harness.formats import shorten

GAP = 2
"""Spaces between two columns."""
MIN_CELL_CHARS = 24
"""A long cell that is cut to fewer characters says nothing."""
MIN_NAME_CHARS = 10
"""Of a name that is cut in the middle."""


def format_columns(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Collection[int] = (),
    *,
    max_width: int | None = None,
    names: Sequence[int] = (),
    longest: int | None = None,
    spared: Sequence[int] = (),
    min_name_chars: int = MIN_NAME_CHARS,
) -> list[str]:
    """Lines with every column as wide as its widest cell; those at the places `numeric` are set to the right.

    In no more than `max_width` characters, where that is given: columns are left out in the order of `spared` until
    those that stay have room. What is free goes to `names`, of which the longest are cut in the middle to no fewer than
    `min_name_chars`, and then to the column at `longest`, whose cells are cut at the end.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    flexible = dict.fromkeys(names, min_name_chars) | ({} if longest is None else {longest: MIN_CELL_CHARS})
    kept = {place: min(width, flexible.get(place, width)) for place, width in enumerate(widths)}
    if max_width is None:
        kept = dict(enumerate(widths))
    else:
        for place in spared:
            if _add_up(kept) > max_width:
                del kept[place]
        for most in range(min_name_chars, max_width):
            wider = kept | {place: min(widths[place], most) for place in names}
            kept = wider if _add_up(wider) <= max_width else kept
        if longest in kept:
            kept[longest] += min(widths[longest] - kept[longest], max_width - _add_up(kept))
    return [
        (" " * GAP)
        .join(
            cell.rjust(kept[place]) if place in numeric else cell.ljust(kept[place])
            for place in kept
            for cell in [_cut(row[place], kept[place], in_the_middle=place in names)]
        )
        .rstrip()
        for row in [header, *rows]
    ]


def find_width() -> int | None:
    """Characters of a line of the terminal that stdout is; None for a file or a pipe, which holds any."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def _add_up(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _cut(cell: str, width: int, *, in_the_middle: bool) -> str:
    if in_the_middle or len(cell) <= width:
        return shorten(cell, width)
    return f"{cell[: width - 1]}…"
