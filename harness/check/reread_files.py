"""The titles of a local file, read by the checker's own code: nothing here is the training program's.

What that refuses is refused here too, so that no file gives one answer there and another here.
"""

import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_TITLE_CHARS = 2_000
MAX_FIELD_CHARS = 131_072
SEPARATORS = ",;\t"
_LINE_END = re.compile(r"\r\n|\n|\r")


def read_file(path: str, column: str) -> list[object]:
    """All rows of a file; any of many errors where it does not hold titles that can be read in one way only."""
    data = Path(path).read_bytes()
    name = Path(path).name.lower()
    if name.endswith((".csv.gz", ".tsv.gz")):
        data, name = gzip.decompress(data), name.removesuffix(".gz")
    match name.rpartition(".")[2]:
        case "parquet":
            return _read_parquet(data, column)
        case "jsonl" | "ndjson" | "json":
            return _read_objects(_decode(data), column)
        case "csv":
            titles = _read_table(_decode(data), column, ",")
        case "tsv":
            titles = _read_table(_decode(data), column, "\t")
        case _:
            titles = _read_lines(_decode(data), column)
    longest = max(map(len, titles), default=0)
    if longest > MAX_TITLE_CHARS:
        raise ValueError(f"a title of {longest} characters")
    return [*titles]


def _decode(data: bytes) -> str:
    text = data.decode("utf-8-sig")
    if not text:
        raise ValueError("nothing")
    if "\0" in text:
        raise ValueError("a zero byte")
    return text


def _read_parquet(data: bytes, column: str) -> list[object]:
    import pandas as pd

    table = pd.read_parquet(io.BytesIO(data), columns=[column], use_threads=False, pre_buffer=False)
    if column not in table.columns:
        table = table.index.to_frame()[[column]]
    values: list[object] = table[column].tolist()
    return values


def _read_objects(text: str, column: str) -> list[object]:
    rows = [json.loads(line, object_pairs_hook=_keep_pairs) for line in text.split("\n") if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line that is no object")
    if not any(column in row for row in rows):
        raise KeyError(column)
    return [row.get(column) for row in rows]


def _keep_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, value in pairs:
        if key in row:
            raise ValueError(f"two values of {key!r}")
        row[key] = value
    return row


def _read_lines(text: str, column: str) -> list[str]:
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    filled = [line for line in lines if line.strip()]
    if filled and all(isinstance(_parse(line), dict) for line in filled[:5]):
        raise ValueError("JSON lines in a text")
    if filled and filled[0].lstrip().startswith("[") and isinstance(_parse(text), list):
        raise ValueError("a JSON array in a text")
    for separator in f"{SEPARATORS}|":
        names = _scan_line(filled[0], separator) if filled else []
        if column.strip().casefold() in (name.strip().casefold() for name in names):
            raise ValueError("the names of columns in a text")
    return lines


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read_table(text: str, column: str, usual: str) -> list[str]:
    """The column after the header; a blank line is an empty title where there is one column, and else nothing."""
    if "\n" in text and "\r" in text.replace("\r\n", ""):
        raise ValueError("two kinds of line ends")
    text = text.lstrip("\r\n")
    first, rest = _split_first(text)
    asked = re.fullmatch(r'"?[sS][eE][pP]=(.)"?\s*', first)
    if asked:
        first, rest = _split_first(rest.lstrip("\r\n"))
    headers = {}
    for separator in asked[1] if asked else SEPARATORS:
        if separator not in SEPARATORS:
            raise ValueError(f"the separator {separator!r}")
        headers[separator] = _scan_line(first, separator)
    fitting = [separator for separator, names in headers.items() if names.count(column) == 1]
    if not fitting:
        raise ValueError(f"{column!r} is not one of the columns of {first!r}")
    separator = usual if usual in fitting else fitting[0]
    num_columns, place = len(headers[separator]), headers[separator].index(column)
    titles: list[str] = []
    for row in _scan(rest, separator):
        if num_columns > 1 and len(row) == 1 and not row[0].strip():
            continue
        if len(row) != num_columns:
            raise ValueError(f"{len(row)} fields under a header of {num_columns}")
        for index, field in enumerate(row):
            _check_field(field, index, place, num_columns, separator)
        titles.append(row[place])
    return titles


def _split_first(text: str) -> list[str]:
    """The first line and the rest."""
    return [*_LINE_END.split(text, maxsplit=1), ""][:2]


def _check_field(field: str, index: int, place: int, num_columns: int, separator: str) -> None:
    if field[:1].isspace() and field.lstrip().startswith('"'):
        raise ValueError("a space before a quote")
    lines = _LINE_END.split(field)
    if len(lines) == 1:
        return
    if index == place:
        raise ValueError("a title with a line break")
    inner = [line.count(separator) for line in lines]
    begins_a_row, ends_a_row = inner[0] + index == num_columns - 1, inner[-1] == index
    if begins_a_row and ends_a_row and all(count in (0, num_columns - 1) for count in inner[1:-1]):
        raise ValueError("rows that may be joined")


def _scan_line(line: str, separator: str) -> list[str]:
    try:
        rows = list(_scan(line, separator))
    except ValueError:
        return []
    return rows[0] if len(rows) == 1 else []


def _scan(text: str, separator: str) -> Iterator[list[str]]:
    """Rows of a table by hand: a field is quoted as a whole, with quotes inside doubled, or taken as it stands."""
    token = re.compile(rf'(?:"((?:[^"]++|"")*+)"|((?!")[^{separator}\r\n]*))({re.escape(separator)}|\r\n|\n|\r|\Z)')
    row: list[str] = []
    at = 0
    while at < len(text) or row:
        found = token.match(text, at)
        if not found:
            raise ValueError("quotes that do not match")
        quoted, plain, end = found.groups()
        field = plain if quoted is None else quoted.replace('""', '"')
        if len(field) > MAX_FIELD_CHARS:
            raise ValueError(f"a field of {len(field)} characters")
        row.append(field)
        at = found.end()
        if end != separator:
            yield row
            row = []
