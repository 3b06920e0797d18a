"""What it takes to see a gain: the smallest that so many seed pairs find, and the pairs that a gain needs.

The test is that of the verdict: the 95 % interval of seeds and titles, beyond the margin on the gain's side.
"""

import math
from bisect import bisect_left

import numpy as np

from harness.analyse.distributions import (
    compute_chi_square_quantiles,
    compute_normal_shares,
    compute_t_quantile,
)
from harness.analyse.uncertainty import CONFIDENCE

POWER = 0.80
MAX_NEEDED_PAIRS = 1_000
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
"""Gauss's, from −1 to 1, of the integral over the spread that the pairs happen to show."""
_COUNTS = range(2, MAX_NEEDED_PAIRS + 1)


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


def _compute_power(beyond: float, sd: float, num_pairs: int, title_variance: float) -> float:
    """How often the interval's near end is beyond the margin, where the true gain is `beyond` it.

    The mean gain is normal whatever spread the pairs show, so the chance is averaged over that spread.
    """
    true_seed_variance = sd**2 / num_pairs
    shown = true_seed_variance * compute_chi_square_quantiles(num_pairs - 1, (_NODES + 1) / 2) / (num_pairs - 1)
    tail = (1 + CONFIDENCE) / 2
    weighed = compute_t_quantile(num_pairs - 1, tail) * shown + compute_t_quantile(math.inf, tail) * title_variance
    halves = weighed / np.sqrt(shown + title_variance)
    shares = compute_normal_shares((beyond - halves) / math.sqrt(true_seed_variance + title_variance))
    return float(_WEIGHTS @ shares / 2)
