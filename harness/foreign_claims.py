"""The sentences about a pair in which logs of other programs stand; as in `claims`, each carries its formula."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from harness.claims import Claim, PairView, claim_consistency
from harness.formats import format_count, format_gain, format_loss, format_percent, format_ratio

_FRACTIONS = {
    **{10: "a tenth", 20: "a fifth", 25: "a quarter", 33: "a third", 40: "two fifths", 50: "half"},
    **{60: "three fifths", 67: "two thirds", 75: "three quarters", 80: "four fifths", 90: "nine tenths"},
}
"""Percent → words; used within four points."""
_MIN_WORDED = 6
_BASIS_WORDS = {
    "full_loss_nats_per_char": ("full-gain", "Full loss", "nats per character"),
    "matched_loss_nats_per_char": ("matched-gain", "On equal terms (frozen loss / coverage)", "nats per character"),
    "loss_nats_per_char": ("reported-gain", "Frozen loss as reported", "nats per character"),
    "loss_nats_per_token": ("token-gain", "Validation loss as reported", "nats per token"),
}


def build_foreign_claims(document: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """All claims on the pair at `index`."""
    view = PairView(document, index)
    return [asdict(claim) for make in CLAIMS for claim in make(view)]


def claim_foreign_gains(view: PairView) -> Iterator[Claim]:
    """The gain in the basis that decides, and then the reported one."""
    fields = list(dict.fromkeys((view.pair["basis"]["field"], "loss_nats_per_char")))
    for field in fields:
        claim_id, name, unit = _BASIS_WORDS[field]
        if field == "matched_loss_nats_per_char" and view.pair["basis"]["name"].endswith("estimated"):
            name += ", with an estimated coverage"
        losses = [view.arm(view.pair[side])["final"][field] for side in ("baseline", "candidate")]
        if None in losses:
            continue

        def write(gain: float, name: str = name, losses: list[float] = losses, unit: str = unit) -> str:
            return (
                f"{name}, at the last evaluation: {format_loss(losses[0])} → {format_loss(losses[1])} {unit}, "
                f"{format_gain(gain)}."
            )

        yield view.prove(
            claim_id, write, "100 * (b - c) / b", b=view.final("baseline", field), c=view.final("candidate", field)
        )


def claim_foreign_coverage(view: PairView) -> Iterator[Claim]:
    """What part of a reported gain is coverage; nothing where both score the same share."""
    if not view.pair["coverage_differs"]:
        return
    yield view.prove(
        "coverage-difference",
        lambda points: (
            f"The frozen evaluation scores {abs(points):.1f} points {'less' if points > 0 else 'more'} of the "
            f"validation text for {view.pair['candidate_label']}, so the two frozen losses are not on equal terms."
        ),
        "b - c",
        b=view.final("baseline", "coverage_percent"),
        c=view.final("candidate", "coverage_percent"),
    )
    if view.pair["coverage_share_percent"] is not None:
        yield view.prove(
            "coverage-share",
            describe_share,
            "100 * (1 - fair / reported)",
            fair=view.here("basis_gain_percent"),
            reported=view.here("reported_gain_percent"),
        )


def describe_share(share: float) -> str:
    """The share of a reported gain that is coverage, in plain words."""
    if share < 0:
        return "Coverage hides part of the gain: on equal terms the gain is larger than the reported one."
    if share >= 100:
        return "The whole reported gain is coverage: on equal terms the candidate is no better."
    nearest = min(_FRACTIONS, key=lambda percent: abs(percent - share))
    about = f", about {_FRACTIONS[nearest]}," if share >= _MIN_WORDED and abs(nearest - share) <= 4 else ""
    return f"{format_percent(share)}{about} of the reported gain is coverage, not a better model."


def claim_foreign_target(view: PairView) -> Iterator[Claim]:
    """The task's target on equal terms; nothing where the data is not recognised as the task's."""
    target = view.pair["target"]
    if target is None:
        return

    def write(margin: float) -> str:
        outcome = "met exactly" if margin == 0 else f"{'beaten' if margin > 0 else 'missed'} by "
        amount = "" if margin == 0 else format_percent(abs(margin))
        return (
            f"The task's target of {target['loss_nats_per_char']}, {format_loss(target['matched_loss_nats_per_char'])} "
            f"at full coverage, is {outcome}{amount} on equal terms; that the data is the task's is told from its "
            "token counts."
        )

    yield view.prove(
        "target-margin",
        write,
        "100 * (target - c) / target",
        target=view.here("target/matched_loss_nats_per_char"),
        c=view.final("candidate", "matched_loss_nats_per_char"),
    )


def claim_foreign_speed(view: PairView) -> Iterator[Claim]:
    """After what share of its steps the candidate is first at or below the baseline's last loss."""
    place, reached = next(
        (place, entry) for place, entry in enumerate(view.pair["times_to_loss"]) if entry["is_baseline_final"]
    )
    candidate, loss = view.pair["candidate_label"], format_loss(reached["loss_nats_per_char"])
    if reached["candidate"] is None:
        yield view.prove(
            "never-reaches-baseline",
            lambda lowest: (
                f"{candidate} is at no evaluation at or below the baseline's last loss of {loss} "
                f"({view.pair['curve_metric']}); its lowest is {format_loss(lowest)}."
            ),
            "lowest",
            lowest=view.here("lowest_candidate_loss_nats_per_char"),
        )
        return
    step = format_count(reached["candidate"]["step"])
    yield view.prove(
        "reaches-baseline",
        lambda share: (
            f"{candidate} is first measured at or below the baseline's last loss of {loss} "
            f"({view.pair['curve_metric']}) at step {step}: after {format_percent(share)} of its steps."
        ),
        "100 * share",
        share=view.here(f"times_to_loss/{place}/candidate/share_done"),
    )


