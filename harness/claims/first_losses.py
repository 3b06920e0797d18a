"""Caveats on the first losses of an arm, and how a caveat points at an arm."""

from collections.abc import Iterator
from typing import Any

from harness.analyse.coverage import FIT_TOLERANCE, START_TOLERANCE
from harness.claims.engine import Claim, prove

Document = dict[str, Any]


def warn_of_fit(document: Document, place: int) -> Iterator[Claim]:
    """First losses that do not fit, or that say nothing."""
    forensics = document["arms"][place]["forensics"]
    if forensics is None or forensics["fit"]["status"] == "fits":
        return
    if forensics["fit"]["status"] == "not decidable":
        if forensics["task_fit"] and forensics["task_fit"]["status"] != "not decidable":
            return
        yield from prove(
            document,
            "fit-not-decidable",
            {
                'status == "not decidable"': "{label}: whether its first validation loss fits is not "
                "decidable: {reason}."
            },
            inputs=point_at(place, label="label", status="forensics/fit/status", reason="forensics/fit/reason"),
        )
        return
    yield from prove(
        document,
        "fit",
        write_misfits(
            "{label}: its first losses come to {spans:decimals} spans (from {source}), ",
            " due: the denominator, the tokenizer or the evaluation batch was changed.",
        ),
        inputs=point_at(place, label="label") | point_at_fit(place, "fit"),
    )


def warn_of_task_text(document: Document, place: int) -> Iterator[Claim]:
    """Whether the text of a run on as many titles as the task's could be the task's, by its first losses."""
    forensics = document["arms"][place]["forensics"]
    if forensics is None or forensics["task_fit"] is None or forensics["task_fit"]["status"] == "not decidable":
        return
    if forensics["task_fit"]["status"] == "fits":
        yield from prove(
            document,
            "task-text",
            {
                'status == "fits"': "{label}: its first losses fit the validation text of the task, {chars:count} "
                "characters, with {nearest:count} whole spans. That its titles are the task's is not proven."
            },
            inputs=point_at(
                place,
                label="label",
                status="forensics/task_fit/status",
                chars="forensics/task_fit/num_chars",
                nearest="forensics/task_fit/nearest_num_spans",
            ),
        )
        return
    yield from prove(
        document,
        "task-text",
        write_misfits(
            "{label}: on the validation text of the task, {chars:count} characters, its first losses would come to "
            "{spans:decimals} spans (from {source}), ",
            " due: its titles are others, or the denominator, the tokenizer or the evaluation batch was changed.",
        ),
        inputs=point_at(place, label="label", chars="forensics/task_fit/num_chars") | point_at_fit(place, "task_fit"),
    )


def write_misfits(beginning: str, end: str) -> dict[str, str]:
    """Condition → the sentence on first losses that come to no whole number of spans, or to none that is due."""
    broken = (
        f"max(spans - nearest, nearest - spans) > {FIT_TOLERANCE}",
        "nearest < low",
        "nearest > high",
        "nearest < 1",
    )
    return {
        f"{how} and low {symbol} high": beginning + due + end
        for how in broken
        for symbol, due in (("==", "{low} are"), ("<", "{low} to {high} are"))
    }


def point_at_fit(place: int, which: str) -> dict[str, str]:
    """Pointers to what `which` fit of an arm was judged by."""
    return point_at(
        place,
        spans=f"forensics/{which}/num_spans",
        nearest=f"forensics/{which}/nearest_num_spans",
        source=f"forensics/{which}/source",
        low=f"forensics/{which}/due_low_num_spans",
        high=f"forensics/{which}/due_high_num_spans",
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
