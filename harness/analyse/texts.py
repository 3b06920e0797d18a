"""One validation text, one estimate: runs with equal token counts and vocabulary share what is not known of it.

What one of them states holds for all. Of the numbers of tokens that are possible those are kept at which the first
losses of all come to whole spans over one number of characters. Runs on as many titles in other tokens are taken to
have the text of those that state theirs, where their first losses come to its characters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple, TypeVar

from harness.analyse.coverage import (
    OFFICIAL_VAL_FRACTION,
    Validation,
    compute_coverage,
    scale_validation,
    size_validation,
)
from harness.analyse.first_losses import FirstLosses, bound_fresh_loss, judge_fit, read_first_losses
from harness.analyse.same_text import has_as_many_titles, judge_texts
from harness.store.facts import RunFacts
from harness.store.journals import Event

K = TypeVar("K")


@dataclass(frozen=True)
class Text:
    """What is known of the validation text of a run, from all that share it."""

    place: int
    """Equal for runs that share it."""
    validation: Validation | None
    num_runs: int
    """Runs that share it."""
    scaled_from: int | None = None
    """The place of the text that it is taken to be, in other tokens; None for none."""


class _Member(NamedTuple):
    facts: RunFacts
    first: FirstLosses


def find_texts(runs: Mapping[K, tuple[Sequence[Event], RunFacts]]) -> dict[K, Text]:
    """The text of every run, by its events and facts."""
    groups: dict[object, list[K]] = {}
    for name, (_, facts) in runs.items():
        counts = facts.num_train_tokens, facts.vocab_size
        key: object = ("alone", len(groups)) if None in counts else (*counts, _get_fraction(facts))
        groups.setdefault(key, []).append(name)
    texts = [
        [_Member(facts, read_first_losses(events)) for events, facts in (runs[name] for name in names)]
        for names in groups.values()
    ]
    sized = [_size(members) for members in texts]
    found: dict[K, Text] = {}
    for place, (names, members, sizes) in enumerate(zip(groups.values(), texts, sized, strict=True)):
        source, scaled = _scale(members, sizes[0], [*zip(texts, sized, strict=True)])
        for name, validation in zip(names, sizes, strict=True):
            found[name] = Text(place, scaled or validation, len(names), source)
    return found


def bound_chars(first: FirstLosses, vocab_size: int | None, scored_tokens: int) -> tuple[float, float] | None:
    """The characters that a first validation loss over so many scored tokens was divided by, least and most."""
    fresh = bound_fresh_loss(first, vocab_size)
    loss = first.validation_nats_per_char
    return None if fresh is None or not loss else (scored_tokens * fresh[0] / loss, scored_tokens * fresh[1] / loss)


def split_at_spans(validation: Validation, span_tokens: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The possible numbers of tokens, cut where the number of whole spans of some length changes."""
    for low, high in validation.pieces:
        cuts = {
            cut for tokens in span_tokens for cut in range(-(-low // (tokens + 1)) * (tokens + 1), high + 1, tokens + 1)
        }
        starts = sorted({low, *cuts})
        yield from zip(starts, [*(start - 1 for start in starts[1:]), high], strict=True)


def _size(members: Sequence[_Member]) -> list[Validation | None]:
    """The validation text of each; one for all unless what they state contradicts."""
    names = ("num_validation_tokens", "num_validation_chars")
    stated = [{getattr(facts, name) for facts, _ in members} - {None} for name in names]
    if max(map(len, stated)) > 1:
        return [_size([member])[0] for member in members]
    num_tokens, num_chars = (next(iter(values), None) for values in stated)
    facts = members[0].facts
    titles = next((count for member in members if (count := _count_titles(member.facts))), None)
    validation = size_validation(
        facts.num_train_tokens, facts.vocab_size, num_tokens, num_chars, _get_fraction(facts), titles
    )
    if validation is None or validation.origin != "estimated":
        return [validation] * len(members)
    return [_narrow(validation, members)] * len(members)


def _scale(
    members: Sequence[_Member],
    estimate: Validation | None,
    texts: Sequence[tuple[Sequence[_Member], Sequence[Validation | None]]],
) -> tuple[int | None, Validation | None]:
    """Of runs whose text is estimated the place and size, in their tokens, of a known text on which their losses fit.

    As many titles in about as many tokens of as large a vocabulary, and first losses that come to whole spans over its
    characters; both None where there is no such text.
    """
    if estimate is None or estimate.origin != "estimated":
        return None, None
    for place, (others, sizes) in enumerate(texts):
        known, num_titles = sizes[0], _count_validation_titles(members, others)
        if known is None or known.num_chars is None or len({*sizes}) > 1 or num_titles is None:
            continue
        counts = members[0].facts.num_train_tokens, others[0].facts.num_train_tokens
        assert counts[0] is not None and counts[1] is not None
        scaled = scale_validation(counts[0], known, counts[1], num_titles)
        pieces = [
            piece
            for piece in _split(scaled, members)
            if _has_stated_spans(piece[0], members) and _has_one_denominator(piece[0], known.num_chars, members)
        ]
        if pieces and _show_chars(members, found := _join_into(scaled, pieces)):
            return place, found
    return None, None


def _count_validation_titles(members: Sequence[_Member], others: Sequence[_Member]) -> int | None:
    """Of two groups of runs that state as many titles, in tokens that two tokenizers may make of them; else None."""
    found = None
    for one, other in product(members, others):
        word = judge_texts(vars(one.facts), vars(other.facts))
        if word != "not shown" or other.facts.num_train_tokens is None:
            return None
        if has_as_many_titles(vars(one.facts), vars(other.facts)):
            found = _count_titles(other.facts)
    return None if found is None else max(1, round(found * _get_fraction(others[0].facts)))


def _show_chars(members: Sequence[_Member], validation: Validation) -> bool:
    """Whether the first losses of some come to the characters of a text, and those of none do not."""
    has_shown = False
    for member in members:
        facts = member.facts
        if facts.span_tokens is not None:
            coverage = compute_coverage(validation, facts.span_tokens)
            fit = judge_fit(member.first, validation, coverage, facts.span_tokens, facts.vocab_size)
            if fit.status == "does not fit":
                return False
            has_shown |= bound_chars(member.first, facts.vocab_size, 1) is not None
    return has_shown


def _narrow(validation: Validation, members: Sequence[_Member]) -> Validation:
    """An estimate with only those sizes that the spans which are stated, and the first losses, leave possible."""
    pieces = _split(validation, members)
    pieces = [piece for piece in pieces if _has_stated_spans(piece[0], members)] or pieces
    pieces = [piece for piece in pieces if _has_one_denominator(piece[0], validation.num_chars, members)] or pieces
    return _join_into(validation, pieces) if pieces else validation


def _split(validation: Validation, members: Sequence[_Member]) -> list[tuple[int, int]]:
    """The possible sizes, cut where the number of whole spans of some member changes."""
    lengths = {facts.span_tokens for facts, _ in members if facts.span_tokens is not None}
    return [*split_at_spans(validation, sorted(lengths))] if validation.low_num_tokens > 0 else []


def _join_into(validation: Validation, pieces: Sequence[tuple[int, int]]) -> Validation:
    """The text with no other sizes than these."""
    nearest = min((min(max(validation.num_tokens, low), high) for low, high in pieces),
                  key=lambda size: abs(size - validation.num_tokens))  # fmt: skip
    return replace(
        validation, num_tokens=nearest, low_num_tokens=pieces[0][0], high_num_tokens=pieces[-1][1],
        pieces=tuple(_join(pieces)),
    )  # fmt: skip


def _has_stated_spans(num_tokens: int, members: Sequence[_Member]) -> bool:
    return all(
        facts.num_spans in (None, num_tokens // (facts.span_tokens + 1))
        for facts, _ in members
        if facts.span_tokens is not None
    )


def _has_one_denominator(num_tokens: int, num_chars: int | None, members: Sequence[_Member]) -> bool:
    """Whether some number of characters explains the first losses of all, or the one that is stated does."""
    low, high = (0.0, float("inf")) if num_chars is None else (float(num_chars), float(num_chars))
    for facts, first in members:
        if facts.span_tokens is not None:
            scored = num_tokens // (facts.span_tokens + 1) * facts.span_tokens
            bounds = bound_chars(first, facts.vocab_size, scored)
            if bounds is not None:
                low, high = max(low, bounds[0]), min(high, bounds[1])
    return low <= high


def _join(pieces: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    begun, ended = pieces[0]
    for low, high in pieces[1:]:
        if low > ended + 1:
            yield begun, ended
            begun = low
        ended = high
    yield begun, ended


def _get_fraction(facts: RunFacts) -> float:
    return facts.val_fraction or OFFICIAL_VAL_FRACTION


def _count_titles(facts: RunFacts) -> int | None:
    if facts.num_titles is not None or facts.num_train_titles is None:
        return facts.num_titles
    return round(facts.num_train_titles / (1 - _get_fraction(facts)))
