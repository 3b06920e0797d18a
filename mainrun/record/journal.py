"""The journal of a run: append-only JSON lines, the only wire between training and whatever reads it.

What its lines say is in `mainrun.record.events`.
"""

import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.file_lock import lock
from mainrun.record.files import unwritable


class Journal:
    """An open journal. Each event is one write, so that a killed run leaves at most one unfinished line."""

    def __init__(self, path: Path, keep_bytes: int = 0) -> None:
        """Opens `path` for this process alone and cuts it back to its first `keep_bytes`.

        Raises `RequestError` where another process writes it, `StoredResultsError` where it is shorter than that,
        `MachineError` where it cannot be written.
        """
        self._path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            self._take_over(keep_bytes)
        except BaseException:
            os.close(self._file)
            raise

    def _take_over(self, keep_bytes: int) -> None:
        """Locks the file and cuts it back."""
        try:
            lock(self._file, self._path)
            num_bytes = os.fstat(self._file).st_size
            if num_bytes >= keep_bytes:
                os.ftruncate(self._file, keep_bytes)
        except BlockingIOError:
            raise RequestError(f"Another process is training in {self._path.parent}. Wait for it, or end it.") from None
        except OSError as error:
            raise unwritable(self._path, error) from error
        if num_bytes < keep_bytes:
            raise StoredResultsError(
                f"{self._path} is damaged: it has {num_bytes:,} bytes, and its checkpoint counts on {keep_bytes:,}."
            )

    def write(self, event: str, **fields: Any) -> None:
        """Appends one event with the time of writing (Unix seconds); `MachineError` where the disk is full."""
        line = json.dumps({"event": event, "timestamp": time.time(), **fields}, allow_nan=False) + "\n"
        content = line.encode()
        try:
            while content:
                content = content[os.write(self._file, content) :]
        except OSError as error:
            raise unwritable(self._path, error) from error

    def sync(self) -> int:
        """Brings what was written to the disk; returns the journal's size in bytes."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise unwritable(self._path, error) from error
        return os.fstat(self._file).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
