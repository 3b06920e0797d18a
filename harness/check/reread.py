"""The titles of a comparison, read again from their source by the checker's own code.

Rows, shuffle, cut and cleaning are not the training program's; of it comes only the generator of the synthetic titles,
which is a source as the hub is one, and is known by the fingerprint of what it makes.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.check.registry import Titles
from harness.check.reread_files import read_file
from harness.check.rules import OFFICIAL_DATASET
from harness.plan.plan import Plan
from mainrun.data.corpus import CorpusSource
from mainrun.data.synthetic import generate_headlines
from mainrun.record.errors import MachineError, RequestError, StoredResultsError

DATA_SEED = 1337
SPLIT, HUB_COLUMN = "train", "title"
NUM_KNOWN_TITLES = 1_000
MAX_TITLES = 20_000_000
"""More than four times all titles that Hacker News has."""
KNOWN_TITLES_SHA256 = "ea663abdaf4c1251e567947cff4d8eda9dffaaee309e00c41a4f17263c4339ad"
"""Fingerprint of the first titles of the one released generator, "synthetic headlines v1"."""


def read_titles(plan: Plan, source: CorpusSource) -> Titles | str:
    """The titles the plan says were drawn, in its two parts, or why they cannot be had.

    Raises `RequestError` for a file that does not hold them, `MachineError` where the hub cannot be read.
    """
    num_train_titles = plan.corpus["num_train_titles"]
    num_titles = num_train_titles + plan.corpus["num_validation_titles"]
    if not 0 < num_titles <= MAX_TITLES:
        raise StoredResultsError(
            f"The plan names {num_titles:,} titles; between 1 and {MAX_TITLES:,} can be read again."
        )
    if source.data == "synthetic":
        drawn: list[object] = list(generate_headlines(max(num_titles, NUM_KNOWN_TITLES), DATA_SEED))
        known = b"".join(str(title).encode() + b"\0" for title in drawn[:NUM_KNOWN_TITLES])
        if hashlib.sha256(known).hexdigest() != KNOWN_TITLES_SHA256:
            return "the generator of synthetic titles here is not the released one"
        drawn = drawn[:num_titles]
    else:
        values = _read_hub(source.revision) if source.data == "hub" else _read_file(source.data, source.title_column)
        order = np.random.default_rng(DATA_SEED).permutation(len(values))[:num_titles]
        drawn = [values[row] for row in order]
    titles = [_clean(title, source.data) for title in drawn]
    return Titles(titles[:num_train_titles], titles[num_train_titles:])


def _clean(title: object, where: str) -> str:
    if not isinstance(title, str):
        raise RequestError(f"{where} holds {title!r} where a title is expected.")
    return re.sub("[\ud800-\udfff]", "\ufffd", title.strip())


def _read_hub(revision: str | None) -> Sequence[object]:
    try:
        import datasets

        cached = _read_cache(revision)
        if cached is not None:
            return cached
        loaded = datasets.load_dataset(OFFICIAL_DATASET, split=SPLIT, revision=revision)
        # Without a network the library takes the newest commit it has, whichever was asked for.
        found = {Path(file["filename"]).parent.name for file in getattr(loaded, "cache_files", [])}
        if revision is not None and any(re.fullmatch("[0-9a-f]{40}", name) for name in found - {revision}):
            raise ConnectionError("the hub is unreachable, and the cache does not hold that revision")
        column: Sequence[object] = loaded[HUB_COLUMN][:]
    except Exception as error:  # the type of a network error depends on the HTTP library the hub's client uses
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise MachineError(
            f"{OFFICIAL_DATASET} at revision {revision} cannot be read from the hub: {reason}"
        ) from error
    return column


def _read_cache(revision: str | None) -> Sequence[object] | None:
    """The titles that the library prepared of a commit before, or None where it did not, or not of all its files."""
    import datasets

    folder_name, file_name = OFFICIAL_DATASET.replace("/", "___"), OFFICIAL_DATASET.rpartition("/")[2]
    try:
        for folder in Path(datasets.config.HF_DATASETS_CACHE, folder_name).glob(f"*/*/{revision}"):
            info = json.loads((folder / "dataset_info.json").read_bytes())
            shards = sorted(folder.glob(f"{file_name}-{SPLIT}*.arrow"))
            titles = [title for shard in shards for title in datasets.Dataset.from_file(str(shard))[HUB_COLUMN][:]]
            if info["config_name"] == folder.parts[-3] and info["splits"][SPLIT]["num_examples"] == len(titles):
                return titles
    except Exception:  # a cache that cannot be read is none
        return None
    return None


def _read_file(path: str, column: str) -> Sequence[object]:
    try:
        return read_file(path, column)
    except Exception as error:  # pandas, pyarrow and zlib raise a dozen unrelated types on damaged files
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise RequestError(f"{path!r} cannot be read again: {reason}.") from error
