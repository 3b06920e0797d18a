"""How sure a gain is: one interval for new seeds and new titles, and the intervals of each layer alone.

Seeds show the noise of training, titles that of having evaluated these titles and not others. All gains are in percent
of the baseline's loss, variances in percent squared. How often the intervals cover what they say is simulated by
`benchmarks/coverage.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analyse.distributions import compute_chi_square_quantiles, compute_t_quantile

NUM_RESAMPLES = 10_000
BOOTSTRAP_SEED = 20_261_123
RESAMPLES_AT_ONCE = 64
"""Resamples whose draws are held at a time; bounds memory, and changes no number."""
MIN_RANGE_PAIRS = 5
"""With fewer pairs even their whole range covers the median gain in less than 90 % of cases."""
CONFIDENCE = 0.95
MIN_TAIL_RESAMPLES = 20
"""With fewer resamples beyond it the end of an interval would be one of chance."""
SIMULATED_COVERAGE_PERCENT = {
    True: {2: (90, 98), 3: (89, 97), 5: (87, 96)},
    False: {2: (91, 95), 3: (89, 95), 5: (87, 95)},
}
"""With titles or of seeds alone → from how many pairs on → the lowest and highest share that 95 % intervals covered.

Over normal noise, skewed noise and a bad run now and then, as docs/statistics.md shows them.
"""
_SMALLEST_LOG10_P = -300.0


@dataclass(frozen=True)
class Interval:
    """An interval with everything a reader needs to judge it."""

    low_percent: float
    high_percent: float
    level_percent: float
    method: str
    n: int
    covers: str
    """The noise it accounts for, in words; any other noise is not in it."""


@dataclass(frozen=True)
class TitleVariance:
    """How far a mean gain would move with other validation titles of the same kind."""

    variance: float
    """Of the mean gain over the seed pairs it was computed from."""
    num_titles: int


@dataclass(frozen=True)
class TitleSampling:
    """What the titles say of how sure a gain is."""

    wide: Interval
    """The 95 % interval that a bootstrap over titles gives the first pair of runs."""
    narrow: Interval
    """The 90 % one."""
    variance: TitleVariance
    """Of the mean gain over all seed pairs."""
    joint: Interval | None = None
    """The one that holds together with those of other pairs; None for one pair, and of too many for the resamples."""


@dataclass(frozen=True)
class GainEstimate:
    """A mean gain over seed pairs, with the two parts of its variance."""

    mean_percent: float
    num_pairs: int
    seed_variance: float
    """Of the mean, from the spread of the pairs' gains."""
    titles: TitleVariance | None
    """None where losses by title are not known: then new titles are not covered."""


def estimate_gain(gains: Sequence[float], titles: TitleVariance | None = None) -> GainEstimate | None:
    """The mean of paired gains, one a seed, and how sure it is; None below two pairs, which show no noise of training.

    `titles` is to be computed from the same pairs.
    """
    n = len(gains)
    if n < 2:
        return None
    return GainEstimate(math.fsum(gains) / n, n, compute_sd(gains) ** 2 / n, titles)


def compute_joint_level(num_pairs: int) -> float:
    """The level at which the intervals of so many pairs all hold in 95 % of comparisons, however they depend on each
    other (Bonferroni).
    """
    return 1 - (1 - CONFIDENCE) / num_pairs


def sample_titles(
    baseline_nats: NDArray[np.float64], candidate_nats: NDArray[np.float64], num_pairs: int
) -> TitleSampling:
    """What other validation titles of the same kind would change; the inputs are those of `compute_title_variance`.

    `num_pairs` are compared at once.
    """
    gains = bootstrap_gains(baseline_nats[0], candidate_nats[0])
    levels = (CONFIDENCE, 0.90, compute_joint_level(num_pairs))
    wide, narrow, joint = (compute_bootstrap_interval(gains, level, baseline_nats.shape[1]) for level in levels)
    has_tails = NUM_RESAMPLES * (1 - levels[2]) / 2 >= MIN_TAIL_RESAMPLES
    variance = compute_title_variance(baseline_nats, candidate_nats)
    return TitleSampling(wide, narrow, variance, joint if num_pairs > 1 and has_tails else None)


def compute_title_variance(baseline_nats: NDArray[np.float64], candidate_nats: NDArray[np.float64]) -> TitleVariance:
    """The titles' part in the variance of the mean gain over seed pairs.

    Both inputs are (pairs, titles): the losses of the same titles in the same order, a seed pair a row. A gain is a
    ratio of sums, so a title counts by its share in it (delta method). What differs from seed to seed in a title's
    share is part of the seeds' spread already and taken off: the crossed two-way analysis of variance.
    """
    num_pairs, num_titles = baseline_nats.shape
    ratios = candidate_nats.sum(axis=1, keepdims=True) / baseline_nats.sum(axis=1, keepdims=True)
    shares = 100 * (ratios * baseline_nats - candidate_nats) / baseline_nats.mean(axis=1, keepdims=True)
    by_title = shares.mean(axis=0)
    variance = float(by_title.var(ddof=1)) / num_titles
    if num_pairs > 1:
        rest = shares - by_title  # every row's mean is 0 already
        by_pair_and_title = float((rest**2).sum()) / ((num_pairs - 1) * (num_titles - 1))
        variance = max(0.0, variance - by_pair_and_title / (num_pairs * num_titles))
    return TitleVariance(variance, num_titles)


