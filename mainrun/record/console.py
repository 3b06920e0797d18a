"""Standard streams that cannot end the program: what one that is closed, full or no longer read does not take is lost.

What a program says is worth less than what it does: a training goes on when the terminal it was begun in is gone.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from mainrun.record.errors import EXIT_DONE, MachineError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_READER_LEFT = (errno.EPIPE, errno.ECONNRESET, errno.EBADF)
"""Whoever read the stream wants no more of it, or never did: no failure."""


class _PatientFile(io.RawIOBase):
    """A file descriptor whose writes never fail; what it does not take is dropped."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: OSError | None = None
        """Why something was dropped for the first time."""

    def write(self, content: ReadableBuffer) -> int:
        try:
            return os.write(self._descriptor, content)
        except OSError as error:
            self.error = self.error or error
            return len(memoryview(content))

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def run_program(program: Callable[[], int]) -> int:
    """Runs a whole program with streams of this kind; returns its exit code, or 6 where stdout did not take its result.

    Characters that the encoding of a stream lacks are shown by their code points.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would take the number, and be written into
            os.open(os.devnull, os.O_RDWR)
    out, err = _PatientFile(1), _PatientFile(2)
    sys.stdout = _build_stream(out, sys.stdout)
    sys.stderr = _build_stream(err, sys.stderr)
    exit_code = program()
    sys.stdout.flush()
    if exit_code != EXIT_DONE or out.error is None or out.error.errno in _READER_LEFT:
        return exit_code
    sys.stderr.write(f"error: The result cannot be written to stdout: {out.error.strerror}. All else is done.\n")
    return MachineError.exit_code


def _build_stream(file: _PatientFile, replaced: TextIO | None) -> io.TextIOWrapper:
    """A stream in the encoding of the one it replaces, which is None where that was closed."""
    encoding = replaced.encoding if replaced is not None else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(file), encoding, errors="backslashreplace", line_buffering=True)
