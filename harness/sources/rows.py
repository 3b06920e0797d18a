"""The rows of a table as it is written: CSV with any usual separator, JSON lines, a JSON array."""

import csv
import json
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.sources.columns import STEPS, advise_step, list_names
from harness.sources.event_lines import find_object, load_object
from harness.sources.json_array import is_array, is_one_object, iterate_array, load_one_object
from harness.sources.text import Text, read_beginning
from mainrun.record.errors import RequestError

SEPARATORS = (",", ";", "\t")
HISTORY = "log_history"
"""The field of one JSON object, a `trainer_state.json`, that is read: its list of steps."""
DOWNLOAD = ("wall time", "step", "value")
"""The header of a table that TensorBoard lets its user download, and what each element of its JSON holds."""
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)
MAX_CELL_CHARS = 10_000_000
csv.field_size_limit(MAX_CELL_CHARS)


@dataclass(frozen=True)
class Row:
    """One row, or where a new header stands."""

    line: int
    cells: dict[str, str]
    """By column; what is absent or blank is not there."""
    is_header: bool = False


@dataclass(frozen=True)
class Dialect:
    """How a table is written."""

    form: str
    """`csv`, `lines`, `array` or `object`."""
    separator: str = ","
    header_line: int = 1


def find_dialect(beginning: Sequence[str]) -> Dialect | None:
    """The dialect of a table that begins so; None where it is none."""
    if is_array(beginning):
        return Dialect("array")
    if is_one_object(beginning):
        return Dialect("object")
    header = _find_header(beginning)
    if header is not None:
        return header
    return Dialect("lines") if any(_is_row(_load_row(line) or {}) for line in beginning) else None


