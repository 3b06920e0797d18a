"""Synthetic technology headlines: a corpus that needs no network and that a small language model can learn."""

import random
import string
from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from mainrun.data.synthetic_words import (
    A_BEFORE,
    AN_BEFORE,
    ASKS,
    LOWER_IN_TITLE_CASE,
    NAME_ENDS,
    NAME_MIDDLES,
    NAME_STARTS,
    PAPERS,
    SHARED,
    SHOWS,
    STORIES,
    TOPICS,
    Topic,
)

T = TypeVar("T")
Uniform = Callable[[], float]
Pattern = tuple[tuple[str, str, str], ...]  # literal text, then an article ("", "a" or "A") and the slot behind it
Forms = tuple[tuple[str, str], ...]  # the base form, by which a repetition is noticed, and the form to print

EN_DASH = "\N{EN DASH}"
ASK_SHARE, SHOW_SHARE, PAPER_SHARE = 0.052, 0.08, 0.16
OFF_TOPIC_SHARE = 0.06


def generate_headlines(num_titles: int, seed: int = 1337) -> list[str]:
    """Return `num_titles` distinct synthetic headlines, in the order in which they were drawn.

    Each is one stripped, non-empty line of about 50 characters, in the manner of a link aggregator: 'Ask HN', 'Show
    HN', '(2014)', '[pdf]'. Most words of a title belong to one topic, and words within each list are drawn with a
    weight of 1 / (rank + 2). For one seed the titles are the same bytes on every machine, and fewer titles are a
    prefix of more; up to 100,000 were tried. Products are invented, and no real person or company is meant.

    Not for statements about real headlines: a result on these titles says nothing about the loss on real ones.
    """
    assert num_titles >= 0, f"expected a number of titles, found {num_titles}"
    uniform = random.Random(seed).random
    # A dict for its order: a duplicate changes nothing, so another title is drawn in its place.
    titles: dict[str, None] = {}
    while len(titles) < num_titles:
        titles[_draw_title(uniform)] = None
    return list(titles)


def _draw_title(uniform: Uniform) -> str:
    kind = uniform()
    topic = _pick(TOPIC_FORMS, uniform)
    if kind < ASK_SHARE:
        return "Ask HN: " + _fill(_pick(ASK_PATTERNS, uniform), topic, uniform)
    if kind < ASK_SHARE + SHOW_SHARE:
        return "Show HN: " + _fill(_pick(SHOW_PATTERNS, uniform), topic, uniform)
    is_paper = kind < ASK_SHARE + SHOW_SHARE + PAPER_SHARE
    title = _fill(_pick(PAPER_PATTERNS if is_paper else STORY_PATTERNS, uniform), topic, uniform)
    if uniform() < (0.6 if is_paper else 0.2):
        title = " ".join(w if w in LOWER_IN_TITLE_CASE else _capitalize(w) for w in title.split(" "))
    title = _capitalize(title)
    if uniform() < (0.2 if is_paper else 0.08):
        title += f" ({_pick(SHARED['year'], uniform)})"
    if is_paper and uniform() < 0.25:
        title += " [pdf]"
    return title


def _fill(pattern: Pattern, topic: dict[str, Forms], uniform: Uniform) -> str:
    parts: list[str] = []
    used: list[str] = []
    product = ""
    for literal, article, slot in pattern:
        parts.append(literal)
        if slot == "":
            continue
        if slot == "product":
            product = word = _draw_product(topic, uniform)
        elif slot == "again":
            word = product
        elif slot == "version":
            word = _draw_version(uniform)
        else:
            forms = topic if uniform() >= OFF_TOPIC_SHARE else _pick(TOPIC_FORMS, uniform)
            base, word = _pick(forms[slot], uniform)
            while base in used:
                base, word = _pick(forms[slot], uniform)
            used.append(base)
        parts.append(f"{article}{'n' * _takes_an(word)} {word}" if article else word)
    return "".join(parts)


def _pick(entries: tuple[T, ...], uniform: Uniform) -> T:
    cumulative = _compute_cumulative_weights(len(entries))
    return entries[bisect_right(cumulative, int(uniform() * cumulative[-1]))]


@cache
def _compute_cumulative_weights(num_entries: int) -> tuple[int, ...]:
    # Whole numbers, since a power of a float may differ in its last digit between machines.
    weights = [1_000_000 // (rank + 2) for rank in range(num_entries)]
    return tuple(sum(weights[: rank + 1]) for rank in range(num_entries))


def _draw_product(topic: dict[str, Forms], uniform: Uniform) -> str:
    start = _pick(NAME_STARTS, uniform)
    middle = _pick(NAME_MIDDLES, uniform) if uniform() < 0.35 else ""
    end = _pick(NAME_ENDS, uniform)
    return start + middle + end + (_pick(topic["suffix"], uniform)[1] if uniform() < 0.5 else "")


def _draw_version(uniform: Uniform) -> str:
    major, minor = 1 + int(12 * uniform() * uniform()), int(10 * uniform() * uniform())
    return f"{major}.{minor}" if uniform() < 0.8 else f"{major}.{minor}.{1 + int(9 * uniform())}"


def _takes_an(word: str) -> bool:
    lower = word.lower()
    return lower.startswith(AN_BEFORE) or (lower[0] in "aeiou" and not lower.startswith(A_BEFORE))


def _capitalize(text: str) -> str:
    if text.startswith("'"):
        return "'" + _capitalize(text[1:])
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].islower() else text


def _pluralize(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")


def _inflect_ing(verb: str) -> str:
    return (verb[:-1] if verb.endswith("e") else verb) + "ing"


def _inflect_ed(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + ("d" if verb.endswith("e") else "ed")


def _build_forms(words: tuple[str, ...], inflect: Callable[[str], str] = str) -> Forms:
    return tuple((word, inflect(word)) for word in words)


def _build_topic_forms(topic: Topic) -> dict[str, Forms]:
    return {
        **{slot: _build_forms(words) for slot, words in SHARED.items()},
        "roles": _build_forms(SHARED["role"], _pluralize),
        "noun": _build_forms(topic.nouns),
        "nouns": _build_forms(topic.nouns, _pluralize),
        "mass": _build_forms(topic.masses),
        "adj": _build_forms(topic.adjectives),
        "verb": _build_forms(topic.verbs),
        "verbs": _build_forms(topic.verbs, _pluralize),
        "verbing": _build_forms(topic.verbs, _inflect_ing),
        "verbed": _build_forms(topic.verbs, _inflect_ed),
        "lang": _build_forms(topic.langs),
        "setting": _build_forms(topic.settings),
        "suffix": _build_forms(topic.suffixes),
    }


def _build_pattern(text: str) -> Pattern:
    pieces = []
    for literal, field, _, _ in string.Formatter().parse(text.replace(" -- ", f" {EN_DASH} ")):
        article, _, slot = (field or "").rpartition("_")
        pieces.append((literal, article, slot))
    return tuple(pieces)


TOPIC_FORMS = tuple(_build_topic_forms(topic) for topic in TOPICS)
ASK_PATTERNS = tuple(_build_pattern(text) for text in ASKS)
SHOW_PATTERNS = tuple(_build_pattern(text) for text in SHOWS)
PAPER_PATTERNS = tuple(_build_pattern(text) for text in PAPERS)
STORY_PATTERNS = tuple(_build_pattern(text) for text in STORIES)
