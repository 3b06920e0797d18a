"""Whether the first losses of a run are those of a fresh model, summed over whole spans and divided by the
characters. Nobody is told to have changed that unless no honest reading of the losses fits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analyse.coverage import Coverage, Validation
from harness.store.journals import Event

FIT_TOLERANCE = 0.15
"""Distance from a whole number of spans that the first losses may have."""
MAX_FIT_SPANS = 40
"""Above this many due spans the tolerance is smaller than what the losses themselves vary by."""
START_TOLERANCE = 0.1
"""Relative distance from ln V beyond which the first training loss is no plain cross-entropy per token."""
MIN_UNIT_VOCAB = 1_000
"""With fewer tokens of vocabulary each may be a character, and a loss per character is one per token."""
START_SPREAD = 0.015
"""What a fresh model's first loss may differ from ln V, relatively."""
BATCH_SPREAD = 0.01
"""What the loss of a batch may differ from that of the validation text, relatively, before and after one update."""
UPDATE_REACH = 0.1
"""What a first update of unknown size may lower the loss by, relatively."""


@dataclass(frozen=True)
class FirstLosses:
    """What a run measured of a fresh model; None where it did not."""

    validation_nats_per_char: float | None = None
    """At step 0 or 1, after the first update."""
    training_nats_per_token: float | None = None
    """At step 0 or 1, before the first update."""
    second_nats_per_token: float | None = None
    """At step 2, after it."""
    has_one_step: bool = False
    """Whether the run has no second step to measure."""


@dataclass(frozen=True)
class Fit:
    """Whether the first validation loss is the sum over whole spans divided by the characters."""

    status: Literal["fits", "does not fit", "not decidable"]
    num_spans: float | None
    """Spans that the first losses come to."""
    reason: str
    nearest_num_spans: int | None = None
    source: str | None = None
    """What `num_spans` was computed from."""
    tried: str | None = None
    """The other honest readings that do not fit either, and what they come to."""


@dataclass(frozen=True)
class OddStart:
    """A first training loss that is no cross-entropy of a fresh model, beside what that would be."""

    loss_nats_per_token: float
    expected_nats_per_token: float


@dataclass(frozen=True)
class PerToken:
    """A first validation loss that is a fresh model's per token, where one per character is expected."""

    loss_nats: float
    expected_nats_per_token: float


def read_first_losses(events: Sequence[Event]) -> FirstLosses:
    """The first losses of a journal; a validation loss in another unit than nats per character is none."""
    training = [event for event in events if event["event"] == "training_step"]
    evaluations = [event for event in events if event["event"] == "validation_step"]
    first, second = (
        next((event["loss"] for event in training if event["step"] in steps), None) for steps in ((0, 1), (2,))
    )
    per_char = all(event.get("loss_unit") != "nats_per_token" for event in evaluations)
    validation = next((event["loss"] for event in evaluations if event["step"] <= 1), None) if per_char else None
    has_one_step = max((event["step"] for event in (*training, *evaluations)), default=0) <= 1
    return FirstLosses(validation, first, second, has_one_step)


def bound_fresh_loss(first: FirstLosses, vocab_size: int | None) -> tuple[float, float] | None:
    """The least and the most that the first evaluation honestly is, nats per token; None where nothing says it.

    It lies between the losses before and after the first update. Where the second is not known the update may have
    lowered it; where the first is far from ln V, or so far above it that it may hold other terms, ln V stands for it.
    """
    by_vocab = _compute_uniform_loss(vocab_size)
    before, after = _select_plain(first, vocab_size)
    if before is None:
        return None if by_vocab is None else (by_vocab * (1 - START_SPREAD), by_vocab * (1 + START_SPREAD))
    after = before * (1 - UPDATE_REACH) if after is None else after
    low, high = min(before, after) * (1 - BATCH_SPREAD), max(before, after) * (1 + BATCH_SPREAD)
    if by_vocab is not None and before > by_vocab * (1 + START_SPREAD):
        low = min(low, by_vocab * (1 - START_SPREAD))
    return low, high


def judge_start(first_training_loss: float | None, vocab_size: int | None) -> OddStart | None:
    """What is wrong with a first training loss as a cross-entropy in nats per token, or None."""
    expected = _compute_uniform_loss(vocab_size)
    if first_training_loss is None or expected is None:
        return None
    is_odd = abs(first_training_loss / expected - 1) > START_TOLERANCE
    return OddStart(first_training_loss, expected) if is_odd else None


def judge_unit(first: FirstLosses, vocab_size: int | None) -> PerToken | None:
    """What shows that a first validation loss is per token and not per character, or None.

    It is about ln V and, where there is one, about the first training loss, which is per token.
    """
    loss, expected = first.validation_nats_per_char, _compute_uniform_loss(vocab_size)
    if loss is None or expected is None or vocab_size is None or vocab_size < MIN_UNIT_VOCAB:
        return None
    like = [expected, *([first.training_nats_per_token] if first.training_nats_per_token else [])]
    is_near = all(abs(loss / other - 1) <= START_TOLERANCE for other in like)
    return PerToken(loss, expected) if is_near else None


