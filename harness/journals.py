"""Reading journals: whole ones strictly, growing ones as far as they are written."""

import json
import math
import os
from pathlib import Path
from typing import Any

from mainrun.errors import StoredResultsError

Event = dict[str, Any]


def load_journal(path: Path, *, finished: bool) -> list[Event]:
    """All events of a journal, in order.

    Raises `StoredResultsError` with file and line for anything that is not one JSON object a line with an `event`
    and a `timestamp`. Only where the run is not `finished` may the last line be cut short; it is left out.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise StoredResultsError(f"{path} is missing.") from None
    lines = content.split(b"\n")
    unfinished = lines.pop()
    if unfinished and finished:
        raise StoredResultsError(f"{path}, line {len(lines) + 1}: the line is cut short.")
    return [_parse_line(path, number, line) for number, line in enumerate(lines, 1)]


class JournalFollower:
    """Reads a journal while it grows; a journal that does not exist yet is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._line_number = 0

    def read_new(self) -> list[Event]:
        """The events whose lines were finished since the last call; all of them again once the journal was cut back."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._position:
                    self._position = self._line_number = 0  # a resumed run has cut its journal back
                file.seek(self._position)
                content = file.read()
        except FileNotFoundError:
            return []
        whole, newline, _ = content.rpartition(b"\n")
        if not newline:
            return []
        self._position += len(whole) + 1
        events = []
        for line in whole.split(b"\n"):
            self._line_number += 1
            events.append(_parse_line(self._path, self._line_number, line))
        return events


def _parse_line(path: Path, number: int, line: bytes) -> Event:
    where = f"{path}, line {number}"
    try:
        event = json.loads(line, parse_constant=_refuse_constant, parse_float=_parse_finite)
    except (ValueError, RecursionError) as error:
        raise StoredResultsError(f"{where}: not a JSON object: {error}.") from None
    if not isinstance(event, dict):
        raise StoredResultsError(f"{where}: not a JSON object but {type(event).__name__}.")
    if not isinstance(event.get("event"), str) or not isinstance(event.get("timestamp"), int | float):
        raise StoredResultsError(f"{where}: 'event' or 'timestamp' is missing or of the wrong type.")
    return event


def _parse_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large for a number")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
