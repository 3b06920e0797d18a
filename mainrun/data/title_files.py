"""Titles out of a local parquet, CSV, JSON-lines or text file, exactly as the file holds them.

Everything that is wrong with a file is the user's to mend: a `RequestError` that names the file as it was given.
"""

import gzip
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mainrun.data.title_rows import SEPARATORS, build_column_error, read_csv, read_json_lines, split_line
from mainrun.record.errors import RequestError, summarize_error

MAX_TITLE_CHARS = 2_000
"""A longer one in a text or a CSV is a file read in the wrong way; other formats say where a title ends."""


@dataclass(frozen=True)
class TitleFile:
    """All the rows of one file."""

    values: list[object]
    """One a row; some may be no text."""
    where: str
    """For messages: the file, and the column where it has columns."""
    num_bytes: int
    """Size on disk."""


def load_title_file(path: str, title_column: str) -> TitleFile:
    """Reads every title; a text file has one a line and no use for `title_column`.

    The suffix names the format: .parquet, .csv and .tsv (also with .gz), .jsonl, .ndjson, .json (which must hold
    lines); any other file is text.
    """
    data = _read_bytes(path)
    name = path.lower()
    where = f"column {title_column!r} of {path!r}"
    if name.endswith(".parquet"):
        return TitleFile(_read_parquet(data, path, title_column), where, len(data))
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return TitleFile(read_json_lines(_decode(data, path), path, title_column), where, len(data))
    if name.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
        text = _decode(_decompress(data, path) if name.endswith(".gz") else data, path)
        values, lines = read_csv(text, path, title_column)
    else:
        text = _decode(data, path)
        titles = _split_lines(text)
        _refuse_other_formats(titles, text, path, title_column)
        where, values, lines = repr(path), [*titles], range(1, len(titles) + 1)
    for value, line in zip(values, lines, strict=True):
        if len(value) > MAX_TITLE_CHARS:
            raise RequestError(
                f"{path!r} holds a title of {len(value):,} characters at line {line}, where at most "
                f"{MAX_TITLE_CHARS:,} are expected. Look for a wrong line end, quote or column there; JSON lines and "
                "parquet may hold longer ones."
            )
    return TitleFile([*values], where, len(data))


def _read_bytes(path: str) -> bytes:
    try:
        if Path(path).is_dir():
            raise RequestError(f"{path!r} is a directory; --data takes one file, or the word hub or synthetic.")
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise RequestError(
            f"There is no file {path!r}; --data takes a local file, or the word hub or synthetic."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        raise RequestError(f"{path!r} cannot be opened: {getattr(error, 'strerror', None) or error}.") from error
    if not data:
        raise RequestError(f"{path!r} is empty; a file with titles was expected.")
    return data


def _decode(data: bytes, path: str) -> str:
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{path!r} is not UTF-8 text: invalid byte 0x{data[error.start]:02x} at byte offset {error.start}."
            " Convert it to UTF-8, or give it the suffix of its format: .parquet, .csv, .csv.gz or .jsonl."
        ) from error
    if not text:
        raise RequestError(f"{path!r} is empty; a file with titles was expected.")
    if "\0" in text:
        raise RequestError(
            f"{path!r} holds zero bytes and so is no UTF-8 text, but UTF-16 or a packed or binary file. Convert it to "
            "UTF-8, or unpack it."
        )
    return text


def _split_lines(text: str) -> list[str]:
    # str.splitlines would also cut at U+2028, U+0085, form feeds and lone carriage returns, which titles may hold.
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _decompress(data: bytes, path: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise RequestError(f"{path!r} cannot be read as a gzip file: {error}.") from error


def _read_parquet(data: bytes, path: str, title_column: str) -> list[object]:
    import pandas as pd

    read = partial(pd.read_parquet, use_threads=False, pre_buffer=False)  # for the reason in `mainrun.record.parquet`
    try:
        try:
            frame = read(io.BytesIO(data), columns=[title_column])
        except ValueError:
            frame = read(io.BytesIO(data))  # tells which columns there are, or why there are none
        columns, levels = list(frame.columns), list(frame.index.names)
        if title_column in columns:
            values: list[object] = frame[title_column].tolist()
            return values
        if title_column in levels:  # the table was saved with its titles as names of its rows
            values = frame.index.get_level_values(title_column).tolist()
            return values
    except Exception as error:  # pandas and pyarrow raise a dozen unrelated types on damaged files
        raise RequestError(f"{path!r} cannot be read as parquet: {summarize_error(error)}.") from error
    raise build_column_error([str(name) for name in (*levels, *columns) if name is not None], path, title_column)


def _refuse_other_formats(lines: Sequence[str], text: str, path: str, title_column: str) -> None:
    """Raises `RequestError` for JSON lines, a JSON array or a table that has the name of a text."""
    first, *more = [line for line in lines if line.strip()][:5] or [""]
    if all(_is_object(line) for line in (first, *more)):
        raise RequestError(f"{path!r} holds JSON lines, not a title a line. Give its name the ending .jsonl.")
    if first.lstrip().startswith("[") and _is_json_array(text):
        raise RequestError(f"{path!r} holds a JSON array. Write an object a line, and give its name the ending .jsonl.")
    for separator in (*SEPARATORS, "|"):
        if title_column.strip().casefold() in [name.strip().casefold() for name in split_line(first, separator)]:
            raise RequestError(
                f"{path!r} begins with {first[:80]!r}, which names columns, but a text holds titles alone. Take that "
                "line away, or give the name of a table with commas, semicolons or tabs the ending .csv."
            )


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_json_array(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False