def judge_fit(
    first: FirstLosses,
    validation: Validation | None,
    coverage: Coverage | None,
    span_tokens: int | None,
    vocab_size: int | None,
) -> Fit:
    """Whether the first losses come to a whole number of spans of this text, and to the number that is due.

    `span_tokens` is block × evaluation batch. The evaluation stands after the first update, whose loss lies near the
    second training loss: what lies between the two is allowed. A misfit by one reading is none where another one fits.
    """
    if first.has_one_step:
        return Fit("not decidable", None, "it has one step, and how far that went is not known")
    if first.validation_nats_per_char is None:
        return Fit("not decidable", None, "there is no evaluation at step 1")
    other = judge_unit(first, vocab_size)
    if other is not None:
        reason = f"{other.loss_nats:.4g} is about ln {vocab_size:,} = {other.expected_nats_per_token:.4g}"
        return Fit("does not fit", None, f"{reason}, a fresh model's loss per token: it is not divided by characters")
    if validation is None or span_tokens is None or coverage is None:
        return Fit("not decidable", None, "block, batch or the tokens of the validation text are not known")
    if validation.num_chars is None:
        return Fit("not decidable", None, "the characters of the validation text are not known")
    before, after = _select_plain(first, vocab_size)
    per_token = before or _compute_uniform_loss(vocab_size)
    if per_token is None:
        return Fit("not decidable", None, "there is no training loss at step 1 and no vocabulary size")
    scored_nats = first.validation_nats_per_char * validation.num_chars / span_tokens
    num_spans = scored_nats / per_token
    low, high = sorted((num_spans, scored_nats / after if before and after else num_spans))
    moves = high - low > FIT_TOLERANCE
    source = "the first two training losses" if moves else "the first training loss" if before else f"ln {vocab_size:,}"
    if coverage.high_num_spans > MAX_FIT_SPANS and _is_near(num_spans, coverage):
        return Fit("not decidable", num_spans, f"more than {MAX_FIT_SPANS} spans, so that any number would do")
    nearest = round(num_spans)
    shown = f"{low:.2f} to {high:.2f}" if moves else f"{num_spans:.2f}"
    text = f"the first losses come to {shown} spans (from {source}), {_format_due(coverage)} due"
    reached = max(1, coverage.low_num_spans, math.ceil(low - FIT_TOLERANCE))
    if reached <= min(coverage.high_num_spans, high + FIT_TOLERANCE):
        return Fit("fits", num_spans, text, reached if moves else nearest, source)
    is_known = not moves if before else START_SPREAD * coverage.num_spans <= FIT_TOLERANCE
    if not is_known and (_is_near(low, coverage) or _is_near(high, coverage)):
        unknown = "how far the first update went" if moves else "a fresh model's loss"
        reason = f"{text}; {unknown} is not known well enough for more"
        return Fit("not decidable", num_spans, reason, nearest, source)
    tried = []
    for words, least, most in _list_readings(before, after, vocab_size):
        low, high = scored_nats / most, scored_nats / least
        if max(1, coverage.low_num_spans, math.ceil(low - FIT_TOLERANCE)) <= min(coverage.high_num_spans, high):
            reason = f"{text}; {words} they come to {low:.2f} to {high:.2f}, which fits"
            return Fit("not decidable", num_spans, reason, nearest, source)
        tried.append(f"{words} they come to {low:.2f} to {high:.2f}")
    reason = "; ".join([f"{text}: the denominator, the tokenizer or the evaluation batch was changed", *tried])
    return Fit("does not fit", num_spans, reason, nearest, source, "; ".join(tried) or None)


def _compute_uniform_loss(vocab_size: int | None) -> float | None:
    """Ln V: what a model that knows nothing loses, nats per token."""
    return math.log(vocab_size) if vocab_size and vocab_size > 1 else None


def _select_plain(first: FirstLosses, vocab_size: int | None) -> tuple[float | None, float | None]:
    """The training losses before and after the first update, None where one is no plain cross-entropy."""
    before, after = (
        loss if judge_start(loss, vocab_size) is None else None
        for loss in (first.training_nats_per_token, first.second_nats_per_token)
    )
    return before, after


def _list_readings(before: float | None, after: float | None, vocab_size: int | None) -> list[tuple[str, float, float]]:
    """Other honest readings of a first training loss: what would be so, and the evaluation's nats per token then."""
    readings, by_vocab = [], _compute_uniform_loss(vocab_size)
    if before and after is None:
        readings.append(("with a first update that lowered the loss", before * (1 - UPDATE_REACH), before))
    if before and by_vocab and before > by_vocab * (1 + START_SPREAD):
        words = f"with a training loss that holds other terms above ln {vocab_size:,}"
        readings.append((words, by_vocab * (1 - START_SPREAD), before))
    return readings


def _format_due(coverage: Coverage) -> str:
    low, high = coverage.low_num_spans, coverage.high_num_spans
    return f"{low} are" if low == high else f"{low} to {high} are"


def _is_near(num_spans: float, coverage: Coverage) -> bool:
    slack = FIT_TOLERANCE + 2 * START_SPREAD * coverage.num_spans
    return coverage.low_num_spans - slack <= num_spans <= coverage.high_num_spans + slack
