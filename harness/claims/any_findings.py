"""The sentences on a comparison in which logs of other programs stand, and on its pairs; as in `findings`."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from harness.analyse.pairs import COVERAGE_TOLERANCE_POINTS
from harness.claims.any_headline import (
    SIDES,
    claim_foreign_headline,
    claim_foreign_result,
    claim_foreign_verdict,
    claim_origins,
    claim_period,
    point_at_finals,
)
from harness.claims.engine import GAIN, Claim, PairView
from harness.claims.findings import TARGET_OUTCOMES, Sections, build_claims, claim_consistency, prove_rise, prove_speed

SHARE = "100 * (1 - fair / reported)"
FRACTIONS = {
    **{10: "a tenth", 20: "a fifth", 25: "a quarter", 33: "a third", 40: "two fifths", 50: "half"},
    **{60: "three fifths", 67: "two thirds", 75: "three quarters", 80: "four fifths", 90: "nine tenths"},
}
"""Percent → words; the nearest one is used, within four points."""
_FRACTION_REACH = 4
_BASES = {
    "full_loss_nats_per_char": ("full-gain", "Full loss", "nats per character"),
    "matched_loss_nats_per_char": ("matched-gain", "On equal terms (frozen loss / coverage)", "nats per character"),
    "loss_nats_per_char": ("reported-gain", "Frozen loss as reported", "nats per character"),
    "loss_nats_per_token": ("token-gain", "Validation loss as reported", "nats per token"),
}


def build_foreign_document_claims(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What reports say of the comparison before anything was judged: where the arms are from, and of when."""
    return [asdict(claim) for make in (claim_origins, claim_period) for claim in make(document)]


