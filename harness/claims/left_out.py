"""Runs that were taken in and are not compared."""

from collections.abc import Iterator
from typing import Any

from harness.claims.engine import Claim, prove

Document = dict[str, Any]


def warn_of_left_out_seeds(document: Document) -> Iterator[Claim]:
    """Runs that were taken in of whose seeds no pair can be made."""
    for place, run in enumerate(document["runs"]):
        if "is_left_out" in run:
            sentence = "{label} with seed {seed} is left out: no pair with the baseline can be made of its seed."
            inputs = {name: f"/runs/{place}/{name}" for name in ("label", "seed", "is_left_out")}
            yield from prove(document, "left-out-seed", {"is_left_out == 1": sentence}, inputs=inputs)
