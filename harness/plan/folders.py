"""Where comparisons stand: each in a folder of its own below `results/`, of which `latest` points to the newest."""

import errno
import logging
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mainrun.record.errors import RequestError
from mainrun.record.files import make_folder, unwritable
from mainrun.record.inert import make_inert

RESULTS = Path("results")
LATEST = "latest"
_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""Those that what is written next would meet too."""
_log = logging.getLogger(__name__)


def name_folder(begin: str) -> Path:
    """The folder of a comparison that is begun now, as `make_own_folder` may make it."""
    return RESULTS / f"{begin}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def make_own_folder(folder: Path, *, is_named: bool) -> Path:
    """Makes the folder of a comparison; one that the user has not named gets a number where another has its name.

    Raises `MachineError` where that is refused.
    """
    if is_named:
        make_folder(folder)
        return folder
    make_folder(folder.parent)
    own, number = folder, 1
    while True:
        try:
            own.mkdir()
            return own
        except FileExistsError:  # begun in the same second
            number += 1
            own = folder.with_name(f"{folder.name}-{number}")
        except OSError as error:
            raise unwritable(own, error) from error


def refuse_filled(folder: Path, advice: str) -> None:
    """Raises `RequestError` where the folder holds something already, and where its name cannot be stored."""
    refuse_unstorable(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} exists already. {advice}")


def refuse_unstorable(folder: Path) -> None:
    """Raises `RequestError` where the folder's name is no text, which no plan could hold."""
    if any("\ud800" <= character <= "\udfff" for character in str(folder.resolve())):
        raise RequestError(f"{folder} has a name that is no text in this locale. Choose another --out.")


def point_latest_at(folder: Path) -> None:
    """Lets `results/latest` lead to a comparison of that folder; where no such link can be made, that is said.

    Raises `MachineError` where the disk is full or fails.
    """
    if folder.parent.name != RESULTS.name or folder.name == LATEST:
        return
    latest, new = folder.parent / LATEST, folder.parent / f".{LATEST}.partial"
    if latest.exists() and not latest.is_symlink():
        return
    try:
        new.unlink(missing_ok=True)
        new.symlink_to(folder.name)
        new.replace(latest)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        if error.errno in _DISK_FAULTS:
            raise unwritable(latest, error) from error
        _log.warning(
            "note: %s does not lead to the newest comparison: no symbolic link can be made there (%s).",
            make_inert(str(latest)), error.strerror,
        )  # fmt: skip
