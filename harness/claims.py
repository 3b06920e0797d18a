"""The sentences of the summaries. Each is built from a formula over the comparison's own numbers, and carries it.

A sentence that is not true of the numbers is not made. A new claim is a function in `CLAIMS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from harness.formats import format_count, format_duration, format_gain, format_loss, format_percent, format_ratio
from harness.proof import evaluate_formula


@dataclass(frozen=True)
class Claim:
    """A sentence with its proof."""

    id: str
    text: str
    value: float
    formula: str
    inputs: dict[str, str]
    """Name in the formula → JSON pointer into `comparison.json`."""


@dataclass(frozen=True)
class PairView:
    """A comparison's document as the claims on one of its pairs read it."""

    document: dict[str, Any]
    index: int

    @property
    def pair(self) -> dict[str, Any]:
        return self.document["pairs"][self.index]  # type: ignore[no-any-return]  # parsed JSON is Any

    def arm_index(self, name: str) -> int:
        return [arm["name"] for arm in self.document["arms"]].index(name)

    def arm(self, name: str) -> dict[str, Any]:
        return self.document["arms"][self.arm_index(name)]  # type: ignore[no-any-return]  # parsed JSON is Any

    def final(self, side: str, field: str) -> str:
        """Pointer to a field of an arm's last measurements; `side` is `baseline` or `candidate`."""
        return f"/arms/{self.arm_index(self.pair[side])}/final/{field}"

    def here(self, path: str) -> str:
        """Pointer to something in the pair itself."""
        return f"/pairs/{self.index}/{path}"

    def prove(self, claim_id: str, write: Callable[[float], str], formula: str, **inputs: str) -> Claim:
        """The claim whose text is written from the value its formula has."""
        value = evaluate_formula(formula, inputs, self.document)
        return Claim(claim_id, write(value), value, formula, inputs)


