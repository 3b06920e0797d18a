"""Sentences as data, and the one rule by which they are made.

A sentence is made of every item it is on (the comparison, an arm, a run, a pair, a group) where all it names is there,
and with the first of its patterns whose condition holds. Nothing asks who trained a run: what is not known is None in
the document, and a sentence that names it is not made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

from harness.claims.engine import SLOT, Claim, evaluate_formula, fill, find_names, holds, resolve_pointer

Document = Mapping[str, Any]
On = Literal["comparison", "arms", "runs", "pairs", "scoring", "tokenizers", "sweeps"]
"""What a sentence is on: the comparison, or each item of that list in the document."""
_ALWAYS: dict[str, dict[str, str]] = {
    "pairs": {"baseline": "baseline_label", "candidate": "candidate_label", "metric": "curve_metric",
              "basis": "basis/name", "field": "basis/field", "verdict_label": "verdict/label", "seed": "c/seed",
              "b_seed": "b/seed", "num_arms": "/arms", "b_code": "b/evaluate_sha256", "c_code": "c/evaluate_sha256",
              "pairs": "verdict/num_seed_pairs", "shared": "text_is_shared", "reported": "reported_gain_percent",
              "differs": "coverage_differs", "gap_low": "coverage_gap_points/low",
              "gap_high": "coverage_gap_points/high", "b_last": "b/final/is_last", "c_last": "c/final/is_last",
              "b_origin": "b/forensics/validation/origin", "c_origin": "c/forensics/validation/origin"},
    "arms": {"label": "label"},
    "runs": {"label": "label", "seed": "seed"},
    "scoring": {"labels": "labels"},
    "tokenizers": {"labels": "labels"},
}  # fmt: skip
"""Names that every sentence on such an item may use."""


def both(path: str) -> dict[str, str]:
    """The inputs `b` and `c`: what stands at one path in a pair's baseline and in its candidate."""
    return {side: f"{side}/{path}" for side in "bc"}


@dataclass(frozen=True)
class Sentence:
    """One sentence of the reports."""

    id: str
    """Of the sentences on one item that have the same one, the first that can be made is the only one."""
    text: str | Mapping[str, str]
    """Pattern, or condition → pattern, of which the first that can be made and holds is taken."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Name → path: in the item; `b/…` and `c/…` in a pair's baseline and candidate; `/…` in the document."""
    formula: str | None = None
    """What `{value}` is."""
    needs: tuple[str, ...] = ()
    """Names that must be there beside those in the text."""
    unless: tuple[str, ...] = ()
    """Sentences of other ids in whose place this one stands: where one of them was made, this one is not."""
    on: On = "pairs"
    section: str = ""
    """Of the reports."""


of_comparison, of_arms, of_runs = (partial(Sentence, on=on) for on in ("comparison", "arms", "runs"))
"""A sentence by what it is on, where that is no pair."""


def say(document: Document, sentences: Sequence[Sentence], on: On, place: int = 0) -> list[dict[str, Any]]:
    """The claims on one item of the document, in the order of `sentences`, of which those on other things are skipped.

    Each is a `Claim` with its `section`.
    """
    made = set[str]()
    claims = []
    for sentence in sentences:
        if sentence.on == on and made.isdisjoint({sentence.id, *sentence.unless}):
            claim = make(document, sentence, place)
            if claim is not None:
                made.add(sentence.id)
                claims.append({"section": sentence.section, **asdict(claim)})
    return claims


def make(document: Document, sentence: Sentence, place: int = 0) -> Claim | None:
    """The claim on one item; None where something it names is not there, or none of its conditions holds."""
    paths = {**_ALWAYS.get(sentence.on, {}), **sentence.inputs}
    patterns = {"": sentence.text} if isinstance(sentence.text, str) else sentence.text
    fixed = {*sentence.needs, *(find_names(sentence.formula) if sentence.formula else ())}
    for condition, pattern in patterns.items():
        slots = {name for name, _ in SLOT.findall(pattern)} - {"value"}
        names = sorted(fixed | slots | (find_names(condition) if condition else set()))
        inputs = {name: find_pointer(document, sentence.on, place, paths[name]) for name in names}
        if not all(is_there(document, pointer) for pointer in inputs.values()):
            continue
        if not condition or holds(condition, inputs, document):
            value = None if sentence.formula is None else evaluate_formula(sentence.formula, inputs, document)
            text = fill(pattern, value, inputs, document)
            return Claim(sentence.id, text, pattern, value, sentence.formula, condition or None, inputs)
    return None


def find_pointer(document: Document, on: On, place: int, path: str) -> str:
    """The JSON pointer that a path means on the item at `place`."""
    if path.startswith("/"):
        return path
    if on == "comparison":
        return f"/{path}"
    side = {"b": "baseline", "c": "candidate"}.get(path.partition("/")[0])
    if on == "pairs" and side:
        names = [arm["name"] for arm in document["arms"]]
        return f"/arms/{names.index(document['pairs'][place][side])}/{path.partition('/')[2]}"
    return f"/{on}/{place}/{path}"


def is_there(document: Document, pointer: str) -> bool:
    """Whether a pointer finds something that is known."""
    try:
        found = resolve_pointer(document, pointer)
    except (LookupError, TypeError):
        return False
    return found is not None and not (isinstance(found, list) and None in found)
