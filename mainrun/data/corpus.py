"""The titles of a run: where they come from, which of them are drawn, how they are split, and their fingerprints.

The draw, the order and the split depend on the source and on the preset alone, never on the seed of a run.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np

from mainrun.data.hub import load_hub_dataset
from mainrun.data.settings import TITLE_COLUMN
from mainrun.data.title_files import load_title_file
from mainrun.record.errors import RequestError
from mainrun.rules import HUB_DATASET, SEED

DATA_SEED = SEED
HUB = "hub"
SYNTHETIC = "synthetic"
SYNTHETIC_NAME = "synthetic headlines v1"

_HUB_TITLE_COLUMN = "title"
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class CorpusSource:
    """What the user asked for; the words hub and synthetic always mean the source, ./hub names a file."""

    data: str
    """`synthetic`, `hub`, or the path of a local parquet, CSV, TSV, JSON-lines or text file."""
    revision: str | None = None
    """Branch, tag or commit of the hub's dataset; None is its default branch."""
    title_column: str = TITLE_COLUMN
    """The column of a local parquet, CSV, TSV or JSON-lines file that holds the titles."""


@dataclass(frozen=True)
class CorpusRecord:
    """What is stored about a corpus; never an absolute path, host or user name."""

    source: str
    """`synthetic`, `hub` or `file`."""
    name: str
    """The generator with its version, the hub's dataset, or the file's name without its folders."""
    revision: str | None
    """The commit that was loaded from the hub; None elsewhere."""
    file_bytes: int | None
    """Size of the local file; None elsewhere."""
    num_available: int
    """Titles in the source, all of which the shuffle permuted: the draw depends on it."""
    num_train_titles: int
    """Titles trained on."""
    num_validation_titles: int
    """Titles evaluated on."""
    train_sha256: str
    """Fingerprint of the training titles."""
    validation_sha256: str
    """Fingerprint of the validation titles."""


@dataclass(frozen=True)
class Corpus:
    """The titles of a run, in the order of the task."""

    train_titles: list[str]
    validation_titles: list[str]
    record: CorpusRecord


@dataclass(frozen=True)
class _Draw:
    titles: list[str]
    source: str
    name: str
    num_available: int
    revision: str | None = None
    file_bytes: int | None = None


def load_corpus(source: CorpusSource, *, num_titles: int, val_fraction: float) -> Corpus:
    """Draws `num_titles` titles; the last round(num_titles · val_fraction) of them are the validation titles.

    Titles are stripped, lone surrogates become U+FFFD, none is dropped or merged. Raises RequestError where the
    source is wrong or holds too little, MachineError where the hub cannot be used.
    """
    if source.revision is not None and source.data != HUB:
        raise RequestError(
            f"--data-revision {source.revision!r} belongs to --data hub, but --data is {source.data!r}: omit it."
        )
    if source.data == SYNTHETIC:
        draw = _draw_synthetic(num_titles)
    elif source.data == HUB:
        draw = _draw_from_hub(source.revision, num_titles)
    else:
        draw = _draw_from_file(source, num_titles)
    num_train_titles = num_titles - round(num_titles * val_fraction)
    train_titles, validation_titles = draw.titles[:num_train_titles], draw.titles[num_train_titles:]
    record = CorpusRecord(
        source=draw.source,
        name=draw.name,
        revision=draw.revision,
        file_bytes=draw.file_bytes,
        num_available=draw.num_available,
        num_train_titles=len(train_titles),
        num_validation_titles=len(validation_titles),
        train_sha256=compute_fingerprint(train_titles),
        validation_sha256=compute_fingerprint(validation_titles),
    )
    return Corpus(train_titles, validation_titles, record)


def compute_fingerprint(titles: Iterable[str]) -> str:
    """SHA-256, in hexadecimal, over each title's UTF-8 bytes followed by one zero byte.

    A title that itself holds U+0000 can collide with two titles; a lone surrogate is a UnicodeEncodeError.
    """
    digest = hashlib.sha256()
    for title in titles:
        digest.update(title.encode("utf-8") + b"\0")
    return digest.hexdigest()


def _draw_synthetic(num_titles: int) -> _Draw:
    from mainrun.data.synthetic import generate_headlines

    values = generate_headlines(num_titles, DATA_SEED)
    titles = _clean_titles(values, range(num_titles), SYNTHETIC_NAME)
    return _Draw(titles, SYNTHETIC, SYNTHETIC_NAME, num_available=num_titles)


def _draw_from_file(source: CorpusSource, num_titles: int) -> _Draw:
    file = load_title_file(source.data, source.title_column)
    num_available = len(file.values)
    _check_enough(num_available, num_titles, repr(source.data))
    rows = _compute_rows(num_available, num_titles)
    titles = _clean_titles([file.values[row] for row in rows], rows, file.where)
    name = os.fsencode(Path(source.data).name).decode(errors="replace")  # a name may be no text, and is stored as one
    return _Draw(titles, "file", name, num_available=num_available, file_bytes=file.num_bytes)


def _draw_from_hub(revision: str | None, num_titles: int) -> _Draw:
    shuffled, commit = load_hub_dataset(revision, DATA_SEED)
    where = f"{HUB_DATASET} at revision {commit}"
    if _HUB_TITLE_COLUMN not in shuffled.column_names:
        raise RequestError(
            f"{where} has no column {_HUB_TITLE_COLUMN!r}; it has {', '.join(map(repr, shuffled.column_names))}."
            " Name another --data-revision."
        )
    num_available = len(shuffled)
    _check_enough(num_available, num_titles, where)
    values = shuffled.take(num_titles)[_HUB_TITLE_COLUMN][:]
    titles = _clean_titles(values, _compute_rows(num_available, num_titles), where)
    return _Draw(titles, HUB, HUB_DATASET, num_available=num_available, revision=commit)


def _compute_rows(num_available: int, num_titles: int) -> list[int]:
    rows: list[int] = np.random.default_rng(DATA_SEED).permutation(num_available)[:num_titles].tolist()
    return rows


def _check_enough(num_available: int, num_titles: int, where: str) -> None:
    if num_available < num_titles:
        raise RequestError(
            f"{where} has {num_available:,} titles, but the preset needs {num_titles:,}: choose a smaller preset or"
            " more data."
        )


def _clean_titles(values: Sequence[object], rows: Sequence[int], where: str) -> list[str]:
    titles = []
    for value, row in zip(values, rows, strict=True):
        if not isinstance(value, str):
            is_null = value is None or (isinstance(value, float) and isnan(value))
            found = "null" if is_null else f"of type {type(value).__name__}"
            raise RequestError(
                f"Row {row + 1} of {where} (the first row after any header is 1) is {found}, but every title must"
                " be text."
            )
        titles.append(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value.strip()))
    return titles