def build_foreign_claims(document: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """All claims on the pair at `index`, each with the section it stands in."""
    return build_claims(document, index, CLAIMS)


def claim_foreign_gains(view: PairView) -> Iterator[Claim]:
    """The gain in the basis that decides, and then the reported one."""
    for field in dict.fromkeys((view.pair["basis"]["field"], "loss_nats_per_char")):
        claim_id, name, unit = _BASES[field]
        if None in _get_finals(view, field):
            continue
        inputs = point_at_finals(view, field)

        def write(note: str, name: str = name, unit: str = unit) -> str:
            return f"{name}{note}, at the last evaluation: {{b:loss}} → {{c:loss}} {unit}, {{value:gain}}."

        sentences = {"": write("")}
        if field == "matched_loss_nats_per_char":
            origins = {f"{side[0]}_origin": view.arm(side, "forensics/validation/origin") for side in SIDES}
            inputs |= origins
            sentences = {f'{name} == "estimated"': write(", with an estimated coverage") for name in origins}
            sentences[" and ".join(f'{name} != "estimated"' for name in origins)] = write("")
        yield from view.prove(claim_id, sentences, GAIN, **inputs)


def claim_foreign_coverage(view: PairView) -> Iterator[Claim]:
    """What part of a reported gain is coverage; nothing where both may score the same share."""
    if not view.pair["coverage_differs"]:
        return
    bounds = {
        f"{side[0]}_{bound}": view.arm(side, f"final/coverage_{bound}_percent")
        for side in SIDES
        for bound in ("low", "high")
    }
    yield from view.prove(
        "coverage-difference",
        {
            f"{more}_low - {less}_high > {COVERAGE_TOLERANCE_POINTS}": "The frozen evaluation scores {value:points} "
            f"points {word} of the validation text for {{candidate}}, so the two frozen losses are not on equal terms."
            for more, less, word in (("b", "c", "less"), ("c", "b", "more"))
        },
        "b - c",
        **point_at_finals(view, "coverage_percent"),
        **bounds,
    )
    if view.pair["coverage_share_percent"] is not None:
        yield from view.prove(
            "coverage-share",
            SHARE_SENTENCES,
            SHARE,
            fair=view.here("basis_gain_percent"),
            reported=view.here("reported_gain_percent"),
            differs=view.here("coverage_differs"),
        )


def write_share_sentences() -> dict[str, str]:
    """Condition → the share of a reported gain that is coverage, in plain words."""
    sentences = {
        "fair > reported": "Coverage hides part of the gain: on equal terms the gain is larger than the reported one.",
        "fair <= 0": "The whole reported gain is coverage: on equal terms {candidate} is no better.",
    }
    middles = [(one + other) / 2 for one, other in pairwise(FRACTIONS)]
    for percent, low, high in zip(FRACTIONS, [0, *middles], [*middles, 100], strict=True):
        low, high = max(low, percent - _FRACTION_REACH), min(high, percent + _FRACTION_REACH)
        sentences[f"{low} <= {SHARE} <= {high}"] = (
            f"{{value:percent}}, about {FRACTIONS[percent]}, of the reported gain is coverage, not a better model."
        )
    sentences["fair <= reported"] = "{value:percent} of the reported gain is coverage, not a better model."
    return {f"reported > 0 and differs == 1 and {condition}": text for condition, text in sentences.items()}


SHARE_SENTENCES = write_share_sentences()


def claim_foreign_target(view: PairView) -> Iterator[Claim]:
    """The task's target on equal terms; nothing where the data is not recognised as the task's."""
    if view.pair["target"] is None:
        return
    officials = {f"{side[0]}_official": view.arm(side, "forensics/is_official") for side in SIDES}
    yield from view.prove(
        "target-margin",
        {
            f"b_official == 1 and c_official == 1 and {condition}": "The task's target of {stated:value}, "
            f"{{target:loss}} at full coverage, is {outcome} on equal terms; that the data is the task's is told from "
            "its token counts."
            for condition, outcome in TARGET_OUTCOMES.items()
        },
        "100 * (target - c) / target",
        stated=view.here("target/loss_nats_per_char"),
        target=view.here("target/matched_loss_nats_per_char"),
        c=view.arm("candidate", "final/matched_loss_nats_per_char"),
        **officials,
    )


def claim_foreign_speed(view: PairView) -> Iterator[Claim]:
    """After what share of its steps the candidate is first at or below the baseline's last loss."""
    return prove_speed(view, "last", "of its steps")


def claim_foreign_course(view: PairView) -> Iterator[Claim]:
    """Rises between evaluations, and how far the last one lies above the best."""
    per_token = view.pair["basis"]["field"] == "loss_nats_per_token"
    for side in SIDES:
        label = view.here(f"{side}_label")
        yield from prove_rise(view, side, "reported", "rise_nats_per_char")
        yield from view.prove(
            f"last-against-best-{side}",
            {
                "last == lowest": "{label}: the last evaluation is the best one.",
                "last > lowest": "{label}: the last reported loss lies {value:loss} above the lowest one, "
                "{lowest:loss} at step {step:count}; the last one is judged.",
            },
            "last - lowest",
            label=label,
            last=view.arm(side, f"final/{'loss_nats_per_token' if per_token else 'loss_nats_per_char'}"),
            lowest=view.arm(side, "min_frozen/loss_nats_per_char"),
            step=view.arm(side, "min_frozen/step"),
        )


def claim_foreign_size(view: PairView) -> Iterator[Claim]:
    """Parameters, where both logs give them."""
    arms = {arm["name"]: arm for arm in view.document["arms"]}
    if all(arms[view.pair[side]]["cost"]["num_parameters"] is not None for side in SIDES):
        yield from view.prove(
            "parameters-ratio",
            "{candidate} has {value:ratio} the parameters of {baseline}.",
            "c / b",
            b=view.arm("baseline", "cost/num_parameters"),
            c=view.arm("candidate", "cost/num_parameters"),
        )


def _get_finals(view: PairView, field: str) -> list[Any]:
    arms = {arm["name"]: arm for arm in view.document["arms"]}
    return [arms[view.pair[side]]["final"][field] for side in SIDES]


CLAIMS: Sections = {
    "headline": (claim_foreign_headline, claim_foreign_verdict),
    "findings": (
        claim_foreign_gains,
        claim_foreign_coverage,
        claim_foreign_target,
        claim_foreign_speed,
        claim_consistency,
        claim_foreign_course,
        claim_foreign_size,
    ),
    "final": (claim_foreign_result,),
}
