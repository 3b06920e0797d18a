"""What the counts of a run give away about its metric: spans, coverage, and the loss on equal terms.

Pure functions over counts. The task's own data is recognised by its counts; where nothing states the validation
tokens they are estimated from the training tokens, and everything that follows carries the range.
"""

import math
from dataclasses import dataclass, replace
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
TITLE_SPREAD = 0.42
"""Standard deviation of the tokens of a title, in their mean; see `benchmarks.validation_share`."""
TOKENS_PER_TITLE = 24
"""More than titles have on average, so that a number of titles that is not known is not overrated."""
ESTIMATE_DEVIATIONS = 3
"""Half an estimate's range, in standard deviations."""
TOKENIZER_SPREAD = 0.3
"""Standard deviation of the change of one title's tokens by another tokenizer, over the root of the change in all."""
MIN_LOSS = 1e-9
"""A smaller validation loss, nats of either unit, is that of an evaluation that scored nothing."""
Origin = Literal["stated", "official", "estimated", "scaled"]


@dataclass(frozen=True)
class Validation:
    """Size of the validation text in tokens, with where it is known from."""

    num_tokens: int
    low_num_tokens: int
    high_num_tokens: int
    num_chars: int | None
    origin: Origin
    pieces: tuple[tuple[int, int], ...]
    """First and last of the numbers of tokens that are possible, ascending: what first losses rule out is missing."""


@dataclass(frozen=True)
class Coverage:
    """What an evaluation scores of the validation tokens; shares from 0 to 1."""

    num_spans: int
    low_num_spans: int
    high_num_spans: int
    share: float
    low_share: float
    high_share: float


def size_validation(
    num_train_tokens: int | None,
    vocab_size: int | None,
    num_tokens: int | None,
    num_chars: int | None,
    val_fraction: float | None = None,
    num_titles: int | None = None,
) -> Validation | None:
    """The validation text of a run: as its log states it, as the task's data has it, or estimated; else None.

    An estimate takes the held-out share of the titles (a tenth where it is not given) for that of the tokens, and its
    range is what draws of so many titles differ by.
    """
    if num_tokens is not None:
        return Validation(num_tokens, num_tokens, num_tokens, num_chars, "stated", ((num_tokens, num_tokens),))
    if is_official(num_train_tokens, vocab_size):
        known = OFFICIAL_NUM_VALIDATION_TOKENS
        return Validation(known, known, known, OFFICIAL_NUM_VALIDATION_CHARS, "official", ((known, known),))
    if num_train_tokens is None:
        return None
    fraction = val_fraction or OFFICIAL_VAL_FRACTION
    middle = num_train_tokens * fraction / (1 - fraction)
    titles = num_titles or num_train_tokens / (1 - fraction) / TOKENS_PER_TITLE
    deviation = TITLE_SPREAD / math.sqrt(fraction * (1 - fraction) * titles)
    reach = min(1.0, ESTIMATE_DEVIATIONS * deviation)
    low, high = (round(middle * (1 + sign * reach)) for sign in (-1, 1))
    return Validation(round(middle), low, high, num_chars, "estimated", ((low, high),))


def scale_validation(
    num_train_tokens: int, known: Validation, known_num_train_tokens: int, num_validation_titles: int
) -> Validation:
    """The validation text of `known` in the tokens of another tokenizer, by what the training tokens come to in both.

    Its range is what the change varies by between so many titles.
    """
    ratio = num_train_tokens / known_num_train_tokens
    middle = known.num_tokens * ratio
    reach = ESTIMATE_DEVIATIONS * TOKENIZER_SPREAD * math.sqrt(abs(math.log(ratio)) / num_validation_titles)
    low, high = math.floor(middle * max(0.0, 1 - reach)), math.ceil(middle * (1 + reach))
    return Validation(round(middle), low, high, known.num_chars, "scaled", ((low, high),))


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


def compute_coverage(validation: Validation, span_tokens: int) -> Coverage | None:
    """Spans and coverage of an evaluation whose span scores so many tokens; None for a text of no tokens."""
    if validation.low_num_tokens < 1:
        return None
    # Within a piece the share falls between two whole numbers of spans and jumps up at each: as high, but from less.
    read, shares, spans = span_tokens + 1, [], []
    for low, high in validation.pieces:
        first = -(-low // read) * read
        jumps = (first, first + read)
        tried = [low, high, *(size for jump in jumps for size in (jump - 1, jump) if low <= size <= high)]
        shares += [size // read * span_tokens / size for size in tried]
        spans += [low // read, high // read]
    num_spans = validation.num_tokens // read
    share = num_spans * span_tokens / validation.num_tokens
    return Coverage(num_spans, min(spans), max(spans), share, min(shares), max(shares))


def compute_matched(loss_nats_per_char: float, share: float) -> float | None:
    """The frozen loss as it were at full coverage, nats per character; None where nothing was scored."""
    return loss_nats_per_char / share if share > 0 else None


def compute_coverage_share(reported_gain_percent: float, matched_gain_percent: float) -> float | None:
    """Share of a reported gain that is coverage, in percent; None where no gain is reported."""
    return 100 * (1 - matched_gain_percent / reported_gain_percent) if reported_gain_percent > 0 else None
