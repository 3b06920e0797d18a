"""What several seeds show: the paired gains, the noise floor, and what it takes to see a gain through it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.analyse.curves import compute_gain
from harness.analyse.uncertainty import (
    CONFIDENCE,
    POWER,
    compute_detectable_gain,
    compute_needed_pairs,
    compute_sd,
    compute_sign_flip_p,
    compute_t_interval,
)

SeedLosses = dict[int, float]
"""Seed → full loss at the last step, nats per character; only complete runs."""


def pair_seeds(seeds: Sequence[int], baseline: SeedLosses, candidate: SeedLosses) -> list[dict[str, Any]]:
    """One entry a seed that both arms completed, in the plan's order."""
    return [
        {
            "seed": seed,
            "baseline_full_loss_nats_per_char": baseline[seed],
            "candidate_full_loss_nats_per_char": candidate[seed],
            "gain_percent": compute_gain(baseline[seed], candidate[seed]),
        }
        for seed in seeds
        if seed in baseline and seed in candidate
    ]


def describe_robustness(pairs: Sequence[dict[str, Any]], *, equal_arms: bool = False) -> dict[str, Any]:
    """The noise of training as the seeds show it; None wherever there are too few of them to say."""
    gains = [pair["gain_percent"] for pair in pairs]
    interval = compute_t_interval(gains, 0.95)
    noise, source = _find_noise_floor(pairs, equal_arms=equal_arms)
    return {
        "seed_pairs": list(pairs),
        "num_seed_pairs": len(pairs),
        "mean_gain_percent": sum(gains) / len(gains),
        "sd_gain_percent": compute_sd(gains) if len(gains) > 1 else None,
        "interval_95": asdict(interval) if interval else None,
        "sign_flip_p": compute_sign_flip_p(gains),
        "noise_floor_percent": noise,
        "noise_floor_source": source,
        "detectable_gain_percent": None if noise is None else compute_detectable_gain(noise, len(pairs)),
        "confidence_percent": 100 * CONFIDENCE,
        "power_percent": 100 * POWER,
        "needed_pairs": None if noise is None else compute_needed_pairs(sum(gains) / len(gains), noise),
    }


def _find_noise_floor(pairs: Sequence[dict[str, Any]], *, equal_arms: bool) -> tuple[float | None, str]:
    """The spread over seeds in percent, and where it comes from.

    Paired differences of arms that differ by nothing say how exactly runs repeat, not how seeds vary.
    """
    if len(pairs) < 2:
        return None, "not measured: one seed"
    paired = compute_sd([pair["gain_percent"] for pair in pairs])
    if paired > 0 and not equal_arms:
        return paired, "standard deviation of the paired gains"
    losses = [pair["baseline_full_loss_nats_per_char"] for pair in pairs]
    spread = 100 * compute_sd(losses) / (sum(losses) / len(losses))
    return (spread, "standard deviation over the seeds of one arm") if spread > 0 else (None, "not measured: no spread")
