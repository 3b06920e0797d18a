"""Whole files: written to a temporary name, flushed, then renamed, so that a reader never meets half of one."""

import errno
import hashlib
import json
import math
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mainrun.record.errors import MachineError, StoredResultsError

_MACHINE_FAULTS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ENOLCK,
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ETIMEDOUT, errno.ENOTCONN,
)  # fmt: skip

MAX_WHOLE_BYTES = 2**29
"""Of a file that is read whole."""


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well, and leaves `path` as it was when it does not.

    Raises `MachineError` where the disk is full or the place is not writable.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def make_folder(path: Path) -> None:
    """Makes a folder and its parents; `MachineError` where that is refused."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def make_scratch_folder() -> Iterator[Path]:
    """A temporary folder that is gone after the block; `MachineError` where the machine has no place for one."""
    check_temporary_folder()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name)


def check_temporary_folder() -> None:
    """Raises `MachineError` where the machine has no folder for temporary files: torch's libraries need one."""
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise MachineError(f"No temporary file can be written: {error.strerror}. Let TMPDIR name a folder.") from error


def find_cache_folder() -> Path | None:
    """The folder for what can be made again; None for a user without a home, as in some containers."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
    return Path(home, "mainrun")


def save_text(path: Path, text: str) -> None:
    """Writes UTF-8 text with line feeds, atomically."""
    with atomic_write(path) as file:
        file.write(text.encode())


def save_json(path: Path, value: Any) -> None:
    """Writes what `format_json` gives, atomically."""
    save_text(path, format_json(value))


def format_json(value: Any) -> str:
    """Indented JSON as it is stored; a NaN or an infinity in it is our own mistake and raises `ValueError`."""
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def load_json(path: Path, *schema_versions: int) -> dict[str, Any]:
    """A stored JSON object; `StoredResultsError` where it is absent, damaged or of no schema version that is read."""
    try:
        value = parse_json(read_whole(path))
    except FileNotFoundError:
        raise StoredResultsError(f"{path} is missing.") from None
    except (ValueError, RecursionError) as error:
        raise StoredResultsError(f"{path} is damaged: {error}.") from None
    except OSError as error:
        raise StoredResultsError(f"{path} cannot be read: {error.strerror}.") from None
    if not isinstance(value, dict):
        raise StoredResultsError(f"{path} is damaged: it holds no JSON object.")
    found = value.get("schema_version")
    if type(found) is not int or found not in schema_versions:
        readable = " and ".join(map(str, sorted(schema_versions)))
        raise StoredResultsError(f"{path} has schema version {found!r}; this program reads {readable}.")
    return value


def read_whole(path: Path) -> bytes:
    """The bytes of a file that is to be held in memory.

    Raises `OSError`, and `ValueError` for a pipe, a device or a socket, which has no end, and for a file too large.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise ValueError("it is no file")
    if state.st_size > MAX_WHOLE_BYTES:
        raise ValueError(f"it has {state.st_size:,} bytes, and {MAX_WHOLE_BYTES:,} are read at most")
    return path.read_bytes()


def compute_sha256(content: bytes | memoryview) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def compute_file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unwritable(path: Path, error: OSError) -> MachineError:
    """The error for a write that the machine refused."""
    return MachineError(f"Cannot write {path}: {error.strerror or error}. Free the place or choose another --out.")


def find_machine_fault(error: Exception) -> MachineError | None:
    """An unexpected error as the machine's, where it is: a file of another user's, a disk that failed; else None."""
    if not isinstance(error, OSError) or error.errno not in _MACHINE_FAULTS:
        return None
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return MachineError(f"{where}{error.strerror}. Give this user what it may not use, or free what is full.")


def parse_json(content: bytes) -> Any:
    """Strict JSON; `ValueError` for a NaN, an infinity and a number too large for a float too."""
    return json.loads(content, parse_constant=_refuse_constant, parse_float=_parse_finite)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _parse_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large for a number")
    return value
