"""Reading journals: whole, and strictly."""

from pathlib import Path
from typing import Any

from mainrun.record.errors import StoredResultsError
from mainrun.record.files import parse_json, read_whole

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
        content = read_whole(path)
    except FileNotFoundError:
        raise StoredResultsError(f"{path} is missing.") from None
    except (OSError, ValueError) as error:
        raise StoredResultsError(f"{path} cannot be read: {getattr(error, 'strerror', error)}.") from None
    lines = content.split(b"\n")
    unfinished = lines.pop()
    if unfinished and finished:
        raise StoredResultsError(f"{path}, line {len(lines) + 1}: the line is cut short.")
    return [parse_event(path, number, line, timed=timed) for number, line in enumerate(lines, 1)]


def parse_event(path: Path, number: int, line: bytes, *, timed: bool = True) -> Event:
    """One line of a journal, which `path` and `number` name in the `StoredResultsError` for what is no event."""
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
