"""What travels with a job to another machine: the packages it runs, the files it reads and its folder as it is."""

import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.launch.job import Job
from harness.processes import PLACE
from harness.start import PACKAGES
from mainrun.rules import HUB_DATASET

CACHE_VARIABLE = "HF_DATASETS_CACHE"
"""What the library `datasets` takes the place of its cache from."""
_DERIVED = "cache-"
"""With what the names of files begin that the library makes from the others."""
_NOT_THERE = ("packages", "inputs", "dataset", "own_gpu")
"""What of a job has done its part where it has arrived."""
_LEVELS = 4
"""Of folders between the cache and the files of a commit: dataset, configuration, version, commit."""


@dataclass(frozen=True)
class Content:
    """Packages, a file or a dataset that travel, once for all runs."""

    kind: str
    """`packages`, `file` or `dataset`."""
    name: str
    places: tuple[str, ...]
    """How words of a job name the place it has here."""
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def load_packages(place: Path) -> Content:
    """The program in a folder, its source files alone: the same files always make the same bytes."""
    paths = [path for package in PACKAGES for path in sorted((place / package).rglob("*.py"))]
    return Content("packages", place.name, _list_names(place), _archive(place, paths))


def load_file(path: Path) -> Content:
    """A file that a job reads; `OSError` where it cannot be read."""
    return Content("file", path.name, _list_names(path), path.read_bytes())


def load_dataset(folder: Path) -> Content:
    """A dataset in a cache of the hub's, as the cache that holds nothing else; `OSError` where it cannot be read."""
    root = find_root(folder)
    paths = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(_DERIVED))
    return Content("dataset", folder.name, _list_names(root), _archive(root, paths))


def find_cached(commit: str | None) -> Path | None:
    """The folder that holds a commit of the hub's dataset; None where the cache of `datasets` does not."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    cache = Path(os.environ.get(CACHE_VARIABLE) or Path(home) / "datasets").expanduser()  # as the library finds it
    name = HUB_DATASET.replace("/", "___")
    return next(iter(sorted(cache.glob(f"{name}/*/*/{commit}"))), None) if commit else None


def find_root(folder: Path) -> Path:
    """The cache that the folder of a commit stands in."""
    return folder.parents[_LEVELS - 1]


def archive_folder(folder: Path) -> bytes:
    """A run's folder as far as it is, to go on from; no bytes where there is none."""
    if not folder.exists():
        return b""
    return _archive(folder, sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".partial"))


def build_order(job: Job, root: str, contents: Iterable[Content], checkpoint_s: float) -> dict[str, Any]:
    """A job in words that can be sent, with what each place is called here.

    `root` names the folder for temporary files that all runs have on a node, below the system's own; a checkpoint comes
    back every `checkpoint_s` seconds.
    """
    said = {name: value for name, value in asdict(job).items() if name not in _NOT_THERE}
    return {
        "job": {name: str(value) if isinstance(value, Path) else value for name, value in said.items()},
        "is_ours": job.packages is not None,
        "root": root,
        "checkpoint_s": checkpoint_s,
        "program": str(PLACE),
        "python": sys.executable,
        "folders": list(_list_names(job.folder)),
        "contents": [
            {"kind": one.kind, "name": one.name, "places": list(one.places), "sha256": one.sha256} for one in contents
        ],
    }


def build_job_there(order: dict[str, Any]) -> Job:
    """The job of an order that has travelled, its words naming the places on this machine."""
    places, (python, python_here) = dict(order["places"]), order["python"]
    if order["is_ours"]:
        places[python] = python_here
    else:  # a command finds its own files on the node, also where they lie beside this program
        places = {name: places[name] for name in order["folders"]}
    job = order["job"]
    moved = {
        "argv": tuple(relocate(word, places) for word in job["argv"]),
        "env": {key: relocate(value, places) for key, value in job["env"].items()},
        **{name: job[name] and Path(relocate(job[name], places)) for name in ("folder", "journal", "output")},
        "cwd": job["cwd"] and Path(job["cwd"]),
    }
    return Job(**{**job, **moved})


def relocate(word: str, places: dict[str, str]) -> str:
    """A word that is a place, or names one behind its first `=`, with what that place is called elsewhere."""
    head, equals, tail = word.rpartition("=") if word.startswith("-") else ("", "", word)
    for place in sorted(places, key=len, reverse=True):
        if tail == place or tail.startswith(f"{place}/"):
            return f"{head}{equals}{places[place]}{tail.removeprefix(place)}"
    return word


def _list_names(path: Path) -> tuple[str, ...]:
    """The path as it was given and in full."""
    return tuple(dict.fromkeys((str(path), str(path.absolute()), str(path.resolve()))))


def _archive(root: Path, paths: Iterable[Path]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as files:
        for path in paths:
            entry = tarfile.TarInfo(path.relative_to(root).as_posix())
            body = path.read_bytes()
            entry.size = len(body)
            files.addfile(entry, io.BytesIO(body))
    return content.getvalue()
