"""Reading journals while they grow: our own strictly, other programs' as far as they can be read."""

import os
from pathlib import Path
from typing import BinaryIO

from harness.sources.event_lines import parse_line
from harness.store.journals import Event, parse_event

CHECKED_BYTES = 4096
"""Of what stood in a journal before a run, so many bytes tell whether it was written anew."""


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
        return [parse_event(self._path, number, line) for number, line in enumerate(lines, first)]

    def _is_where_it_was(self, file: BinaryIO) -> bool:
        """Whether what was read last still stands before the position."""
        if self._last_line is None:
            return True
        file.seek(self._position - len(self._last_line) - 1)
        return file.read(len(self._last_line) + 1) == self._last_line + b"\n"


class LogFollower:
    """Reads somebody else's journal while it grows; what stood in it before the run is not the run's.

    A command may append to its journal or write it anew: where the older bytes are gone, all there is counts, and
    where the same bytes were written again their time tells. Each call reads only what is new, and the beginning
    and the end of the older bytes to know them again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._older = path.read_bytes() if path.is_file() else b""
        self._older_time = path.stat().st_mtime_ns if path.is_file() else None
        self._position = 0
        """In the file: all before it was read, or is not the run's."""

    def read_all(self) -> bytes:
        """All bytes that the run wrote."""
        try:
            if not self._path.is_file():
                return b""  # a device or a pipe might never end
            start, content = self._find_start(), self._path.read_bytes()
        except OSError:
            return b""
        return content[start:] if content.startswith(self._older) else content

    def read_new(self) -> list[Event]:
        """The events of the lines that were finished since the last call; lines that cannot be read are passed over."""
        try:
            if not self._path.is_file():
                return []
            start = self._find_start()
            with self._path.open("rb") as journal:
                if self._position > os.fstat(journal.fileno()).st_size or self._position < start:
                    self._position = start
                journal.seek(self._position)
                content = journal.read()
        except OSError:
            return []
        whole, newline, _ = content.rpartition(b"\n")
        self._position += len(whole) + len(newline)
        parsed = (entry for line in whole.split(b"\n") for entry in parse_line(line.decode("utf-8", "replace"), set()))
        return [event for kind, event in parsed if kind == "event"]

    def _find_start(self) -> int:
        """Where in the file the run's own bytes begin."""
        older = self._older
        if not older:
            return 0
        state = self._path.stat()
        if state.st_size < len(older):
            return 0
        with self._path.open("rb") as journal:
            begin = journal.read(min(CHECKED_BYTES, len(older)))
            journal.seek(max(0, len(older) - CHECKED_BYTES))
            end = journal.read(min(CHECKED_BYTES, len(older)))
        is_there = (begin, end) == (older[:CHECKED_BYTES], older[-CHECKED_BYTES:])
        is_rewritten = state.st_size == len(older) and state.st_mtime_ns != self._older_time
        return len(older) if is_there and not is_rewritten else 0
