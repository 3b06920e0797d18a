"""Tables that write something into every cell: which rows hold no evaluation, and which one that is no number."""

from collections.abc import Iterable, Mapping

from harness.sources.cells import read_number, says_none
from harness.sources.columns import Columns
from harness.sources.layout import Layout
from harness.sources.rows import Row

Strangers = Mapping[str, frozenset[str]]
"""By column of a loss, the columns that never have a number in a row in which it has one."""


def find_strangers(rows: Iterable[Row], layout: Layout, columns: Columns) -> Strangers:
    """The strangers of the losses that are somewhere no number; a row with one of these is no row of that loss.

    `rows` have all their cells. A run that diverges has rows without a number too. They have what stood beside the loss
    before, or nothing, and no stranger; and a loss that never is a number has none.
    """
    losses = (columns.validation, columns.training) if layout.value is None else ()
    beside: dict[str, set[str]] = {column: set() for column in losses if column is not None}
    filled, without = set[str](), set[str]()
    for row in rows:
        filled |= _find_numbers(row, filled)
        for column, there in beside.items():
            text = row.cells.get(column, "")
            if says_none(text):
                without.add(column)
            elif is_number(text):
                there |= _find_numbers(row, there)
    return {
        column: frozenset(filled - there - {*layout.keys})
        for column, there in beside.items()
        if column in without and there
    }


def is_number(text: str) -> bool:
    """Whether a cell holds a number, with either decimal mark."""
    return read_number(text, comma=True) is not None


def _find_numbers(row: Row, known: set[str]) -> set[str]:
    """The columns with a number in a row, but for those that are known to have one."""
    return {name for name, text in row.cells.items() if name not in known and is_number(text)}
