"""The last line of a table in CSV, where it has no end and may be cut short."""

from harness.formats import quote
from harness.sources.columns import Columns
from harness.sources.layout import Layout
from harness.sources.rows import Rows
from mainrun.record.errors import RequestError


def describe_end(rows: Rows, name: str, layout: Layout, columns: Columns) -> list[str]:
    """A note on a table that ends with a loss and without an end of the line, which may be cut short.

    `RequestError` where the loss has fewer decimals than all others of its column.
    """
    decimals: dict[str, list[int]] = {column: [] for column in columns.losses}
    last: dict[str, str] = {}
    line = 0
    for row in rows:
        for column, text in last.items():
            counted = [*decimals[column], _count_decimals(text)]
            decimals[column] = [min(counted), max(counted)]
        cells, line = layout.get_cells(row), row.line
        last = {column: cells[column] for column in columns.losses if column in cells}
    for column, text in last.items():
        found, others = _count_decimals(text), decimals[column]
        if not others or found >= others[-1] or not rows.open_end.rstrip().endswith(text):
            continue
        if found < others[0]:
            raise RequestError(
                f"{name}, line {line:,}: the last line has no end, and {text}, its {quote(column)}, has fewer decimals "
                "than all before: it may be cut short. Take it away, or end the line."
            )
        return [f"the last line, {line:,}, has no end: whether {text}, its {quote(column)}, is whole is not shown"]
    return []


def _count_decimals(text: str) -> int:
    return len(text.replace(",", ".").partition(".")[2])
