"""The sentences on a pair of arms: the headline, the numbered findings, how sure they are, and the view by title.

A sentence that is not true of the numbers is not made. A new claim is a function in `CLAIMS`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from harness.analyse.pairs import COVERAGE_TOLERANCE_POINTS
from harness.claims.engine import GAIN, Claim, PairView
from harness.claims.headline import (
    claim_certainty,
    claim_coverage,
    claim_final_result,
    claim_headline,
    claim_titles,
    claim_verdict,
)

TARGET_OUTCOMES = {
    "c < target": "beaten by {value:percent_size}",
    "c > target": "missed by {value:percent_size}",
    "c == target": "met exactly",
}
"""Condition → what became of a target."""

Sections = Mapping[str, tuple[Callable[[PairView], Iterator[Claim]], ...]]
"""Section of the reports → what makes its sentences, in the order in which they are printed."""


def build_claims(document: dict[str, Any], index: int, sections: Sections | None = None) -> list[dict[str, Any]]:
    """All claims of `sections` on the pair at `index` of a comparison's document, `CLAIMS` unless others are given."""
    view = PairView(document, index)
    return [
        {"section": section, **asdict(claim)}
        for section, makers in (sections or CLAIMS).items()
        for make in makers
        for claim in make(view)
    ]


def claim_gains(view: PairView) -> Iterator[Claim]:
    """The gains in full and in frozen loss at the last step."""
    for claim_id, field, name in (
        ("full-gain", "full_loss_nats_per_char", "Full loss"),
        ("reported-gain", "loss_nats_per_char", "Frozen loss"),
    ):
        yield from view.prove(
            claim_id,
            f"{name} at the last step, seed {{seed}}: {{b:loss}} → {{c:loss}} nats per character, {{value:gain}}.",
            GAIN,
            b=view.arm("baseline", f"final/{field}"),
            c=view.arm("candidate", f"final/{field}"),
        )


def claim_equal_terms(view: PairView) -> Iterator[Claim]:
    """What a difference in coverage is worth; nothing where the arms score the same share of the text."""
    coverages = {side[0] + "_coverage": view.arm(side, "final/coverage_percent") for side in ("baseline", "candidate")}
    less, more = (
        f"{higher} - {lower} > {COVERAGE_TOLERANCE_POINTS}"
        for lower, higher in (("c_coverage", "b_coverage"), ("b_coverage", "c_coverage"))
    )
    differs = f"max(b_coverage - c_coverage, c_coverage - b_coverage) > {COVERAGE_TOLERANCE_POINTS}"
    yield from view.prove(
        "coverage-difference",
        {
            condition: f"The frozen evaluation scores {{value:points}} points {word} of the validation tokens for "
            "{candidate}, so the two frozen losses are not on equal terms."
            for condition, word in ((less, "less"), (more, "more"))
        },
        "b_coverage - c_coverage",
        **coverages,
    )
    yield from view.prove(
        "matched-gain",
        {differs: "On equal terms (frozen loss / coverage) the loss of {candidate} is {value:gain}."},
        GAIN,
        b=view.arm("baseline", "final/matched_loss_nats_per_char"),
        c=view.arm("candidate", "final/matched_loss_nats_per_char"),
        **coverages,
    )
    if view.pair["reported_gain_percent"] > 0:
        yield from view.prove(
            "coverage-share",
            {
                f"{more} and full > reported": "Coverage hides part of the gain: the gain in full loss is larger "
                "than the reported one.",
                f"{less} and full <= 0": "The whole reported gain is coverage: in full loss {candidate} is no better.",
                f"{less} and full <= reported": "{value:percent} of the reported gain is coverage, not a better model.",
            },
            "100 * (1 - full / reported)",
            full=view.here("full_gain_percent"),
            reported=view.here("reported_gain_percent"),
            **coverages,
        )


def claim_target(view: PairView) -> Iterator[Claim]:
    """By how much the target was beaten or missed: the task's on its own data, the baseline's last loss elsewhere."""
    yield from view.prove(
        "target-margin",
        {
            f"official == {official} and differs == {differs} and {condition}": f"{target} is {outcome}{tail}."
            for official, target in (
                (1, "The task's target of {target:loss}"),
                (0, "The final frozen loss of {baseline}, {target:loss}, the target here,"),
            )
            for differs, tail in (
                (0, ""),
                (1, ", which is not on equal terms: coverage {c_coverage:percent} against {b_coverage:percent}"),
            )
            for condition, outcome in TARGET_OUTCOMES.items()
        },
        "100 * (target - c) / target",
        target=view.here("target/loss_nats_per_char"),
        c=view.arm("candidate", "final/loss_nats_per_char"),
        official=view.here("target/is_official"),
        differs=view.here("coverage_differs"),
        b_coverage=view.arm("baseline", "final/coverage_percent"),
        c_coverage=view.arm("candidate", "final/coverage_percent"),
    )


def claim_speed(view: PairView) -> Iterator[Claim]:
    """When the candidate is first measured at or below the baseline's final loss."""
    return prove_speed(
        view,
        "final",
        "of its training, {tokens:count} tokens, {elapsed:duration} of training time",
        tokens="tokens_seen",
        elapsed="elapsed_s",
    )


