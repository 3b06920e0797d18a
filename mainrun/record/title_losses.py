"""`title_losses.parquet`: the full loss of every validation title at the last step, without any text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainrun.data.streams import PreparedData
from mainrun.record.parquet import save_table

SCHEMA_VERSION = 1
COLUMNS = {
    "title_index": "int64",
    "num_chars": "int64",
    "num_tokens": "int64",
    "loss_nats": "float64",
    "in_train": "bool",
    "kind": "string",
    "has_digit": "bool",
}
"""One row a validation title; characters count the separator, tokens the `<eos>`; `kind` is ask, show or other."""


def save_title_losses(path: Path, data: PreparedData, loss_nats: NDArray[np.float64]) -> None:
    """Writes the table; `loss_nats` (titles,) is each validation title's share of the full loss."""
    titles = data.corpus.validation_titles
    in_training = set(data.corpus.train_titles)
    save_table(
        path,
        COLUMNS,
        {
            "title_index": range(len(titles)),
            "num_chars": _integers(data.title_num_chars),
            "num_tokens": _integers(data.streams.title_num_tokens),
            "loss_nats": loss_nats.tolist(),
            "in_train": [title in in_training for title in titles],
            "kind": [_classify(title) for title in titles],
            "has_digit": [any(character.isdigit() for character in title) for title in titles],
        },
        schema_version=SCHEMA_VERSION,
    )


def _classify(title: str) -> str:
    for kind in ("ask", "show"):
        if title.lower().startswith(f"{kind} hn"):
            return kind
    return "other"


def _integers(array: NDArray[Any]) -> Sequence[int]:
    return array.tolist()  # type: ignore[no-any-return]  # numpy types tolist as Any
