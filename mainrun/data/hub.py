"""The task's dataset from the Hugging Face hub, or from the cache of its library where that holds the commit asked for.

A whole commit that is cached is not asked for again: each run of a comparison is given one.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mainrun.record.errors import MachineError, RequestError, summarize_error
from mainrun.rules import HUB_DATASET, HUB_SPLIT

if TYPE_CHECKING:
    import datasets

_TIMEOUT_S = 20.0
_COMMIT = re.compile("[0-9a-f]{40}")


def load_hub_dataset(revision: str | None, seed: int) -> "tuple[datasets.Dataset, str]":
    """The shuffled training split at a branch, tag or commit (None: the newest), and the commit it is of.

    Raises `RequestError` for a revision that the hub does not know, `MachineError` where neither the hub nor the cache
    can be used.
    """
    try:
        import datasets
        import huggingface_hub
        from huggingface_hub.errors import RevisionNotFoundError
    except ImportError as error:
        raise _build_error("needs the Python library datasets, which cannot be imported", error) from error
    # Blind excepts, because the type of a network error depends on the HTTP library that the hub's client uses:
    # requests, httpx and httpx2 share no base.
    try:
        if revision is not None and _COMMIT.fullmatch(revision):
            commit = revision
        else:
            found = huggingface_hub.HfApi().dataset_info(HUB_DATASET, revision=revision, timeout=_TIMEOUT_S)
            commit = str(found.sha)
    except RevisionNotFoundError as error:
        raise _build_revision_error(revision) from error
    except Exception as error:
        raise _build_error(f"cannot be loaded: the hub is unreachable or refuses{_describe_cache()}", error) from error
    cached = _load_cached(commit)
    if cached is not None:
        return cached.shuffle(seed=seed, keep_in_memory=True), commit  # the cache may be another user's
    try:
        loaded = datasets.load_dataset(HUB_DATASET, split=HUB_SPLIT, revision=commit)
        _refuse_other_commits(loaded, commit)
        shuffled = loaded.shuffle(seed=seed)
    except Exception as error:
        if isinstance(error.__cause__, RevisionNotFoundError):
            raise _build_revision_error(revision) from error
        raise _build_error(f"cannot be loaded at revision {commit}{_describe_cache()}", error) from error
    return shuffled, commit


def _refuse_other_commits(loaded: "datasets.Dataset", commit: str) -> None:
    """Raises where the library, without a network, fell back to the newest commit it has, whichever was asked for."""
    folders = {Path(file["filename"]).parent.name for file in getattr(loaded, "cache_files", [])}
    if any(_COMMIT.fullmatch(name) for name in folders - {commit}):
        raise ConnectionError("the hub is unreachable")


def _load_cached(commit: str) -> "datasets.Dataset | None":
    """The rows that the library prepared before; None where it holds none of that commit, or not all of them."""
    import datasets

    try:
        (folder,) = _find_cached(commit)
        split = datasets.DatasetInfo.from_directory(str(folder)).splits[HUB_SPLIT]
        name = HUB_DATASET.rpartition("/")[2]
        num_shards = len(split.shard_lengths or [0])
        ends = [f"-{shard:05d}-of-{num_shards:05d}" for shard in range(num_shards)] if num_shards > 1 else [""]
        shards = [datasets.Dataset.from_file(str(folder / f"{name}-{HUB_SPLIT}{end}.arrow")) for end in ends]
        rows = datasets.concatenate_datasets(shards)
    except Exception:  # a cache that cannot be read is none
        return None
    return rows if len(rows) == split.num_examples else None


def _find_cached(commit: str) -> list[Path]:
    """Folders of whole datasets; one that was prepared of some of the files only has another name than it says."""
    import datasets

    root = Path(datasets.config.HF_DATASETS_CACHE) / HUB_DATASET.replace("/", "___")
    return [
        folder
        for folder in root.glob(f"*/*/{commit}")
        if datasets.DatasetInfo.from_directory(str(folder)).config_name == folder.parts[-3]
    ]


def _describe_cache() -> str:
    try:
        commits = sorted({folder.name for folder in _find_cached("*") if _COMMIT.fullmatch(folder.name)})
    except Exception:  # a cache that cannot be read is none
        return ""
    return f", and the cache holds {', '.join(commits)}: name one with --data-revision" if commits else ""


def _build_revision_error(revision: str | None) -> RequestError:
    return RequestError(
        f"{HUB_DATASET} on the Hugging Face hub has no revision {revision!r}: --data-revision takes a branch, tag or "
        "commit; without it the newest is loaded."
    )


def _build_error(what: str, error: Exception) -> MachineError:
    return MachineError(
        f"{HUB_DATASET} on the Hugging Face hub {what} ({summarize_error(error)}). --data FILE takes a local "
        "parquet, CSV, TSV, JSON-lines or text file; --data synthetic needs nothing."
    )
