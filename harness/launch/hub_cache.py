"""The dataset in the cache of the library `datasets`, from where it travels to machines that may not reach the hub."""

import os
from pathlib import Path

from mainrun.rules import HUB_DATASET

VARIABLE = "HF_DATASETS_CACHE"
"""What the library takes the place of its cache from."""
DERIVED = "cache-"
"""With what the names of files begin that the library makes from the others."""
_LEVELS = 4
"""Of folders between the cache and the files of a commit: dataset, configuration, version, commit."""


def find_cached(commit: str | None) -> Path | None:
    """The folder that holds a commit of the dataset; None where the cache does not."""
    name = HUB_DATASET.replace("/", "___")
    return next(iter(sorted(_find_cache().glob(f"{name}/*/*/{commit}"))), None) if commit else None


def find_root(folder: Path) -> Path:
    """The cache that the folder of a commit stands in."""
    return folder.parents[_LEVELS - 1]


def _find_cache() -> Path:
    """As the library itself finds it."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get(VARIABLE) or Path(home) / "datasets").expanduser()
