"""Caveats on the first losses of an arm, and how a caveat points at an arm."""

from collections.abc import Iterator
from typing import Any

from harness.foreign.forensics import FIT_TOLERANCE, START_TOLERANCE
from harness.proof import Claim, prove

Document = dict[str, Any]


def warn_of_fit(document: Document, place: int) -> Iterator[Claim]:
    """First losses that do not fit, or that say nothing."""
    forensics = document["arms"][place]["forensics"]
    if forensics is None or forensics["fit"]["status"] == "fits":
        return
    inputs = point_at(place, label="label", status="forensics/fit/status")
    if forensics["fit"]["status"] == "not decidable":
        yield from prove(
            document,
            "fit-not-decidable",
            {
                'status == "not decidable"': "{label}: whether its first validation loss fits is not "
                "decidable: {reason}."
            },
            inputs=inputs | point_at(place, reason="forensics/fit/reason"),
        )
        return
    broken = (
        f"max(spans - nearest, nearest - spans) > {FIT_TOLERANCE}",
        "nearest < low",
        "nearest > high",
        "nearest < 1",
    )
    yield from prove(
        document,
        "fit",
        {
            f"{how} and low {symbol} high": "{label}: its first losses come to {spans:decimals} spans (from {source}), "
            f"{due} due: the denominator, the tokenizer or the evaluation batch was changed."
            for how in broken
            for symbol, due in (("==", "{low} are"), ("<", "{low} to {high} are"))
        },
        inputs=inputs
        | point_at(
            place,
            spans="forensics/fit/num_spans",
            nearest="forensics/fit/nearest_num_spans",
            source="forensics/fit/source",
            low="forensics/fit/due_low_num_spans",
            high="forensics/fit/due_high_num_spans",
        ),
    )


def warn_of_start(document: Document, place: int) -> Iterator[Claim]:
    """First training losses that are no plain cross-entropy of a fresh model."""
    forensics = document["arms"][place]["forensics"]
    if forensics is not None and forensics["start"]:
        yield from prove(
            document,
            "start",
            {
                f"max(loss / due - 1, 1 - loss / due) > {START_TOLERANCE}": "{label}: the training loss starts at "
                "{loss:value}, far from ln {vocab:count} = {due:value}: it is divided by accumulation steps, holds "
                "other terms or does not start from a fresh model."
            },
            inputs=point_at(
                place,
                label="label",
                loss="forensics/start/loss_nats_per_token",
                due="forensics/start/expected_nats_per_token",
                vocab="facts/vocab_size",
            ),
        )


def point_at(place: int, **fields: str) -> dict[str, str]:
    """Pointers to fields of the arm at `place`, by name."""
    return {name: f"/arms/{place}/{field}" for name, field in fields.items()}
