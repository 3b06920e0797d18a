"""What a run prints: into a file that stays short while the run goes on, of which the end is kept."""

import fcntl
import os
import tempfile
from pathlib import Path

from mainrun.record.errors import RequestError
from mainrun.record.file_lock import lock
from mainrun.record.files import atomic_write, unwritable

MAX_OUTPUT_BYTES = 1_000_000
"""Of what a run prints no more is kept, from its end."""
CUT = b"[cut]\n"
MAX_OUTPUT_FACTOR = 8
"""A run that still prints has its output cut at so many times as much."""
MAX_LINE_BYTES = 4096
"""Of the last line."""


class Output:
    """An open file that a process appends to."""

    def __init__(self, path: Path | None) -> None:
        """Without a path the file is a temporary one; `MachineError` where it cannot be written, here and later.

        Raises `RequestError` where what was started with this output before, by a program that was killed, still runs:
        a process that has it open holds the lock.
        """
        self._path = path
        try:
            self.file = tempfile.TemporaryFile() if path is None else path.open("a+b")  # noqa: SIM115  # see close
            if path is not None:
                lock(self.file.fileno(), path)
            # The process must write at the end wherever this program has read.
            fcntl.fcntl(self.file, fcntl.F_SETFL, fcntl.fcntl(self.file, fcntl.F_GETFL) | os.O_APPEND)
            self.file.truncate(0)
        except BlockingIOError:
            self.file.close()
            raise RequestError(
                f"What was started in {path.parent if path else path} before still runs, and has {path} open. End it, "
                "then go on with --resume."
            ) from None
        except OSError as error:
            raise unwritable(path or Path("a temporary file"), error) from error

    def keep_short(self) -> None:
        """Cuts an output that a process still appends to, long before it could fill a disk."""
        try:
            if os.fstat(self.file.fileno()).st_size > MAX_OUTPUT_FACTOR * MAX_OUTPUT_BYTES:
                content = self._read_end()
                self.file.truncate(0)
                self.file.write(CUT + content)
                self.file.flush()
        except OSError as error:
            if self._path is not None:  # what is kept for a failure only is not worth a training
                raise unwritable(self._path, error) from error

    def finish(self) -> tuple[str, str]:
        """Keeps the end of an output and closes it; returns its last line, and all of it where no file keeps it."""
        with self.file:
            content = self._read_end()
            is_cut = os.fstat(self.file.fileno()).st_size > MAX_OUTPUT_BYTES + len(CUT)
        if is_cut and self._path is not None:
            with atomic_write(self._path) as file:
                file.write(CUT + content)
        lines = content[-MAX_LINE_BYTES:].decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "", content.decode(errors="replace") if self._path is None else ""

    def close(self) -> None:
        self.file.close()

    def _read_end(self) -> bytes:
        self.file.seek(max(0, self.file.seek(0, os.SEEK_END) - MAX_OUTPUT_BYTES))
        return self.file.read(MAX_OUTPUT_BYTES)
