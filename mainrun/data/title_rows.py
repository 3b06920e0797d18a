"""One column out of the text of a CSV or JSON-lines file, read strictly: what can be read in two ways is refused.

A stray quote in a CSV joins rows without a word, so that a quote may do less here than elsewhere.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from mainrun.record.errors import RequestError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_LONE_RETURN = re.compile(r"\r(?!\n)")
_QUOTE_AFTER_SPACE = re.compile(r"\s+\"")
_SAME_THING = ("title", "headline", "heading", "header", "subject", "caption", "text", "name")
_MIN_LIKENESS = 0.75  # "titel" and "tittle" are like enough to "title", "time" is not


class Rows(NamedTuple):
    """The cells of one column, and the line of the file at which the row of each begins."""

    values: list[str]
    lines: Sequence[int]


def read_csv(text: str, path: str, title_column: str) -> Rows:
    """The column of a table whose separator is the comma, semicolon or tab that parts it from others in the header.

    Where the header is that column alone, the separator is a tab in a .tsv and a comma elsewhere. Raises `RequestError`
    for two kinds of line ends, a quote that does not open and close a field, a row with more or fewer fields than the
    header, a title with a line break, and another cell with line breaks whose lines could be rows.
    """
    stray = _LONE_RETURN.search(text)
    if stray and "\n" in text:
        line = 1 + text.count("\n", 0, stray.start())
        raise _build_row_error(
            path, line, "holds a carriage return, and lines end in line feeds. Write one kind of line end"
        )
    lines = enumerate(io.StringIO(text, newline=""), 1)
    header_line, separator, header = _read_header(lines, path, title_column)
    place = header.index(title_column)
    values: list[str] = []
    starts: list[int] = []
    for line, row in _parse((content for _, content in lines), header_line + 1, path, separator):
        if len(header) > 1 and len(row) < 2 and not "".join(row).strip():
            continue  # where there is one column, a blank line is an empty cell
        fields = row or [""]
        wrong = _find_fault(fields, place, len(header), separator)
        if wrong:
            raise _build_row_error(path, line, wrong)
        values.append(fields[place])
        starts.append(line)
    return Rows(values, starts)


def read_json_lines(text: str, path: str, title_column: str) -> list[object]:
    """The column of lines that are one object each, None where one lacks it; `RequestError` for any other line."""
    columns: dict[str, None] = {}
    values: list[object] = []
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        where = f"{path!r} cannot be read as JSON lines (one object a line): line {line}"
        try:
            row = json.loads(content, object_pairs_hook=_build_object)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"{where} is no JSON ({getattr(error, 'msg', error)}).") from error
        if not isinstance(row, dict):
            raise RequestError(f"{where} holds something else.")
        columns |= dict.fromkeys(row)
        values.append(row.get(title_column))
    if title_column not in columns:
        raise build_column_error(list(columns), path, title_column)
    return values


def build_column_error(columns: list[str], path: str, title_column: str) -> RequestError:
    """The error for a column that is not there, with the one that may be meant, where one is like it."""
    if not columns:
        return RequestError(f"{path!r} is empty; a file with titles was expected.")
    nearest = _find_nearest(title_column, columns)
    return RequestError(
        f"{path!r} has no column {title_column!r}; it has {', '.join(map(repr, columns))}. Name one with "
        f"--title-column{f'; the nearest is {nearest!r}' if nearest else ''}."
    )


def split_line(line: str, separator: str) -> list[str]:
    """The fields of a line by itself; none where it is blank or its quotes do not match."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def _read_header(lines: Iterator[tuple[int, str]], path: str, title_column: str) -> tuple[int, str, list[str]]:
    """Line, separator and names of the header; the `lines` after it are left."""
    filled = ((line, content.rstrip("\r\n")) for line, content in lines if content.strip("\r\n"))
    line, content = next(filled, (0, ""))
    asked = _SEP_LINE.fullmatch(content)
    if asked:
        if asked[1] not in SEPARATORS:
            raise RequestError(
                f"{path!r} has the separator {asked[1]!r}, as its first line says. Write it with commas, semicolons "
                "or tabs."
            )
        line, content = next(filled, (0, ""))
    separators = [asked[1]] if asked else list(reversed(SEPARATORS) if _is_tsv(path) else SEPARATORS)
    # Only where the title's column is the whole header do several separators give it, and then none is needed.
    headers = {separator: split_line(content, separator) for separator in separators}
    separator = next((separator for separator in headers if title_column in headers[separator]), None)
    if separator is None:
        widest = max(headers.values(), key=len)
        if content and not widest:
            raise _build_row_error(path, line, "should name the columns, but its quotes do not match")
        raise build_column_error(widest, path, title_column)
    if headers[separator].count(title_column) > 1:
        raise RequestError(f"{path!r} has several columns {title_column!r}. Give the right one a name of its own.")
    return line, separator, headers[separator]


def _find_fault(fields: list[str], place: int, num_columns: int, separator: str) -> str | None:
    """What is wrong with a row, and what to do about it."""
    if len(fields) != num_columns:
        return (
            f"has {len(fields)} fields, but the header has {num_columns}. Put quotes around a field that holds a "
            f"{SEPARATORS[separator]}"
        )
    if any(_QUOTE_AFTER_SPACE.match(field) for field in fields):
        return "has a space before a quote, and a quote opens a field only where that begins. Take the space away"
    broken = [column for column, field in enumerate(fields) if "\n" in field or "\r" in field]
    if place in broken or any(_could_be_rows(fields[column], column, num_columns, separator) for column in broken):
        return (
            "begins a quoted field that goes on over a line break, so that rows may be joined. Close the quote on its "
            "line; double one that belongs to the text"
        )
    return None


def _build_row_error(path: str, line: int, wrong: str) -> RequestError:
    kind = "TSV" if _is_tsv(path) else "CSV"
    return RequestError(f"{path!r} cannot be read as {kind}: line {line} {wrong}.")


def _is_tsv(path: str) -> bool:
    return path.lower().removesuffix(".gz").endswith(".tsv")


def _parse(contents: Iterator[str], first_line: int, path: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every row with the line at which it begins."""
    reader = csv.reader(contents, delimiter=separator, strict=True)
    while True:
        line = first_line + reader.line_num
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _build_row_error(
                path,
                line,
                f"begins a row whose quotes do not match ({error}). Put quotes around the whole field and double those "
                "that belong to the text",
            ) from error


def _could_be_rows(field: str, column: int, num_columns: int, separator: str) -> bool:
    """Whether a field with line breaks has as many separators on every line as rows joined by a stray quote would."""
    first, *middle, last = (line.count(separator) for line in re.split(r"\r\n|\n|\r", field))
    return first == num_columns - 1 - column and last == column and set(middle) <= {0, num_columns - 1}


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return dict(pairs)


def _find_nearest(title_column: str, columns: list[str]) -> str | None:
    """The same name in other letters, else one that holds it, else a word for the same thing, else one spelt alike."""
    asked = title_column.strip().casefold()
    names = {column.strip().casefold(): column for column in reversed(columns)}
    holding = [name for name in names if asked and asked in re.split(r"[^a-z0-9]+", name)]
    words = [word for word in _SAME_THING if asked in _SAME_THING and word in names]
    alike = get_close_matches(asked, names, n=1, cutoff=_MIN_LIKENESS)
    found = [asked] if asked in names else [*holding, *words, *alike]
    return names[found[0]] if found else None
