"""What a log of the task gives away about its own metric: spans, coverage, equal terms, and whether its start fits.

Pure functions over counts. The task's own data is recognised by its counts; where nothing states the validation
tokens they are estimated from the training tokens, and everything that follows carries the range.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Literal

OFFICIAL_NUM_TRAIN_TOKENS = 1_102_455
OFFICIAL_VOCAB_SIZE = 16_000
OFFICIAL_NUM_VALIDATION_TOKENS = 121_150
OFFICIAL_NUM_VALIDATION_CHARS = 533_366
"""The task's data before June 2026; its token counts are the published ones."""
LATER_NUM_TRAIN_TOKENS = 1_168_720
"""The task's data since June 2026, with the same vocabulary; the size of its validation text is not published."""
OFFICIAL_NUM_TITLES = 100_000
OFFICIAL_VAL_FRACTION = 0.1
OFFICIAL_TARGET_COVERAGE = 14 * 64 * 128 / OFFICIAL_NUM_VALIDATION_TOKENS
"""Coverage at which the task's target was measured: 14 spans of 64 × 128 tokens."""
VALIDATION_SHARE = 0.989 / 9
"""Validation tokens for each training token, for a tenth of the titles held out."""
ESTIMATE_RANGE = 0.02
FIT_TOLERANCE = 0.15
"""Distance from a whole number of spans that the first losses may have."""
MAX_FIT_SPANS = 40
"""Above this many due spans the tolerance is smaller than what the losses themselves vary by."""
START_TOLERANCE = 0.1
"""Relative distance from ln V beyond which the first training loss is no plain cross-entropy per token."""
START_SPREAD = 0.015
"""What a fresh model's first loss may differ from ln V, relatively."""
MIN_LOSS = 1e-9
"""A smaller validation loss, nats of either unit, is that of an evaluation that scored nothing."""
MIN_GAP_S = 1800.0
GAP_FACTOR = 50
"""A pause longer than half an hour and than so many usual steps is a gap, not training."""

Origin = Literal["stated", "official", "estimated"]


@dataclass(frozen=True)
class Validation:
    """Size of the validation text in tokens, with where it is known from."""

    num_tokens: int
    low_num_tokens: int
    high_num_tokens: int
    num_chars: int | None
    origin: Origin


@dataclass(frozen=True)
class Coverage:
    """What an evaluation scores of the validation tokens; shares from 0 to 1."""

    num_spans: int
    low_num_spans: int
    high_num_spans: int
    share: float
    low_share: float
    high_share: float


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


def size_validation(
    num_train_tokens: int | None, vocab_size: int | None, num_tokens: int | None, num_chars: int | None
) -> Validation | None:
    """The validation text of a run: as its log states it, as the task's data has it, or estimated; else None."""
    if num_tokens is not None:
        return Validation(num_tokens, num_tokens, num_tokens, num_chars, "stated")
    if is_official(num_train_tokens, vocab_size):
        known = OFFICIAL_NUM_VALIDATION_TOKENS
        return Validation(known, known, known, OFFICIAL_NUM_VALIDATION_CHARS, "official")
    if num_train_tokens is None:
        return None
    middle = VALIDATION_SHARE * num_train_tokens
    low, high = (round(middle * (1 + sign * ESTIMATE_RANGE)) for sign in (-1, 1))
    return Validation(round(middle), low, high, num_chars, "estimated")


def is_official(num_train_tokens: int | None, vocab_size: int | None) -> bool:
    """Whether the counts are those of the task's own data and vocabulary."""
    return num_train_tokens == OFFICIAL_NUM_TRAIN_TOKENS and vocab_size == OFFICIAL_VOCAB_SIZE


def is_later_data(num_train_tokens: int | None, vocab_size: int | None) -> bool:
    """Whether the counts are those of the task's data since June 2026."""
    return num_train_tokens == LATER_NUM_TRAIN_TOKENS and vocab_size == OFFICIAL_VOCAB_SIZE


def assume_task_text(
    validation: Validation | None, num_titles: int | None, val_fraction: float | None
) -> Validation | None:
    """An estimated text with the characters of the task's, for a run on as many titles; None where that is no question.

    Characters do not depend on the vocabulary, so that the first losses show whether the text could be the task's.
    """
    if validation is None or validation.origin != "estimated" or validation.num_chars is not None:
        return None
    if (num_titles, val_fraction) != (OFFICIAL_NUM_TITLES, OFFICIAL_VAL_FRACTION):
        return None
    return replace(validation, num_chars=OFFICIAL_NUM_VALIDATION_CHARS)


