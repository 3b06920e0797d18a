"""Tables that write something into every cell: which rows hold no evaluation, and which one that is no number."""

from collections.abc import Mapping

from harness.sources.cells import NO_NUMBERS, read_number
from harness.sources.columns import Columns
from harness.sources.layout import Layout
from harness.sources.rows import Row

Strangers = Mapping[str, frozenset[str]]
"""By column of a loss, the columns that never have a number in a row in which it has one."""


class Company:
    """Which columns have numbers beside which losses, as the rows of a table show it."""

    def __init__(self, layout: Layout, columns: Columns) -> None:
        losses = (columns.validation, columns.training) if layout.value is None else ()
        self._keys = {*layout.keys}
        self._filled: set[str] = set()
        self._beside: dict[str, set[str]] = {column: set() for column in losses if column is not None}
        self._without: set[str] = set()
        """Losses that are somewhere no number."""

    def look_at(self, row: Row) -> None:
        """Takes one row."""
        self._filled |= _find_numbers(row, self._filled)
        for column, beside in self._beside.items():
            text = row.cells.get(column, "")
            if text.lower() in NO_NUMBERS:
                self._without.add(column)
            elif is_number(text):
                beside |= _find_numbers(row, beside)

    def find_strangers(self) -> Strangers:
        """The strangers of the losses that are somewhere no number; a row with one of these is no row of that loss.

        A run that diverges has rows without a number too. They have what stood beside the loss before, or nothing, and
        no stranger; and a loss that never is a number has none.
        """
        return {
            column: frozenset(self._filled - beside - self._keys)
            for column, beside in self._beside.items()
            if column in self._without and beside
        }


def is_number(text: str) -> bool:
    """Whether a cell holds a number, with either decimal mark."""
    return read_number(text, comma=True) is not None


def _find_numbers(row: Row, known: set[str]) -> set[str]:
    """The columns with a number in a row, but for those that are known to have one."""
    return {name for name, text in row.cells.items() if name not in known and is_number(text)}
