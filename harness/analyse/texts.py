"""One validation text, one estimate: runs with equal token counts and vocabulary share what is not known of it.

What one of them states holds for all. Of the numbers of tokens that are possible those are kept at which the first
losses of all come to whole spans over one number of characters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.analyse.coverage import OFFICIAL_VAL_FRACTION, Validation, size_validation
from harness.analyse.first_losses import FirstLosses, bound_fresh_loss, read_first_losses
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


@dataclass(frozen=True)
class _Member:
    facts: RunFacts
    first: FirstLosses

    @property
    def span_tokens(self) -> int | None:
        block, batch = self.facts.block_size, self.facts.evaluation_batch_size
        return None if block is None or batch is None else block * batch


def find_texts(runs: Mapping[K, tuple[Sequence[Event], RunFacts]]) -> dict[K, Text]:
    """The text of every run, by its events and facts."""
    groups: dict[object, list[K]] = {}
    for name, (_, facts) in runs.items():
        counts = facts.num_train_tokens, facts.vocab_size
        key: object = ("alone", len(groups)) if None in counts else (*counts, _get_fraction(facts))
        groups.setdefault(key, []).append(name)
    found: dict[K, Text] = {}
    for place, names in enumerate(groups.values()):
        members = [_Member(facts, read_first_losses(events)) for events, facts in (runs[name] for name in names)]
        for name, validation in zip(names, _size(members), strict=True):
            found[name] = Text(place, validation, len(names))
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
    stated = [
        {value for value in values if value is not None}
        for values in zip(
            *((member.facts.num_validation_tokens, member.facts.num_validation_chars) for member in members),
            strict=True,
        )
    ]
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


def _narrow(validation: Validation, members: Sequence[_Member]) -> Validation:
    """An estimate with only those sizes that the spans which are stated, and the first losses, leave possible."""
    lengths = {member.span_tokens for member in members if member.span_tokens is not None}
    pieces = [*split_at_spans(validation, sorted(lengths))] if validation.low_num_tokens > 0 else []
    for keep in (_has_stated_spans, _has_one_denominator):
        pieces = [piece for piece in pieces if keep(piece[0], validation.num_chars, members)] or pieces
    if not pieces:
        return validation
    nearest = min((min(max(validation.num_tokens, low), high) for low, high in pieces),
                  key=lambda size: abs(size - validation.num_tokens))  # fmt: skip
    return replace(
        validation, num_tokens=nearest, low_num_tokens=pieces[0][0], high_num_tokens=pieces[-1][1],
        pieces=tuple(_join(pieces)),
    )  # fmt: skip


def _has_stated_spans(num_tokens: int, num_chars: int | None, members: Sequence[_Member]) -> bool:
    return all(
        member.facts.num_spans in (None, num_tokens // (member.span_tokens + 1))
        for member in members
        if member.span_tokens is not None
    )


def _has_one_denominator(num_tokens: int, num_chars: int | None, members: Sequence[_Member]) -> bool:
    """Whether some number of characters explains the first losses of all, or the one that is stated does."""
    low, high = (0.0, float("inf")) if num_chars is None else (float(num_chars), float(num_chars))
    for member in members:
        if member.span_tokens is not None:
            scored = num_tokens // (member.span_tokens + 1) * member.span_tokens
            bounds = bound_chars(member.first, member.facts.vocab_size, scored)
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
