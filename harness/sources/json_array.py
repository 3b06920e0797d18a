"""A file that is one JSON array: its elements, each with the line it begins in."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.sources.event_lines import load_object, refuse_repeats
from harness.sources.text import Text
from mainrun.record.errors import RequestError

MAX_CHARS = 256 * 1024**2
"""An array is read as a whole."""
_BLANK = re.compile(r"[\s,]*")


def is_array(lines: Sequence[str]) -> bool:
    """Whether a file that begins so is one JSON array, and no JSON lines of which the first is one."""
    text = "".join(lines).lstrip()
    if re.match(r"\[\s*[{\[]", text) is None:
        return False
    first = next(line for line in lines if line.strip())
    return not (_is_json(first) and any(line.strip() for line in lines[lines.index(first) + 1 :]))


def is_one_object(lines: Sequence[str]) -> bool:
    """Whether a file that begins so is one JSON object over several lines, or one that holds a list of objects."""
    filled = [line.strip() for line in lines if line.strip()]
    if len(filled) == 1:
        return re.match(r'\{\s*"(?!event"|step").*\[\s*\{', filled[0]) is not None
    return bool(filled) and not filled[0].endswith("}") and re.match(r'\{\s*"', "\n".join(filled)) is not None


def iterate_array(path: Path, name: str, field: str | None = None) -> Iterator[tuple[int, Any]]:
    """Line and value of each element, of the array in a `field` where one is named.

    `RequestError` with file and line where the array is damaged.
    """
    text = _load(path, name)
    decoder = json.JSONDecoder(object_pairs_hook=refuse_repeats)
    begin = re.search(r"\[" if field is None else rf'"{field}"\s*:\s*\[', text)
    assert begin is not None, "only what begins as an array is gone through"
    place = begin.end()
    line, counted = 1, 0
    while True:
        match = _BLANK.match(text, place)
        place = match.end() if match else place
        line, counted = line + text.count("\n", counted, place), place
        if text[place : place + 1] == "]":
            return
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            raise RequestError(
                f"{name}, line {line:,}: the JSON array is cut short or damaged in the element that begins here."
            ) from None
        yield line, value


def load_one_object(path: Path, name: str) -> Any:
    """The value of a file that is one JSON object; `RequestError` where it is none."""
    try:
        return load_object(_load(path, name))
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{name} begins as one JSON object and is none: {error}.") from None


def _load(path: Path, name: str) -> str:
    parts, num_chars = [], 0
    for part in Text(path, name):
        parts.append(part)
        num_chars += len(part)
        if num_chars > MAX_CHARS:
            raise RequestError(f"{name} is one JSON value of more than {MAX_CHARS:,} characters. Write JSON lines.")
    return "".join(parts)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
