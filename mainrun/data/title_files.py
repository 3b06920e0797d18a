"""Titles out of a local parquet, CSV, JSON-lines or text file, exactly as the file holds them.

Everything that is wrong with a file is the user's to mend: a `RequestError` that names the file as it was given.
"""

import gzip
import io
import re
import warnings
import zlib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mainrun.record.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

_JSON_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair: one character
    r"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|.)"  # any other escape, so that the second backslash of two opens none
)


@dataclass(frozen=True)
class TitleFile:
    """All the rows of one file; `values` may hold what is not text."""

    values: list[object]
    where: str  # for messages: the file, and the column where it has columns
    num_bytes: int  # size on disk


def load_title_file(path: str, title_column: str) -> TitleFile:
    """Reads every title; a text file has one a line and no use for `title_column`.

    The suffix names the format: .parquet, .csv, .csv.gz, .jsonl, .ndjson, .json (which must hold lines); any other
    file is text.
    """
    data = _read_bytes(path)
    name = path.lower()
    if name.endswith((".parquet", ".csv", ".csv.gz", ".jsonl", ".ndjson", ".json")):
        values = _read_column(data, path, title_column)
        return TitleFile(values, f"column {title_column!r} of {path!r}", len(data))
    return TitleFile(_split_lines(_decode(data, path)), repr(path), len(data))


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
    return text


def _split_lines(text: str) -> list[object]:
    # str.splitlines would also cut at U+2028, U+0085, form feeds and lone carriage returns, which titles may hold.
    lines: list[object] = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    return lines


def _read_column(data: bytes, path: str, title_column: str) -> list[object]:
    name = path.lower()
    if name.endswith(".parquet"):
        kind, read = "parquet", partial(_read_parquet, data, title_column)
    elif name.endswith((".csv", ".csv.gz")):
        text = _decode(_decompress(data, path) if name.endswith(".gz") else data, path)
        kind, read = "CSV", partial(_read_csv, text)
    else:
        kind, read = "JSON lines (one object a line)", partial(_read_json_lines, _decode(data, path))
    try:
        frame = read()
        columns = list(frame.columns)
        values: list[object] = frame[title_column].tolist() if title_column in columns else []
    except Exception as error:  # pandas and pyarrow raise a dozen unrelated types on damaged files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise RequestError(f"{path!r} cannot be read as {kind}: {reason}.") from error
    if not all(isinstance(column, str) for column in columns):
        raise RequestError(f"{path!r} cannot be read as {kind}: a line holds something else.")
    if title_column not in columns:
        raise _build_column_error(columns, path, title_column)
    return values


def _decompress(data: bytes, path: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise RequestError(f"{path!r} cannot be read as a gzip file: {error}.") from error


def _read_parquet(data: bytes, title_column: str) -> "pd.DataFrame":
    import pandas as pd

    read = partial(pd.read_parquet, use_threads=False, pre_buffer=False)  # for the reason in `mainrun.record.parquet`
    try:
        return read(io.BytesIO(data), columns=[title_column])
    except ValueError:
        return read(io.BytesIO(data))  # tells which columns there are, or why there are none


def _read_csv(text: str) -> "pd.DataFrame":
    import pandas as pd

    text = text.lstrip("\r\n")
    num_columns = len(pd.read_csv(io.StringIO(text), nrows=0, index_col=False).columns)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                io.StringIO(text),
                dtype=str,
                keep_default_na=False,
                index_col=False,  # else one field too many in the first row shifts all columns without a word
                skip_blank_lines=num_columns > 1,  # where there is one column, a blank line is an empty cell
            )
        except pd.errors.ParserWarning as warning:
            raise ValueError("the first row has more fields than the header; quote fields with commas") from warning


def _read_json_lines(text: str) -> "pd.DataFrame":
    import pandas as pd

    # pandas drops a lone high surrogate without a word and fails on a lone low one.
    text = _JSON_ESCAPE.sub(lambda escape: r"\ufffd" if escape["lone"] else escape[0], text)
    return pd.read_json(io.StringIO(text), lines=True, dtype=False)


def _build_column_error(columns: list[str], path: str, title_column: str) -> RequestError:
    if not columns:
        return RequestError(f"{path!r} is empty; a file with titles was expected.")
    nearest = get_close_matches(title_column, columns, n=1, cutoff=0.0)[0]
    return RequestError(
        f"{path!r} has no column {title_column!r}; it has {', '.join(map(repr, columns))}."
        f" Name one with --title-column; the nearest is {nearest!r}."
    )