def compute_coverage(validation: Validation, block_size: int, batch_size: int) -> Coverage | None:
    """Spans and coverage of an evaluation with this block and batch; None for a text of no tokens."""
    scored = block_size * batch_size
    low, high = validation.low_num_tokens, validation.high_num_tokens
    if low < 1:
        return None
    # Within the range the share falls between two whole numbers of spans and jumps up at each: as high, but from less.
    first = -(-low // (scored + 1)) * (scored + 1)
    jumps = (first, first + scored + 1)
    tried = [low, high, *(size for jump in jumps for size in (jump - 1, jump) if low <= size <= high)]
    shares = [size // (scored + 1) * scored / size for size in tried]
    num_spans = validation.num_tokens // (scored + 1)
    return Coverage(
        num_spans,
        low // (scored + 1),
        high // (scored + 1),
        num_spans * scored / validation.num_tokens,
        min(shares),
        max(shares),
    )


def compute_matched(loss_nats_per_char: float, share: float) -> float | None:
    """The frozen loss as it were at full coverage, nats per character; None where nothing was scored."""
    return loss_nats_per_char / share if share > 0 else None


def compute_coverage_share(reported_gain_percent: float, matched_gain_percent: float) -> float | None:
    """Share of a reported gain that is coverage, in percent; None where no gain is reported."""
    return 100 * (1 - matched_gain_percent / reported_gain_percent) if reported_gain_percent > 0 else None


@dataclass(frozen=True)
class OddStart:
    """A first training loss that is no cross-entropy of a fresh model, beside what that would be."""

    loss_nats_per_token: float
    expected_nats_per_token: float


def judge_start(first_training_loss: float | None, vocab_size: int | None) -> OddStart | None:
    """What is wrong with a first training loss as a cross-entropy in nats per token, or None."""
    if first_training_loss is None or not vocab_size or vocab_size < 2:
        return None
    expected = math.log(vocab_size)
    is_odd = abs(first_training_loss / expected - 1) > START_TOLERANCE
    return OddStart(first_training_loss, expected) if is_odd else None


def judge_fit(
    first_validation_loss: float | None,
    training_losses: tuple[float | None, float | None],
    validation: Validation | None,
    coverage: Coverage | None,
    span_tokens: int | None,
    vocab_size: int | None,
) -> Fit:
    """Whether the losses at step 1 come to a whole number of spans, and to the number that is due.

    `span_tokens` is block × evaluation batch. The first loss of either kind is that at step 0 or 1, the second training
    loss that of the step after; None where there is none. The evaluation stands after the first update, whose loss lies
    near the second one: what lies between the two is allowed.
    """
    if first_validation_loss is None:
        return Fit("not decidable", None, "there is no evaluation at step 1")
    if validation is None or span_tokens is None or coverage is None:
        return Fit("not decidable", None, "block, batch or the tokens of the validation text are not known")
    if validation.num_chars is None:
        return Fit("not decidable", None, "the characters of the validation text are not known")
    first, second = (loss if judge_start(loss, vocab_size) is None else None for loss in training_losses)
    per_token = first if first else math.log(vocab_size) if vocab_size and vocab_size > 1 else None
    if per_token is None:
        return Fit("not decidable", None, "there is no training loss at step 1 and no vocabulary size")
    scored_nats = first_validation_loss * validation.num_chars / span_tokens
    num_spans = scored_nats / per_token
    low, high = sorted((num_spans, scored_nats / second if first and second else num_spans))
    moves = high - low > FIT_TOLERANCE
    source = "the first two training losses" if moves else "the first training loss" if first else f"ln {vocab_size:,}"
    if coverage.high_num_spans > MAX_FIT_SPANS and _is_near(num_spans, coverage):
        return Fit("not decidable", num_spans, f"more than {MAX_FIT_SPANS} spans, so that any number would do")
    nearest = round(num_spans)
    shown = f"{low:.2f} to {high:.2f}" if moves else f"{num_spans:.2f}"
    text = f"the first losses come to {shown} spans (from {source}), {_format_due(coverage)} due"
    reached = max(1, coverage.low_num_spans, math.ceil(low - FIT_TOLERANCE))
    if reached <= min(coverage.high_num_spans, high + FIT_TOLERANCE):
        return Fit("fits", num_spans, text, reached if moves else nearest, source)
    is_known = not moves if first else START_SPREAD * coverage.num_spans <= FIT_TOLERANCE
    if not is_known and (_is_near(low, coverage) or _is_near(high, coverage)):
        unknown = "how far the first update went" if moves else "a fresh model's loss"
        reason = f"{text}; {unknown} is not known well enough for more"
        return Fit("not decidable", num_spans, reason, nearest, source)
    reason = f"{text}: the denominator, the tokenizer or the evaluation batch was changed"
    return Fit("does not fit", num_spans, reason, nearest, source)


def _format_due(coverage: Coverage) -> str:
    low, high = coverage.low_num_spans, coverage.high_num_spans
    return f"{low} are" if low == high else f"{low} to {high} are"


def _is_near(num_spans: float, coverage: Coverage) -> bool:
    slack = FIT_TOLERANCE + 2 * START_SPREAD * coverage.num_spans
    return coverage.low_num_spans - slack <= num_spans <= coverage.high_num_spans + slack


@dataclass(frozen=True)
class Clock:
    """What the log's `elapsed_time` says, in seconds."""

    elapsed_s: float | None
    """Last value, pauses and evaluations included."""
    num_gaps: int
    gap_s: float
    """All gaps together."""
    num_setbacks: int
    """Times the clock went back, as after a restart."""


def read_clock(elapsed: Sequence[float]) -> Clock:
    """Finds gaps and setbacks in the times of the steps, given in the log's order."""
    if not elapsed:
        return Clock(None, 0, 0.0, 0)
    waits = [after - before for before, after in pairwise(elapsed)]
    usual = median([wait for wait in waits if wait >= 0] or [0.0])
    gaps = [wait for wait in waits if wait > max(MIN_GAP_S, GAP_FACTOR * usual)]
    return Clock(elapsed[-1], len(gaps), sum(gaps), sum(wait < 0 for wait in waits))
