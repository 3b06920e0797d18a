"""Reading journals: whole ones strictly, growing ones as far as they are written."""

from pathlib import Path
from typing import Any, BinaryIO

from mainrun.record.errors import StoredResultsError
from mainrun.record.files import parse_json

Event = dict[str, Any]
HEADERS = ("hyperparameters_configured", "device_info", "dataset_info", "model_info")
"""Events that stand before the first step."""
NOTE = "import_note"
"""Event that carries one note of an importer."""
MAX_COUNT = 2**53
"""A larger number is not kept exactly by everything that reads it."""


def load_journal(path: Path, *, finished: bool, timed: bool = True) -> list[Event]:
    """All events of a journal, in order; where it is not `timed`, made from a log, a `timestamp` may be null.

    Raises `StoredResultsError` with file and line for anything that is not one JSON object a line with an `event`
    and a `timestamp`. Only where the run is not `finished` may the last line be cut short; it is left out.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise StoredResultsError(f"{path} is missing.") from None
    except OSError as error:
        raise StoredResultsError(f"{path} cannot be read: {error.strerror}.") from None
    lines = content.split(b"\n")
    unfinished = lines.pop()
    if unfinished and finished:
        raise StoredResultsError(f"{path}, line {len(lines) + 1}: the line is cut short.")
    return [_parse_line(path, number, line, timed=timed) for number, line in enumerate(lines, 1)]


class JournalFollower:
    """Reads a journal while it grows; a journal that does not exist yet is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = self._num_lines = 0
        self._last_line: bytes | None = None

    def read_new(self) -> list[Event]:
        """The events whose lines were finished since the last call; all of them again once the journal was cut back."""
        try:
            with self._path.open("rb") as file:
                if not self._is_where_it_was(file):
                    # A resumed run has cut its journal back, and may have gone on since.
                    self._position, self._num_lines, self._last_line = 0, 0, None
                file.seek(self._position)
                content = file.read()
        except FileNotFoundError:
            return []
        whole, newline, _ = content.rpartition(b"\n")
        if not newline:
            return []
        lines = whole.split(b"\n")
        self._position += len(whole) + 1
        self._last_line = lines[-1]
        first = self._num_lines + 1
        self._num_lines += len(lines)
        return [_parse_line(self._path, number, line) for number, line in enumerate(lines, first)]

    def _is_where_it_was(self, file: BinaryIO) -> bool:
        """Whether what was read last still stands before the position."""
        if self._last_line is None:
            return True
        file.seek(self._position - len(self._last_line) - 1)
        return file.read(len(self._last_line) + 1) == self._last_line + b"\n"


def _parse_line(path: Path, number: int, line: bytes, *, timed: bool = True) -> Event:
    where = f"{path}, line {number}"
    try:
        event = parse_json(line)
    except (ValueError, RecursionError) as error:
        raise StoredResultsError(f"{where}: not a JSON object: {error}.") from None
    if not isinstance(event, dict):
        raise StoredResultsError(f"{where}: not a JSON object but {type(event).__name__}.")
    untimed = not timed and "timestamp" in event and event["timestamp"] is None
    if not isinstance(event.get("event"), str) or not (untimed or isinstance(event.get("timestamp"), int | float)):
        raise StoredResultsError(f"{where}: 'event' or 'timestamp' is missing or of the wrong type.")
    return event
