"""The files of a run that goes on elsewhere, as they arrive: its folder here is at any time one to go on from."""

import os
from pathlib import Path
from typing import Any

from mainrun.record.files import atomic_write, compute_file_sha256, compute_sha256, make_folder, unwritable

CHECKPOINT_FOLDER = "checkpoint"


class DamagedError(Exception):
    """What has arrived is not what was sent."""


class Arrivals:
    """Puts what arrives into a run's folder."""

    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        """`keep` leaves every checkpoint where it is, as a run does that was asked to."""
        self._folder, self._keep = folder, keep
        self._grown: set[Path] = set()

    def take(self, header: dict[str, Any], content: bytes) -> None:
        """Puts a file, or the end of one, into its place.

        Raises `DamagedError` for other bytes than were sent, `MachineError` where the disk refuses them.
        """
        if compute_sha256(content) != header["sha256"]:
            raise DamagedError(f"{header['name']} has arrived damaged")
        path = self._find(header["name"])
        make_folder(path.parent)
        if header["kind"] == "append":
            _write_from(path, header["offset"], content)
            self._grown.add(path)
            return
        if path.parent.name == CHECKPOINT_FOLDER:
            self._sync()  # a checkpoint counts on the journal as it was then, whatever becomes of this machine
        with atomic_write(path) as file:
            file.write(content)
        if path.parent.name == CHECKPOINT_FOLDER and not self._keep:
            for older in path.parent.glob(f"*{path.suffix}"):
                if older != path:
                    older.unlink()

    def finish(self, hashes: dict[str, str]) -> None:
        """Holds the folder against the names and SHA-256 of the files that the run has; what it has no more goes.

        Raises `DamagedError` where one is absent or has other bytes.
        """
        for name, sha256 in hashes.items():
            path = self._find(name)
            if not path.is_file() or compute_file_sha256(path) != sha256:
                raise DamagedError(f"{name} has not arrived as it is")
        kept = {self._find(name) for name in hashes}
        for path in sorted(self._folder.rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()) and not any(path in one.parents for one in kept):
                path.rmdir()
            elif not path.is_dir() and path not in kept:
                path.unlink()

    def _sync(self) -> None:
        for path in self._grown:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        self._grown.clear()

    def _find(self, name: str) -> Path:
        parts = Path(name).parts
        if not parts or Path(name).is_absolute() or ".." in parts:
            raise DamagedError(f"{name!r} names no file of a run")
        return self._folder / name


def _write_from(path: Path, offset: int, content: bytes) -> None:
    """Cuts a file back to its first `offset` bytes and appends; `DamagedError` where it is shorter."""
    try:
        with path.open("ab") as file:
            if file.tell() < offset:
                raise DamagedError(f"{path.name} has arrived with a gap")
            file.truncate(offset)
            file.write(content)
    except OSError as error:
        raise unwritable(path, error) from error
