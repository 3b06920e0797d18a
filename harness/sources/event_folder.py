"""Which event files are one run's: those of a folder, and of the folders in it that writers make for its parts."""

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from harness.sources.text import open_regular
from mainrun.record.errors import RequestError

SPLITS = ("train", "training", "val", "valid", "validation", "eval", "evaluation", "test")
"""Folders of one run's parts, as Keras makes them."""
_FILE = re.compile(r"events\.out\.tfevents\.(\d+)(\..*)?")
_COPY = re.compile(r".*(\.(bak|old|orig|copy|tmp|swp|gz|zip)|~)", re.IGNORECASE)
MAX_DEPTH = 4
HEAD_BYTES = 24
FIRST_RECORD_BYTES = 256
"""A record that says a version is not longer."""


@dataclass(frozen=True)
class EventFile:
    """One event file of a source."""

    path: Path
    folder: str
    """Below the source's own; empty for a file in it."""
    stored_name: str
    """Below the stored source: without the machine's name, which writers put into a file's."""
    label: str
    """As notes and messages call it."""


def list_event_files(path: Path) -> list[EventFile]:
    """The event files of a source in the order in which they were begun; links and copies are left out."""
    found = [(path, "")] if path.is_file() else list(_walk(path, "", 0))
    found.sort(key=lambda entry: (_read_time(entry[0]), entry[1], entry[0].name))
    files = []
    for number, (file, folder) in enumerate(found, 1):
        name = f"{folder}/events.out.tfevents.{_read_time(file)}".lstrip("/")
        label = f"{name} (file {number} of {len(found)})" if len(found) > 1 else name
        files.append(EventFile(file, folder, f"{name}.{number:04}", label))
    return files


def claims_event_files(path: Path) -> bool:
    """Whether a folder is that of one run's event files, or a file is one by its first record."""
    if path.is_file():
        return _is_event_file(path) or _is_named_so(path)
    files = [file for file in path.iterdir() if _is_named_so(file)]
    parts = [folder for folder in path.iterdir() if folder.name.lower() in SPLITS and not folder.is_symlink()]
    return bool(files) or any(list(_walk(folder, "", 1)) for folder in parts if folder.is_dir())


def _walk(folder: Path, below: str, depth: int) -> list[tuple[Path, str]]:
    found = [(file, below) for file in folder.iterdir() if _is_named_so(file)]
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink() and depth < MAX_DEPTH:
            name = re.sub(r"[^\w ._-]+", "_", inner.name).strip(". ") or "_"
            found += _walk(inner, f"{below}/{name}".lstrip("/"), depth + 1)
    return found


def _is_named_so(file: Path) -> bool:
    named = _FILE.fullmatch(file.name) is not None and _COPY.fullmatch(file.name) is None
    return named and file.is_file() and not file.is_symlink()


def _read_time(file: Path) -> int:
    """When a file was begun, as its name says."""
    match = _FILE.fullmatch(file.name)
    return int(match[1]) if match else 0


def _is_event_file(path: Path) -> bool:
    """Whether a file begins with the record that says the version of event files."""
    try:
        with open_regular(path) as file:
            head = file.read(FIRST_RECORD_BYTES)
    except RequestError:
        return False
    if len(head) < HEAD_BYTES:
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return 0 < length < FIRST_RECORD_BYTES and b"brain.Event:" in head
