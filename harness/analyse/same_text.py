"""Whether two runs were trained and evaluated on the same titles, by what they state: titles and characters decide.

Tokens do so only where the tokenizers are equal, which equal vocabularies do not show: a tokenizer that has only the
bytes it saw makes fewer tokens of the same titles than one with all.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

Word = Literal["same", "other", "not shown"]
MAX_TOKENIZER_SHARE = 0.03
"""What token counts may differ by, relatively, with equal vocabularies and titles, by the type of the tokens."""
NUM_BYTES, LEAST_BYTES, NUM_SPECIAL = 256, 64, 3
"""Bytes in the largest alphabet, and in the least one of such titles; tokens of a vocabulary that no text has."""
MERGES_POWER = 0.4
"""A text has no fewer tokens than by this power of the merges; headlines have 0.2, synthetic ones at most 0.36."""
_FINGERPRINTS = ("train_sha256", "validation_sha256")
_TITLES = ("num_titles", "num_train_titles")
_OF_TITLES = (*_FINGERPRINTS, *_TITLES, "num_validation_chars")


def judge_texts(first: Mapping[str, Any], last: Mapping[str, Any]) -> Word:
    """What the facts of two runs, `RunFacts` by name, show of their titles."""
    if any(_differ(first, last, name) for name in _OF_TITLES):
        return "other"
    if all(_agree(first, last, name) for name in _FINGERPRINTS):
        return "same"
    if has_as_many_titles(first, last) and _agree(first, last, "num_validation_chars"):
        return "same"
    if not _agree(first, last, "vocab_size") or None in (first["num_train_tokens"], last["num_train_tokens"]):
        return "not shown"
    if _agree(first, last, "num_train_tokens"):
        return "same"
    counts = sorted((first["num_train_tokens"], last["num_train_tokens"]))
    return "not shown" if counts[1] <= counts[0] * (1 + bound_tokenizer_share(first["vocab_size"])) else "other"


def bound_tokenizer_share(vocab_size: int) -> float:
    """The same by alphabet too, for such a vocabulary: one of only the bytes it saw has room for more merges."""
    merges = vocab_size - NUM_SPECIAL - NUM_BYTES
    if merges < 1:
        return math.inf
    return float(max(MAX_TOKENIZER_SHARE, (1 + (NUM_BYTES - LEAST_BYTES) / merges) ** MERGES_POWER - 1))


def has_as_many_titles(first: Mapping[str, Any], last: Mapping[str, Any]) -> bool:
    """Whether both state how many titles they have, and it is as many."""
    return any(_agree(first, last, name) for name in _TITLES)


def _differ(first: Mapping[str, Any], last: Mapping[str, Any], name: str) -> bool:
    return None not in (first[name], last[name]) and first[name] != last[name]


def _agree(first: Mapping[str, Any], last: Mapping[str, Any], name: str) -> bool:
    return first[name] is not None and first[name] == last[name]
