"""Where comparisons stand: each in a folder of its own below `results/`, of which `latest` points to the newest."""

from datetime import UTC, datetime
from pathlib import Path

from mainrun.record.errors import RequestError
from mainrun.record.files import unwritable

RESULTS = Path("results")
LATEST = "latest"


def name_folder(begin: str) -> Path:
    """The folder of a comparison that is begun now."""
    return RESULTS / f"{begin}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def refuse_filled(folder: Path, advice: str) -> None:
    """Raises `RequestError` where the folder holds something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} exists already. {advice}")


def point_latest_at(folder: Path) -> None:
    """Lets `results/latest` lead to a comparison of that folder."""
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
        raise unwritable(latest, error) from error
