"""How sure a gain is: Student's t over seeds, a paired bootstrap over titles, and what the noise lets one detect.

The two layers answer different questions and are never pooled: seeds show the noise of training, titles the noise of
having evaluated these titles and not others. All gains are in percent of the baseline's loss.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES = 10_000
BOOTSTRAP_SEED = 20_261_123
RESAMPLES_AT_ONCE = 64
"""Resamples whose draws are held at a time; bounds memory, and changes no number."""
MIN_SIGN_FLIP_PAIRS = 6
MAX_SIGN_FLIP_PAIRS = 20
MAX_NEEDED_PAIRS = 1_000
CONFIDENCE = 0.95
POWER = 0.80


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


def compute_t_interval(gains: Sequence[float], level: float) -> Interval | None:
    """Student's t interval of the mean of paired gains, one a seed; None below two pairs."""
    n = len(gains)
    if n < 2:
        return None
    half = _compute_t_quantile(n - 1, (1 + level) / 2) * compute_sd(gains) / math.sqrt(n)
    mean = math.fsum(gains) / n
    return Interval(mean - half, mean + half, 100 * level, "Student's t over seed pairs", n, "noise of training")


def compute_sd(values: Sequence[float]) -> float:
    """Sample standard deviation; needs two values."""
    return float(np.std(values, ddof=1))


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


def compute_sign_flip_p(gains: Sequence[float]) -> float | None:
    """Two-sided p of a mean gain at least this far from 0 if each pair's sign were a coin's; None below six pairs.

    Exact over all sign patterns (Fisher 1935); above 20 pairs it is not computed.
    """
    if not MIN_SIGN_FLIP_PAIRS <= len(gains) <= MAX_SIGN_FLIP_PAIRS:
        return None
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(gains))))
    sums = np.abs(signs @ np.array(gains))
    return float(np.mean(sums >= abs(math.fsum(gains)) * (1 - 1e-12)))


def compute_detectable_gain(sd: float, num_pairs: int) -> float | None:
    """The smallest true gain that a two-sided 95 % t-test over so many pairs finds with power 80 %; None below two."""
    if num_pairs < 2:
        return None
    low, high = 0.0, 1e3
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if _compute_power(middle, num_pairs) >= POWER else (middle, high)
    return high * sd / math.sqrt(num_pairs)


def compute_needed_pairs(gain: float, sd: float) -> int | None:
    """How many seed pairs find a true gain of this size with power 80 %; None where a thousand are not enough."""
    for num_pairs in range(2, MAX_NEEDED_PAIRS + 1):
        if _compute_power(abs(gain) / sd * math.sqrt(num_pairs), num_pairs) >= POWER:
            return num_pairs
    return None


def _compute_power(noncentrality: float, num_pairs: int) -> float:
    """Power of the one relevant side of the test, for a true mean of `noncentrality` standard errors."""
    from scipy.special import nctdtr

    critical = _compute_t_quantile(num_pairs - 1, (1 + CONFIDENCE) / 2)
    return 1 - float(nctdtr(num_pairs - 1, noncentrality, critical))


def _compute_t_quantile(degrees_of_freedom: int, level: float) -> float:
    """Quantile of Student's t."""
    from scipy.special import stdtrit  # half a second, which reports on one seed need not wait for

    return float(stdtrit(degrees_of_freedom, level))