def claim_foreign_course(view: PairView) -> Iterator[Claim]:
    """Rises between evaluations, and how far the last one lies above the best."""
    field = "loss_nats_per_token" if view.pair["basis"]["field"] == "loss_nats_per_token" else "loss_nats_per_char"
    for side in ("baseline", "candidate"):
        name, arm = view.pair[f"{side}_label"], view.arm(view.pair[side])
        pointer, minimum = f"/arms/{view.arm_index(arm['name'])}", arm["min_frozen"]
        yield view.prove(
            f"largest-rise-{side}",
            lambda rise, name=name: (  # type: ignore[misc]  # mypy types no lambda defaults
                f"{name}: the reported loss never rose between two evaluations."
                if rise == 0
                else f"{name}: the largest rise of the reported loss between two evaluations is {rise:.4f}."
            ),
            "rise",
            rise=f"{pointer}/rise_nats_per_char",
        )
        yield view.prove(
            f"last-against-best-{side}",
            lambda excess, name=name, minimum=minimum: (  # type: ignore[misc]  # as above
                f"{name}: the last evaluation is the best one."
                if excess == 0
                else f"{name}: the last reported loss lies {excess:.4f} above the lowest one, "
                f"{format_loss(minimum['loss_nats_per_char'])} at step {format_count(minimum['step'])}; "
                "the last one is judged."
            ),
            "last - lowest",
            last=f"{pointer}/final/{field}",
            lowest=f"{pointer}/min_frozen/loss_nats_per_char",
        )


def claim_foreign_size(view: PairView) -> Iterator[Claim]:
    """Parameters, where both logs give them."""
    counts = [view.arm(view.pair[side])["cost"]["num_parameters"] for side in ("baseline", "candidate")]
    if None in counts:
        return
    first, last = (f"/arms/{view.arm_index(view.pair[side])}/cost/num_parameters" for side in ("baseline", "candidate"))
    yield view.prove(
        "parameters-ratio",
        lambda ratio: f"{view.pair['candidate_label']} has {format_ratio(ratio)} the baseline's parameters.",
        "c / b",
        b=first,
        c=last,
    )


CLAIMS: tuple[Callable[[PairView], Iterator[Claim]], ...] = (
    claim_foreign_gains,
    claim_foreign_coverage,
    claim_foreign_target,
    claim_foreign_speed,
    claim_consistency,
    claim_foreign_course,
    claim_foreign_size,
)
"""In the order in which reports print them."""
