"""The lines of a text file as it is: packed or not, in UTF-8 or UTF-16, read as they are needed."""

import bz2
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from harness.store.locks import MAX_FILE_BYTES
from mainrun.record.errors import RequestError

MAX_BYTES = MAX_FILE_BYTES
"""Unpacked; a larger log is refused."""
MAX_LINE_BYTES = 64 * 1024**2
BEGINNING_BYTES = 64 * 1024
"""Of a file, so much is looked at to know its format."""
_PACKED: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_OTHERS = {
    b"PK\x03\x04": "a zip archive or a workbook",
    b"PAR1": "a parquet file",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"SQLite format 3\x00": "a database",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
}
"""What is refused by its first bytes."""
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


class DamageError(RequestError):
    """A packed file is damaged or cut short."""


class Text:
    """One reading of a file's lines, each with its end; afterwards `notes` says what was not as it should be."""

    def __init__(self, path: Path, name: str) -> None:
        """`name` is how messages call the file."""
        self._path, self._name = path, name
        self._encoding = "utf-8"
        self._num_broken = self._num_bytes = 0

    def __iter__(self) -> Iterator[str]:
        """Raises `RequestError` for a file that is no text, is damaged or too large; `OSError` where it is refused."""
        try:
            with open_regular(self._path) as raw, self._unpack(raw) as file:
                yield from self._decode(file)
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise
            # What unpacks bz2 and gzip says of damage that it is an error of the system, without a number.
            raise DamageError(f"{self._name} is packed, and damaged or cut short: {error}.") from None

    @property
    def notes(self) -> list[str]:
        if not self._num_broken:
            return []
        encoding = self._encoding.removesuffix("-sig").upper()
        return [f"{self._num_broken:,} bytes are not {encoding} text and were read as U+FFFD"]

    def _unpack(self, raw: BinaryIO) -> BinaryIO:
        head = raw.read(16)
        raw.seek(0)
        for magic, what in _OTHERS.items():
            if head.startswith(magic):
                raise RequestError(f"{self._name} is {what}. Expected text: a log, or a table as CSV or JSON lines.")
        opener = next((opener for magic, opener in _PACKED.items() if head.startswith(magic)), None)
        return cast(BinaryIO, opener(raw)) if opener else raw

    def _decode(self, file: BinaryIO) -> Iterator[str]:
        beginning = file.read(4096)
        file.seek(0)
        self._encoding = find_encoding(beginning)
        if self._encoding in ("utf-8", "utf-8-sig"):
            yield from self._decode_lines(file)
            return
        with io.TextIOWrapper(file, self._encoding, errors="replace", newline="\n") as text:
            while line := text.readline(MAX_LINE_BYTES):
                self._count(2 * len(line), line)
                self._num_broken += line.count("\ufffd")
                yield line.removeprefix("\ufeff")

    def _decode_lines(self, file: BinaryIO) -> Iterator[str]:
        """The same for UTF-8, several times as fast."""
        file.seek(3 if self._encoding == "utf-8-sig" else 0)
        while raw := file.readline(MAX_LINE_BYTES):
            line = raw.decode("utf-8", "replace")
            self._count(len(raw), line)
            if "\ufffd" in line:
                self._num_broken += line.count("\ufffd") - raw.count(b"\xef\xbf\xbd")
            yield line

    def _count(self, num_bytes: int, line: str) -> None:
        self._num_bytes += num_bytes
        if num_bytes >= MAX_LINE_BYTES and not line.endswith("\n"):
            raise RequestError(f"{self._name} has a line of more than {MAX_LINE_BYTES:,} bytes and is no log.")
        if self._num_bytes > MAX_BYTES:
            raise RequestError(f"{self._name} holds more than {MAX_BYTES:,} bytes of text. Keep the lines with losses.")


def open_regular(path: Path) -> BinaryIO:
    """Opens a file for reading; `RequestError` for a pipe, a device or anything else that might never end."""
    # Without O_NONBLOCK, opening a pipe waits for somebody to write.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RequestError(f"{path.name} is no regular file but a pipe, a device or a folder. Give a file.")
        return cast(BinaryIO, os.fdopen(descriptor, "rb"))
    except BaseException:
        with suppress(OSError):
            os.close(descriptor)
        raise


def find_encoding(beginning: bytes) -> str:
    """The encoding that the first bytes show: by a byte-order mark, or by where UTF-16 has its zero bytes."""
    for mark, encoding in _MARKS.items():
        if beginning.startswith(mark):
            return encoding
    pairs = len(beginning) // 2
    low, high = beginning[1 : 2 * pairs : 2].count(0), beginning[0 : 2 * pairs : 2].count(0)
    if pairs and low > 0.8 * pairs and high == 0:
        return "utf-16-le"
    return "utf-16-be" if pairs and high > 0.8 * pairs and low == 0 else "utf-8"


def read_beginning(path: Path) -> list[str]:
    """The whole lines at the beginning of a text file; none of a file that is no text. `OSError` as for `Text`."""
    lines, num_read = [], 0
    with suppress(RequestError):
        for line in Text(path, path.name):
            lines.append(line)
            num_read += len(line)
            if num_read > BEGINNING_BYTES:
                break
    return lines


def is_damaged(path: Path) -> bool:
    """Whether a file is packed and not even its first line can be unpacked. `OSError` as for `Text`."""
    try:
        next(iter(Text(path, path.name)), None)
    except DamageError:
        return True
    except RequestError:
        return False
    return False