def build_claims(document: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """All claims on the pair at `index` of a comparison's document."""
    view = PairView(document, index)
    return [asdict(claim) for make in CLAIMS for claim in make(view)]


def claim_gains(view: PairView) -> Iterator[Claim]:
    """The gains in full and in frozen loss at the last step."""
    for claim_id, field, name in (
        ("full-gain", "full_loss_nats_per_char", "Full loss"),
        ("reported-gain", "loss_nats_per_char", "Frozen loss"),
    ):
        before, after = view.final("baseline", field), view.final("candidate", field)
        losses = [view.arm(view.pair[side])["final"][field] for side in ("baseline", "candidate")]

        def write(gain: float, name: str = name, losses: list[float] = losses) -> str:
            return (
                f"{name} at the last step: {format_loss(losses[0])} → {format_loss(losses[1])} nats per character, "
                f"{format_gain(gain)}."
            )

        yield view.prove(claim_id, write, "100 * (b - c) / b", b=before, c=after)


def claim_coverage(view: PairView) -> Iterator[Claim]:
    """What a difference in coverage is worth; nothing where the arms score the same share of the text."""
    if not view.pair["coverage_differs"]:
        return
    coverages = {
        "b": view.final("baseline", "coverage_percent"),
        "c": view.final("candidate", "coverage_percent"),
    }
    yield view.prove(
        "coverage-difference",
        lambda points: (
            f"The frozen evaluation scores {abs(points):.1f} points "
            f"{'less' if points > 0 else 'more'} of the validation text for {view.pair['candidate_label']}, "
            "so the two frozen losses are not on equal terms."
        ),
        "b - c",
        **coverages,
    )
    yield view.prove(
        "matched-gain",
        lambda gain: f"On equal terms (frozen loss / coverage) the candidate is {format_gain(gain)}.",
        "100 * (b - c) / b",
        b=view.final("baseline", "matched_loss_nats_per_char"),
        c=view.final("candidate", "matched_loss_nats_per_char"),
    )
    if view.pair["coverage_share_percent"] is not None:
        yield view.prove(
            "coverage-share",
            _describe_coverage_share,
            "100 * (1 - full / reported)",
            full=view.here("full_gain_percent"),
            reported=view.here("reported_gain_percent"),
        )


def _describe_coverage_share(share: float) -> str:
    if share < 0:
        return "Coverage hides part of the gain: the gain in full loss is larger than the reported one."
    if share >= 100:
        return "The whole reported gain is coverage: in full loss the candidate is no better."
    return f"{format_percent(share)} of the reported gain is coverage, not a better model."


def claim_target(view: PairView) -> Iterator[Claim]:
    """By how much the target was beaten or missed: the task's on its own data, the baseline's last loss elsewhere."""
    target = view.pair["target"]
    name = "The task's target" if target["is_official"] else "The target here, the baseline's final frozen loss"

    def write(margin: float) -> str:
        if margin == 0:
            return f"{name} of {format_loss(target['loss_nats_per_char'])} is met exactly."
        outcome = "beaten" if margin > 0 else "missed"
        return f"{name} of {format_loss(target['loss_nats_per_char'])} is {outcome} by {format_percent(abs(margin))}."

    yield view.prove(
        "target-margin",
        write,
        "100 * (target - c) / target",
        target=view.here("target/loss_nats_per_char"),
        c=view.final("candidate", "loss_nats_per_char"),
    )


def claim_speed(view: PairView) -> Iterator[Claim]:
    """When the candidate is first measured at or below the baseline's final loss."""
    place, reached = next(
        (place, entry) for place, entry in enumerate(view.pair["times_to_loss"]) if entry["is_baseline_final"]
    )
    loss, candidate = format_loss(reached["loss_nats_per_char"]), view.pair["candidate_label"]
    if reached["candidate"] is None:
        yield view.prove(
            "never-reaches-baseline",
            lambda lowest: (
                f"{candidate} is at no evaluation at or below the baseline's final loss of {loss} "
                f"({view.pair['curve_metric']}); its lowest is {format_loss(lowest)}."
            ),
            "lowest",
            lowest=view.here("lowest_candidate_loss_nats_per_char"),
        )
        return
    found = reached["candidate"]
    yield view.prove(
        "reaches-baseline",
        lambda share: (
            f"{candidate} is first measured at or below the baseline's final loss of {loss} "
            f"({view.pair['curve_metric']}) at step "
            f"{format_count(found['step'])}: after {format_percent(share)} of its training, "
            f"{format_count(found['tokens_seen'])} tokens, {format_duration(found['elapsed_s'])} of training time."
        ),
        "100 * share",
        share=view.here(f"times_to_loss/{place}/candidate/share_done"),
    )


def claim_consistency(view: PairView) -> Iterator[Claim]:
    """How often the candidate is lower after the first evaluation, and by how little and how much."""
    gains = view.pair["gains_after_first_percent"]
    if not gains:
        return
    yield view.prove(
        "evaluations-lower",
        lambda lower: (
            f"{view.pair['candidate_label']} is lower at {lower:.0f} of the {len(gains)} evaluations after the "
            f"first ({view.pair['curve_metric']})."
        ),
        "lower",
        lower=view.here("num_evaluations_lower"),
    )
    yield view.prove(
        "smallest-gain",
        lambda smallest: f"Smallest gain at an evaluation after the first: {format_percent(smallest)}.",
        "min(gains)",
        gains=view.here("gains_after_first_percent"),
    )
    yield view.prove(
        "largest-gain",
        lambda largest: f"Largest gain at an evaluation after the first: {format_percent(largest)}.",
        "max(gains)",
        gains=view.here("gains_after_first_percent"),
    )


def claim_stability(view: PairView) -> Iterator[Claim]:
    """Rises of the frozen loss and spikes of the gradient norm."""
    for side in ("baseline", "candidate"):
        arm, name = view.arm(view.pair[side]), view.pair[f"{side}_label"]
        stability = arm["stability"]
        pointer = f"/arms/{view.arm_index(arm['name'])}/stability"
        yield view.prove(
            f"largest-rise-{side}",
            lambda rise, name=name: (  # type: ignore[misc]  # mypy types no lambda defaults
                f"{name}: the frozen loss never rose between two evaluations."
                if rise == 0
                else f"{name}: the largest rise of the frozen loss between two evaluations is {rise:.4f}."
            ),
            "rise",
            rise=f"{pointer}/largest_rise_nats_per_char",
        )
        yield view.prove(
            f"gradient-spikes-{side}",
            lambda count, name=name, stability=stability: (  # type: ignore[misc]  # as above
                f"{name}: all {stability['num_steps']:,} training losses and gradient norms are finite; "
                f"{count:.0f} gradient norms are above ten times the median."
            ),
            "count",
            count=f"{pointer}/num_gradient_spikes",
        )


def claim_last_against_best(view: PairView) -> Iterator[Claim]:
    """How far the last frozen loss lies above the lowest one."""
    name, arm = view.pair["candidate_label"], view.arm(view.pair["candidate"])
    minimum = arm["min_frozen"]
    pointer = f"/arms/{view.arm_index(arm['name'])}"
    yield view.prove(
        "last-against-best",
        lambda excess: (
            f"{name}: the last evaluation is the best one."
            if excess == 0
            else f"{name}: the last frozen loss lies {excess:.4f} above the lowest one, "
            f"{format_loss(minimum['loss_nats_per_char'])} at step {format_count(minimum['step'])}; "
            "the last one is reported."
        ),
        "last - lowest",
        last=f"{pointer}/final/loss_nats_per_char",
        lowest=f"{pointer}/min_frozen/loss_nats_per_char",
    )


def claim_cost(view: PairView) -> Iterator[Claim]:
    """What the candidate costs against the baseline."""
    for claim_id, field, what in (
        ("time-ratio", "time_ratio", "training time"),
        ("flops-ratio", "flops_ratio", "floating-point operations"),
        ("memory-ratio", "memory_ratio", "peak memory"),
    ):
        yield view.prove(
            claim_id,
            lambda ratio, what=what: (
                f"{view.pair['candidate_label']} takes {format_ratio(ratio)} the baseline's {what}."
            ),  # type: ignore[misc]  # as above
            "ratio",
            ratio=view.here(field),
        )


CLAIMS: tuple[Callable[[PairView], Iterator[Claim]], ...] = (
    claim_gains,
    claim_coverage,
    claim_target,
    claim_speed,
    claim_consistency,
    claim_stability,
    claim_last_against_best,
    claim_cost,
)
"""In the order in which reports print them."""
