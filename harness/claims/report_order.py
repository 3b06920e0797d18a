"""Every sentence of the reports, in the order in which they are read. A new one is an entry in one of these lists."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.claims import caveats, log_caveats, pair_caveats
from harness.claims.certainty import BY_TITLE, CERTAIN
from harness.claims.course import CONSISTENCY, COST, SPEED, STEADINESS
from harness.claims.findings import GAINS
from harness.claims.headline import CONCLUSION, HEADLINE, LAST_LINE
from harness.claims.opening import ON_COMPARISON
from harness.claims.sentence import Sentence, say

_BY_SECTION: dict[str, tuple[Sentence, ...]] = {
    "conclusion": CONCLUSION,
    "headline": HEADLINE,
    "findings": (*GAINS, *SPEED, *CONSISTENCY, *STEADINESS, *COST),
    "certainty": CERTAIN,
    "titles": BY_TITLE,
    "final": LAST_LINE,
}
ON_PAIRS = tuple(replace(each, section=section) for section, group in _BY_SECTION.items() for each in group)
CAVEATS: tuple[tuple[Sentence, ...], ...] = (
    log_caveats.TOKENS,
    caveats.DATA,
    caveats.RUNS,
    log_caveats.FIRST_LOSSES,
    log_caveats.COVERAGE,
    log_caveats.ORIGIN,
    caveats.TRAINED,
    caveats.NUMBERS,
    pair_caveats.OF_PAIRS,
    log_caveats.READING,
    caveats.ALWAYS,
)
"""The gravest first; of one group all that is on one item stands together."""


def say_all(document: dict[str, Any]) -> dict[str, Any]:
    """The document with all its sentences: `claims` and `caveats` of it, `claims` of every pair."""
    for place, pair in enumerate(document["pairs"]):
        pair["claims"] = say(document, ON_PAIRS, "pairs", place)
    document["claims"] = _say_everywhere(document, ON_COMPARISON)
    document["caveats"] = [claim for group in CAVEATS for claim in _say_everywhere(document, group)]
    return document


def _say_everywhere(document: Mapping[str, Any], group: tuple[Sentence, ...]) -> list[dict[str, Any]]:
    claims = []
    for on in dict.fromkeys(sentence.on for sentence in group):
        for place in range(1 if on == "comparison" else len(document[on])):
            claims += say(document, group, on, place)
    return claims
