"""What several seeds show: the paired gains, the noise floor, and what it takes to see a gain through it.

A gain is seen where the 95 % interval of seeds and titles, that of the verdict, lies beyond the margin on its side.
"""

import itertools
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analyse.curves import compute_gain
from harness.analyse.distributions import (
    compute_chi_square_quantiles,
    compute_normal_shares,
    compute_t_quantile,
)
from harness.analyse.uncertainty import (
    CONFIDENCE,
    TitleVariance,
    compute_median_interval,
    compute_sd,
    compute_sd_interval,
    compute_t_interval,
)
from harness.plan.noise import KnownNoise

MIN_SIGN_FLIP_PAIRS = 6
MAX_SIGN_FLIP_PAIRS = 20
POWER = 0.80
MAX_NEEDED_PAIRS = 1_000
NUM_NODES = 64
"""Of the integral over the spread that the pairs happen to show."""
_COUNTS = range(2, MAX_NEEDED_PAIRS + 1)
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


def describe_robustness(
    pairs: Sequence[dict[str, Any]],
    *,
    equal_arms: bool = False,
    titles: TitleVariance | None = None,
    margin_percent: float = 0.0,
    known_noise: KnownNoise | None = None,
) -> dict[str, Any]:
    """The noise of training as the seeds show it; None wherever there are too few of them to say.

    What can be detected, and the pairs that the gain needs, are for a verdict of seeds, titles and margin
    together. With one pair the pairs needed are told from the noise that the plan knows.
    """
    gains = [pair["gain_percent"] for pair in pairs]
    mean = sum(gains) / len(gains)
    interval, typical = compute_t_interval(gains, 0.95), compute_median_interval(gains, titles)
    noise, source = _find_noise_floor(pairs, equal_arms=equal_arms)
    title_variance = titles.variance if titles else 0.0
    detectable = None if noise is None else compute_detectable_gain(noise.sd_percent, len(pairs), title_variance)
    known = noise or known_noise
    return {
        "seed_pairs": list(pairs),
        "num_seed_pairs": len(pairs),
        "mean_gain_percent": mean,
        "sd_gain_percent": compute_sd(gains) if len(gains) > 1 else None,
        "interval_95": asdict(interval) if interval else None,
        "median_interval": asdict(typical) if typical else None,
        "sign_flip_p": compute_sign_flip_p(gains),
        "noise_floor_percent": noise and noise.sd_percent,
        "noise_floor_low_percent": noise and noise.low_percent,
        "noise_floor_high_percent": noise and noise.high_percent,
        "noise_floor_source": source,
        "detectable_gain_percent": None if detectable is None else margin_percent + detectable,
        "confidence_percent": 100 * CONFIDENCE,
        "power_percent": 100 * POWER,
        "needed_pairs": None
        if known is None
        else compute_needed_pairs(mean, known.sd_percent, margin_percent=margin_percent, title_variance=title_variance),
        "needed_pairs_source": known and known.source,
    }


def measure_noise(gains: Sequence[float], source: str) -> KnownNoise | None:
    """The spread of the gains of two seed pairs or more, in percent; None where there are fewer, or it is none at all.

    The interval is chi-square's at 95 %, for normal noise. `source` says in words which pairs they are.
    """
    if len(gains) < 2:
        return None
    sd = compute_sd(gains)
    if sd == 0:
        return None
    low, high = compute_sd_interval(sd, len(gains))
    return KnownNoise(sd, low, high, len(gains), source)


def compute_sign_flip_p(gains: Sequence[float]) -> float | None:
    """Two-sided p of a mean gain at least this far from 0 if each pair's sign were a coin's; None below six pairs.

    Exact over all sign patterns (Fisher 1935); above 20 pairs it is not computed.
    """
    if not MIN_SIGN_FLIP_PAIRS <= len(gains) <= MAX_SIGN_FLIP_PAIRS:
        return None
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(gains))))
    sums = np.abs(signs @ np.array(gains))
    return float(np.mean(sums >= abs(math.fsum(gains)) * (1 - 1e-12)))


def compute_detectable_gain(sd: float, num_pairs: int, title_variance: float = 0.0) -> float | None:
    """The smallest true gain that so many pairs find above a margin of 0 with power 80 %; None below two pairs.

    `sd` is that of the gain of one seed pair, `title_variance` the titles' part in the variance of the mean gain,
    which more seeds do not lower. For another margin, add it.
    """
    if num_pairs < 2:
        return None
    scale = math.sqrt(sd**2 / num_pairs + title_variance)
    low, high = 0.0, 1e3 * scale
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if _compute_power(middle, sd, num_pairs, title_variance) >= POWER else (middle, high)
    return high


def compute_needed_pairs(
    gain: float, sd: float, *, margin_percent: float = 0.0, title_variance: float = 0.0
) -> int | None:
    """How many seed pairs find a true gain of this size beyond the margin with power 80 %.

    None where a thousand are not enough, or no number is: the gain is within the margin, or hidden by the titles.
    """
    beyond = abs(gain) - margin_percent
    if beyond <= 0:
        return None
    place = bisect_left(
        _COUNTS, POWER, key=lambda num_pairs: _compute_power(beyond, sd, num_pairs, title_variance)
    )  # above 5 % of power more pairs never find less
    return _COUNTS[place] if place < len(_COUNTS) else None


@cache
def _find_nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss's nodes and weights from −1 to 1; found at the first use, not at every start."""
    nodes, weights = np.polynomial.legendre.leggauss(NUM_NODES)
    return nodes, weights


def _compute_power(beyond: float, sd: float, num_pairs: int, title_variance: float) -> float:
    """How often the interval's near end is beyond the margin, where the true gain is `beyond` it.

    The mean gain is normal whatever spread the pairs show, so the chance is averaged over that spread.
    """
    nodes, weights = _find_nodes()
    true_seed_variance = sd**2 / num_pairs
    shown = true_seed_variance * compute_chi_square_quantiles(num_pairs - 1, (nodes + 1) / 2) / (num_pairs - 1)
    tail = (1 + CONFIDENCE) / 2
    weighed = compute_t_quantile(num_pairs - 1, tail) * shown + compute_t_quantile(math.inf, tail) * title_variance
    halves = weighed / np.sqrt(shown + title_variance)
    shares = compute_normal_shares((beyond - halves) / math.sqrt(true_seed_variance + title_variance))
    return float(weights @ shares / 2)


def _find_noise_floor(pairs: Sequence[dict[str, Any]], *, equal_arms: bool) -> tuple[KnownNoise | None, str]:
    """The spread over seeds, and where it comes from, or why there is none.

    Paired differences of arms that differ by nothing say how exactly runs repeat, not how seeds vary.
    """
    if len(pairs) < 2:
        return None, "not measured: one seed"
    paired = measure_noise([pair["gain_percent"] for pair in pairs], "standard deviation of the paired gains")
    if paired is not None and not equal_arms:
        return paired, paired.source
    losses = [pair["baseline_full_loss_nats_per_char"] for pair in pairs]
    percents = [100 * len(losses) * loss / sum(losses) for loss in losses]
    spread = measure_noise(percents, "standard deviation over the seeds of one arm")
    return spread, "not measured: no spread" if spread is None else spread.source
