"""Quantiles and probabilities of the distributions that the statistics rest on; the one place that asks scipy.

scipy is imported where it is used: it takes half a second, which reports on one seed need not wait for.
"""

import numpy as np
from numpy.typing import NDArray


def compute_t_quantile(degrees_of_freedom: float, level: float) -> float:
    """Quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, level))


def compute_chi_square_quantiles(degrees_of_freedom: float, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles of chi-square, of the shape of `levels`."""
    from scipy.special import chdtri

    quantiles: NDArray[np.float64] = chdtri(degrees_of_freedom, 1 - levels)
    return quantiles


def compute_normal_shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the standard normal distribution below `values`, of their shape."""
    from scipy.special import ndtr

    shares: NDArray[np.float64] = ndtr(values)
    return shares