class Rows:
    """The rows of one table; can be gone through again."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._text = Text(path, name)
        self.dialect = find_dialect(read_beginning(path)) or Dialect("csv")
        self._kept: Container[str] | None = None
        self.num_ignored = 0
        """Lines of other text among JSON lines, of the newest reading."""
        self.open_end = ""
        """The last line where it has no end, and may be cut short; of the newest reading of a table in CSV."""
        self.cut_end: str | None = None
        """A note on a last line that was cut short and left out."""
        self._last_column = ""
        self._object_notes: list[str] = []

    def keep_only(self, columns: Container[str] | None) -> None:
        """From the next reading on, rows of a wide table have the cells of these columns alone; None: of all."""
        self._kept = columns

    @property
    def notes(self) -> list[str]:
        return [*self._text.notes, *([self.cut_end] if self.cut_end else []), *self._object_notes]

    def ends_with(self, column: str) -> bool:
        """Whether the lines of a table in CSV end with that column."""
        return column == self._last_column

    def __iter__(self) -> Iterator[Row]:
        """`RequestError` with file and line for what is no row."""
        self._text, self.num_ignored = Text(self._path, self._name), 0
        match self.dialect.form:
            case "csv":
                yield from self._read_csv()
            case "lines":
                yield from self._read_lines()
            case "array":
                for line, value in iterate_array(self._path, self._name):
                    yield Row(line, _flatten(self._check_element(line, value)))
            case _:
                self._check_object()
                for line, value in iterate_array(self._path, self._name, HISTORY):
                    yield Row(line, _flatten(self._check_element(line, value)))

    def _read_csv(self) -> Iterator[Row]:
        reader = csv.reader(self._watch_end(_part_lines(self._text)), delimiter=self.dialect.separator, strict=True)
        header: list[str] = []
        kept: list[tuple[int, str]] = []
        wanted = self._kept
        try:
            before = 0
            for cells in reader:
                line, before = before + 1, reader.line_num
                if line < self.dialect.header_line or not any(cell.strip() for cell in cells):
                    continue
                if before > line:
                    raise RequestError(f"{self._name}, line {line}: a quoted cell goes on to line {before}.")
                stripped = [cell.strip() for cell in cells]
                if not header:
                    header = self._check_header(line, stripped)
                    self._last_column = header[-1]
                    kept = [(n, key) for n, key in enumerate(header) if key and (wanted is None or key in wanted)]
                elif stripped == header:
                    yield Row(line, {}, is_header=True)
                elif len(stripped) < len(header) and self.open_end:
                    cells_in_it = f"{len(stripped)} of {len(header)} cells"
                    self.cut_end = f"the last line, {line:,}, has no end and {cells_in_it}, cut short: left out"
                    self.open_end = ""
                elif len(stripped) != len(header):
                    raise RequestError(
                        f"{self._name}, line {line}: {len(stripped)} cells where the header has {len(header)}."
                    )
                else:
                    yield Row(line, {key: stripped[n] for n, key in kept if stripped[n]})
        except csv.Error as error:
            raise RequestError(f"{self._name}, line {before + 1}: it is no row of a table: {error}.") from None
        if not header:
            raise RequestError(f"{self._name}, line 1: no column named step. It has: nothing.")

    def _watch_end(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self.open_end = "" if line.endswith(("\r", "\n")) else line
            yield line

    def _check_header(self, line: int, header: list[str]) -> list[str]:
        if not any(cell.lower() in STEPS for cell in header):
            raise RequestError(
                f"{self._name}, line {line}: no column named step. It has: {list_names(header)}.{advise_step(header)}"
            )
        twice = next((cell for cell in header if cell and header.count(cell) > 1), None)
        if twice is not None:
            raise RequestError(f"{self._name}, line {line}: the column {twice!r} stands twice.")
        return header

    def _read_lines(self) -> Iterator[Row]:
        for line, text in enumerate(self._text, 1):
            row = _load_row(text)
            if row is not None:
                yield Row(line, _flatten(row))
            elif "{" not in text:
                self.num_ignored += bool(text.strip())
            elif text.endswith("\n"):
                raise RequestError(f"{self._name}, line {line}: it is no JSON object.")
            else:
                self.num_ignored += 1  # a line that is being written

    def _check_element(self, line: int, value: Any) -> dict[str, Any]:
        if isinstance(value, list) and len(value) == len(DOWNLOAD):
            return dict(zip(DOWNLOAD, value, strict=True))
        if not isinstance(value, dict):
            raise RequestError(f"{self._name}, line {line}: expected an object with a step, found {str(value)[:60]!r}.")
        return value

    def _check_object(self) -> None:
        """`RequestError` for one JSON object, unless its only list of objects is a history of Hugging Face."""
        value = load_one_object(self._path, self._name)
        values = value if isinstance(value, dict) else {}
        lists = [name for name, found in values.items() if isinstance(found, list) and found and _is_objects(found)]
        if lists == [HISTORY]:
            self._object_notes = [f"only its field {HISTORY!r} is read"]
            return
        fields = list_names(list(values))
        raise RequestError(
            f"{self._name} is one JSON object with the fields {fields}. Expected an array with one object a step, or "
            "one object a line: write the list that holds the steps alone."
        )


def _find_header(beginning: Sequence[str]) -> Dialect | None:
    """The first line of a table in CSV, after one that names the separator."""
    lines = [(number, line) for number, line in enumerate(beginning, 1) if line.strip()]
    named = _SEPARATOR_LINE.fullmatch(lines[0][1].strip()) if lines else None
    lines = lines[1:] if named else lines
    if not lines:
        return None
    number, line = lines[0]
    first = re.split(r"[\r\n]", line)[0]
    for separator in (named[1],) if named else SEPARATORS:
        try:
            cells = [cell.strip().lower() for cell in next(csv.reader([first], delimiter=separator))]
        except (csv.Error, StopIteration):
            continue
        if len(cells) > 1 and not {*cells}.isdisjoint(STEPS):
            return Dialect("csv", separator, number)
    return Dialect("csv", named[1], number) if named else None


def _part_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines, also where carriage returns alone end them."""
    for line in lines:
        if "\r" in line.rstrip("\r\n"):
            yield from re.split(r"(?<=\r)(?!\n)", line)
        else:
            yield line


def _load_row(line: str) -> dict[str, Any] | None:
    """The JSON object that a line is or ends with; None where there is none."""
    found = find_object(line)
    with suppress(ValueError, RecursionError):
        return load_object(found[1]) if found else None
    return None


def _is_row(values: dict[str, Any]) -> bool:
    """Whether an object has a step and is no event of a log."""
    return not isinstance(values.get("event"), str) and not {key.lower() for key in values}.isdisjoint(STEPS)


def _is_objects(values: Sequence[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _flatten(row: dict[str, Any], before: str = "", depth: int = 0) -> dict[str, str]:
    """The cells of an object, those of an object in it under `name/field`; null is a cell and not absent."""
    cells: dict[str, str] = {}
    for key, value in row.items():
        if isinstance(value, dict) and depth < 5:
            cells |= _flatten(value, f"{before}{key}/", depth + 1)
        elif isinstance(value, str):
            cells |= {f"{before}{key}": value} if value.strip() else {}
        else:
            cells[f"{before}{key}"] = json.dumps(value)
    return cells