def prove_speed(view: PairView, which: str, cost: str, **fields: str) -> Iterator[Claim]:
    """When the candidate reaches the baseline's `which` loss, at a `cost` that quotes `fields` of the evaluation."""
    place, reached = next(
        (place, entry) for place, entry in enumerate(view.pair["times_to_loss"]) if entry["is_baseline_final"]
    )
    final = view.here(f"times_to_loss/{place}/loss_nats_per_char")
    if reached["candidate"] is None:
        yield from view.prove(
            "never-reaches-baseline",
            {
                "lowest > final": f"{{candidate}} is at no evaluation at or below the {which} loss of {{baseline}}, "
                "{final:loss} ({metric}); its lowest is {value:loss}."
            },
            "lowest",
            lowest=view.here("lowest_candidate_loss_nats_per_char"),
            final=final,
        )
        return
    fields = {"found": "loss_nats_per_char", "share": "share_done", "step": "step"} | fields
    yield from view.prove(
        "reaches-baseline",
        {
            "found <= final": f"{{candidate}} is first measured at or below the {which} loss of {{baseline}}, "
            f"{{final:loss}} ({{metric}}), at step {{step:count}}: after {{value:percent}} {cost}."
        },
        "100 * share",
        final=final,
        **{name: view.here(f"times_to_loss/{place}/candidate/{field}") for name, field in fields.items()},
    )


def claim_consistency(view: PairView) -> Iterator[Claim]:
    """How often the candidate is lower after the first evaluation, and by how little and how much."""
    if not view.pair["gains_after_first_percent"]:
        return
    gains = view.here("gains_after_first_percent")
    yield from view.prove(
        "evaluations-lower",
        {
            f"same == {same}": "{candidate} is lower at {lower:count} of the {value:count} evaluations after the first"
            f"{which} ({{metric}})."
            for same, which in ((1, ""), (0, " that stand beside one of {baseline}"))
        },
        "len(gains)",
        same=view.here("same_steps"),
        lower=view.here("num_evaluations_lower"),
        gains=gains,
    )
    for extreme, formula in (("Smallest", "min(gains)"), ("Largest", "max(gains)")):
        yield from view.prove(
            f"{extreme.lower()}-gain",
            f"{extreme} gain at an evaluation after the first: {{value:percent}} ({{metric}}).",
            formula,
            gains=gains,
        )


def claim_stability(view: PairView) -> Iterator[Claim]:
    """Rises of the frozen loss, values that are not finite and spikes of the gradient norm."""
    for side in ("baseline", "candidate"):
        label = view.here(f"{side}_label")
        yield from prove_rise(view, side, "frozen", "stability/largest_rise_nats_per_char")
        yield from view.prove(
            f"non-finite-{side}",
            {
                "count == 0": "{label}: the training losses and gradient norms of all {steps:count} steps are finite.",
                "count > 0": "{label}: {value:count} training losses and gradient norms of {steps:count} steps are not "
                "finite.",
            },
            "count",
            label=label,
            count=view.arm(side, "stability/num_non_finite"),
            steps=view.arm(side, "stability/num_steps"),
        )
        yield from view.prove(
            f"gradient-spikes-{side}",
            "{label}: {value:count} of {steps:count} gradient norms are above {factor} times the median.",
            "count",
            label=label,
            count=view.arm(side, "stability/num_gradient_spikes"),
            steps=view.arm(side, "stability/num_steps"),
            factor=view.arm(side, "stability/gradient_spike_factor"),
        )


def prove_rise(view: PairView, side: str, which: str, field: str) -> Iterator[Claim]:
    """By how much the `which` loss of one side rose at most between two evaluations, which its `field` holds."""
    yield from view.prove(
        f"largest-rise-{side}",
        {
            "rise == 0": f"{{label}}: the {which} loss never rose between two evaluations.",
            "rise > 0": f"{{label}}: the largest rise of the {which} loss between two evaluations is {{value:loss}}.",
        },
        "rise",
        label=view.here(f"{side}_label"),
        rise=view.arm(side, field),
    )


def claim_last_against_best(view: PairView) -> Iterator[Claim]:
    """How far the last frozen loss lies above the lowest one."""
    yield from view.prove(
        "last-against-best",
        {
            "last == lowest": "{candidate}: the last evaluation is the best one.",
            "last > lowest": "{candidate}: the last frozen loss lies {value:loss} above the lowest one, "
            "{lowest:loss} at step {step:count}; the last one is reported.",
        },
        "last - lowest",
        last=view.arm("candidate", "final/loss_nats_per_char"),
        lowest=view.arm("candidate", "min_frozen/loss_nats_per_char"),
        step=view.arm("candidate", "min_frozen/step"),
    )


def claim_cost(view: PairView) -> Iterator[Claim]:
    """What the candidate costs against the baseline."""
    for claim_id, field, what in (
        ("time-ratio", "train_elapsed_s", "training time"),
        ("flops-ratio", "training_flops", "floating-point operations (counted from the sizes)"),
        ("memory-ratio", "peak_memory_bytes", "peak memory"),
    ):
        yield from view.prove(
            claim_id,
            f"{{candidate}} takes {{value:ratio}} the {what} of {{baseline}}.",
            "c / b",
            b=view.arm("baseline", f"cost/{field}"),
            c=view.arm("candidate", f"cost/{field}"),
        )


CLAIMS: Sections = {
    "headline": (claim_headline, claim_verdict, claim_coverage),
    "findings": (
        claim_gains,
        claim_equal_terms,
        claim_target,
        claim_speed,
        claim_consistency,
        claim_stability,
        claim_last_against_best,
        claim_cost,
    ),
    "certainty": (claim_certainty,),
    "titles": (claim_titles,),
    "final": (claim_final_result,),
}