def compute_interval(estimate: GainEstimate, level: float) -> Interval:
    """The interval of the mean gain over new seeds and, where titles are known, new titles.

    The quantile is the mean of Student's t for the seeds and for the titles, each weighed by its variance (Cochran and
    Cox, 1950). Satterthwaite's degrees of freedom cover 87 to 95 % with two seeds.
    """
    half = _compute_half_width(estimate, (1 - level) / 2)
    method, covers = "Student's t over seed pairs", "noise of training"
    if estimate.titles:
        method += f" and {estimate.titles.num_titles:,} titles, weighed by their variances"
        covers += " and sampling of the validation titles"
    if level == CONFIDENCE:
        covers += ", in {} to {} % of simulated comparisons".format(*_find_simulated_coverage(estimate))
    low, high = estimate.mean_percent - half, estimate.mean_percent + half
    return Interval(low, high, 100 * level, method, estimate.num_pairs, covers)


def _find_simulated_coverage(estimate: GainEstimate) -> tuple[int, int]:
    by_pairs = SIMULATED_COVERAGE_PERCENT[estimate.titles is not None]
    return by_pairs[max(num_pairs for num_pairs in by_pairs if num_pairs <= estimate.num_pairs)]


def compute_p_value(estimate: GainEstimate, gain_percent: float) -> float:
    """1 − the level of the narrowest interval that reaches `gain_percent`: two-sided, from 0 to 1."""
    distance = abs(estimate.mean_percent - gain_percent)
    low, high = _SMALLEST_LOG10_P, 0.0
    for _ in range(60):
        middle = (low + high) / 2
        reached = _compute_half_width(estimate, 10**middle / 2) >= distance
        low, high = (middle, high) if reached else (low, middle)
    return float(10**high)


def _compute_half_width(estimate: GainEstimate, tail: float) -> float:
    """Half the width of the interval that leaves a share of `tail` out on either side."""
    total = estimate.seed_variance + (estimate.titles.variance if estimate.titles else 0.0)
    if total == 0:
        return 0.0
    weighed = -compute_t_quantile(estimate.num_pairs - 1, tail) * estimate.seed_variance
    if estimate.titles:
        weighed -= compute_t_quantile(estimate.titles.num_titles - 1, tail) * estimate.titles.variance
    return weighed / math.sqrt(total)


def compute_t_interval(gains: Sequence[float], level: float) -> Interval | None:
    """Student's t interval of the mean of paired gains, one a seed, without new titles; None below two."""
    estimate = estimate_gain(gains)
    return compute_interval(estimate, level) if estimate else None


def compute_median_interval(gains: Sequence[float], titles: TitleVariance | None = None) -> Interval | None:
    """An interval of the median gain over seeds, whatever the shape of their noise; None below five pairs.

    Between the lowest and the highest gain, or the k-th from either end where that still covers 95 %: its level for
    new seeds is exact and stands in it. New titles are added at 95 %, at right angles.
    """
    n = len(gains)
    if n < MIN_RANGE_PAIRS:
        return None
    left_out = [2 * sum(math.comb(n, k) for k in range(rank)) / 2**n for rank in range(1, n // 2 + 1)]
    rank = max([place for place, share in enumerate(left_out) if share <= 1 - CONFIDENCE], default=0)
    ordered = sorted(gains)
    middle, method = float(np.median(ordered)), "range of the seed pairs' gains"
    if rank:
        method += f" without the {rank} lowest and highest"
    covers, title_half = "noise of training of any shape", 0.0
    if titles:
        title_half = compute_t_quantile(titles.num_titles - 1, (1 + CONFIDENCE) / 2) * math.sqrt(titles.variance)
        covers += ", and sampling of the validation titles"
    low = middle - math.hypot(middle - ordered[rank], title_half)
    high = middle + math.hypot(ordered[n - 1 - rank] - middle, title_half)
    return Interval(low, high, 100 * (1 - left_out[rank]), method, n, covers)


def compute_sd(values: Sequence[float]) -> float:
    """Sample standard deviation; needs two values."""
    return float(np.std(values, ddof=1))


def compute_sd_interval(sd: float, num_values: int) -> tuple[float, float]:
    """The interval of a standard deviation measured over two values or more with normal noise, from chi-square."""
    tails = np.array([(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2])
    low, high = sd * np.sqrt((num_values - 1) / compute_chi_square_quantiles(num_values - 1, tails))
    return float(low), float(high)


def bootstrap_gains(
    baseline_nats: NDArray[np.float64], candidate_nats: NDArray[np.float64], num_resamples: int = NUM_RESAMPLES
) -> NDArray[np.float64]:
    """(resamples,) gains in summed loss over titles drawn with replacement, the same draw for both arms.

    Both inputs are (titles,), the loss of the same titles in the same order.
    """
    generator = np.random.Generator(np.random.PCG64(BOOTSTRAP_SEED))
    num_titles = len(baseline_nats)
    losses = np.stack([baseline_nats, candidate_nats], axis=1)
    sums = np.empty((num_resamples, 2))
    for first in range(0, num_resamples, RESAMPLES_AT_ONCE):
        count = min(RESAMPLES_AT_ONCE, num_resamples - first)
        draws = generator.integers(num_titles, size=(count, num_titles), dtype=np.int32)
        for place, draw in enumerate(draws, first):
            sums[place] = np.bincount(draw, minlength=num_titles) @ losses
    return 100 * (sums[:, 0] - sums[:, 1]) / sums[:, 0]


def compute_bootstrap_interval(gains: NDArray[np.float64], level: float, num_titles: int) -> Interval:
    """Percentile interval of bootstrapped gains."""
    low, high = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2])
    method = f"paired bootstrap over titles, {len(gains):,} resamples"
    return Interval(float(low), float(high), 100 * level, method, num_titles, "sampling of the validation titles")
