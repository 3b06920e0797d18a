"""The verdict on a pair, by the rule its plan fixed before the first run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from harness.analyse.uncertainty import (
    GainEstimate,
    Interval,
    TitleSampling,
    TitleVariance,
    compute_interval,
    compute_joint_level,
    compute_p_value,
    estimate_gain,
)
from harness.formats import format_interval
from harness.plan.noise import KnownNoise
from harness.store.pair_fields import Verdict
from harness.store.rounding import round_numbers

SIGNIFICANCE = 0.05
"""Share of wrong words that is accepted, one pair by itself or all of a comparison together."""

Word = Literal["IMPROVED", "EQUIVALENT", "REGRESSED", "INCONCLUSIVE"]


def decide_verdict(
    seed_gains: Sequence[float],
    titles: TitleSampling | None,
    margin_percent: float,
    known_noise: KnownNoise | None = None,
    num_pairs: int = 1,
) -> dict[str, Any]:
    """The verdict on the relative gain in full loss at the last step.

    `seed_gains` holds one gain a seed pair, `known_noise` is the plan's, and `num_pairs` of arms are compared at once.
    With two pairs or more one interval covers seeds and titles. With one it is the titles' and says of that pair of
    runs only (`runs_word`); of the recipes nothing is concluded, unless known noise does not reach as far. With
    neither seeds nor titles there is no interval.
    """
    verdict: dict[str, Any] = {
        "word": "INCONCLUSIVE",
        "gain_percent": sum(seed_gains) / len(seed_gains),
        "num_seed_pairs": len(seed_gains),
        "margin_percent": margin_percent,
        "label": "INCONCLUSIVE (single seed)",
        "interval_95": None,
        "interval_90": None,
        "interval_joint": None,
        "reason": "one pair without losses by title: no interval",
        "runs_word": None,
        "known_noise": None,
        "noise_multiple": None,
        "p_beyond_margin": 1.0,
        "p_within_margin": 1.0,
    }
    estimate = estimate_gain(seed_gains, titles.variance if titles else None)
    if estimate is not None:
        verdict |= _decide_by_seeds(estimate, margin_percent, num_pairs)
    elif titles is not None:
        verdict |= _decide_by_noise(titles, margin_percent, known_noise)
    return verdict


def _decide_by_seeds(estimate: GainEstimate, margin_percent: float, num_pairs: int) -> dict[str, Any]:
    wide, narrow = compute_interval(estimate, 0.95), compute_interval(estimate, 0.90)
    word = judge_intervals(wide, narrow, margin_percent)
    near_margin = math.copysign(margin_percent, estimate.mean_percent)
    p_value = compute_p_value(estimate, near_margin)
    is_within = abs(estimate.mean_percent) < margin_percent
    p_within = p_value / 2 if is_within else 1.0
    return {
        "word": word,
        "label": word,
        "interval_95": asdict(wide),
        "interval_90": asdict(narrow),
        "interval_joint": asdict(compute_interval(estimate, compute_joint_level(num_pairs))) if num_pairs > 1 else None,
        "reason": format_interval(asdict(wide)),
        "p_beyond_margin": 1.0 if is_within else p_value,
        "p_within_margin": 0.0 if _shows_nothing(wide) else p_within,
    }


def _decide_by_noise(titles: TitleSampling, margin_percent: float, known_noise: KnownNoise | None) -> dict[str, Any]:
    """The verdict on one pair of runs.

    Runs with the same loss on every title are one and the same, and so are their recipes as far as one seed shows.
    """
    wide, narrow = titles.wide, titles.narrow
    runs_word = judge_intervals(wide, narrow, margin_percent)
    beyond = max(wide.low_percent - margin_percent, -margin_percent - wide.high_percent)
    multiple = max(0.0, beyond / known_noise.high_percent) if known_noise else None
    are_same = _shows_nothing(wide)
    word: Word = "INCONCLUSIVE"
    note = "single seed"
    reason = format_interval(asdict(wide))
    if are_same:
        word = runs_word
        note += ", the same loss on every title"
    elif known_noise is None or multiple is None:
        reason += "; one seed pair, and no noise of training is known for these arms"
    elif multiple >= known_noise.needed_multiple:
        word = runs_word
        note += f", beyond {int(multiple)} times the known noise"
    else:
        reason += (
            f"; one seed pair, and not {known_noise.needed_multiple:g} times the known noise of training "
            f"({known_noise.high_percent:.2f} %) beyond the margin"
        )
    return {
        "word": word,
        "label": f"{word} ({note})",
        "interval_95": asdict(wide),
        "interval_90": asdict(narrow),
        "interval_joint": asdict(titles.joint) if titles.joint else None,
        "reason": reason,
        "runs_word": runs_word,
        "known_noise": asdict(known_noise) if known_noise else None,
        "noise_multiple": multiple,
        "p_beyond_margin": _bound_p(beyond, multiple, wide, titles.variance) if multiple else 1.0,
        "p_within_margin": 0.0 if are_same and word == "EQUIVALENT" else 1.0,
    }


def _bound_p(beyond: float, multiple: float, wide: Interval, titles: TitleVariance) -> float:
    """At most how often a pair lies so far beyond the margin: by noise of any shape (Cantelli), or by its titles."""
    by_noise = min(1.0, 2 / (1 + multiple**2))
    if titles.variance == 0:
        return by_noise
    distance = beyond + (wide.high_percent - wide.low_percent) / 2
    return max(by_noise, math.erfc(distance / math.sqrt(2 * titles.variance)))


def judge_intervals(wide: Interval, narrow: Interval, margin_percent: float) -> Word:
    """The word for a 95 % and a 90 % interval of a gain in percent; where nothing differs no margin is too small."""
    if wide.low_percent > margin_percent:
        return "IMPROVED"
    if wide.high_percent < -margin_percent:
        return "REGRESSED"
    if _shows_nothing(wide) or (-margin_percent < narrow.low_percent and narrow.high_percent < margin_percent):
        return "EQUIVALENT"
    return "INCONCLUSIVE"


def _shows_nothing(wide: Interval) -> bool:
    """Whether nothing at all differs, so that the interval is 0 alone."""
    return wide.low_percent == wide.high_percent == 0


def judge_together(verdicts: Sequence[Verdict]) -> None:
    """Puts into each verdict, as `adjusted`, what stands of it beside the others; None where it is the only one."""
    adjusted = adjust_verdicts(verdicts) if len(verdicts) > 1 else []
    for place, verdict in enumerate(verdicts):
        verdict["adjusted"] = round_numbers(adjusted[place]) if adjusted else None


def adjust_verdicts(verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The words that stand where all pairs of a comparison are judged together, in the same order.

    Holm's method, which holds however the pairs depend on each other: among all that are IMPROVED or REGRESSED a wrong
    word stands in at most 5 % of comparisons, and so among all that are EQUIVALENT.
    """
    beyond = _adjust([verdict["p_beyond_margin"] for verdict in verdicts])
    within = _adjust([verdict["p_within_margin"] for verdict in verdicts])
    adjusted = []
    for verdict, p_beyond, p_within in zip(verdicts, beyond, within, strict=True):
        stands = (p_within if verdict["word"] == "EQUIVALENT" else p_beyond) <= SIGNIFICANCE
        adjusted.append(
            {
                "word": verdict["word"] if stands else "INCONCLUSIVE",
                "p_beyond_margin": p_beyond,
                "p_within_margin": p_within,
                "num_pairs_judged": len(verdicts),
                "family_error_percent": 100 * SIGNIFICANCE,
                "method": "Holm",
            }
        )
    return adjusted


def _adjust(p_values: Sequence[float]) -> list[float]:
    """Holm (1979): the smallest p times their number, the next times one less, none below the one before."""
    adjusted, so_far = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = max(so_far, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = so_far
    return adjusted
