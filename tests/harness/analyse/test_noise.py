import math

import pytest

from harness.analyse.noise import measure_noise
from harness.analyse.uncertainty import compute_sd_interval, compute_t_interval
from harness.plan.noise import PRIORS

MEASURED_AT_QUICK = [
    30.47457933,
    30.89946559,
    30.93369913,
    30.81003526,
    30.39652348,
    30.69763743,
    30.60095139,
    30.71238889,
]
"""Gains in percent of eight seed pairs of baseline and optimized, as docs/statistics.md lists them."""


def test_the_noise_known_at_quick_is_the_spread_of_the_gains_it_was_measured_on() -> None:
    prior, measured = PRIORS["quick"].noise, measure_noise(MEASURED_AT_QUICK, "here")
    assert measured is not None
    assert prior.num_pairs == measured.num_pairs
    for name in ("sd_percent", "low_percent", "high_percent"):
        assert getattr(prior, name) == pytest.approx(getattr(measured, name), rel=5e-3), name


def test_the_noise_known_at_laptop_is_that_of_the_two_pairs_whose_interval_was_published() -> None:
    """24.33 to 25.27 %, Student's t over two pairs, whose quantile is tan(0.475 · π)."""
    prior, half = PRIORS["laptop"].noise, (25.27 - 24.33) / 2
    sd = half * math.sqrt(2) / math.tan(0.475 * math.pi)
    published = compute_t_interval([24.80 - sd / math.sqrt(2), 24.80 + sd / math.sqrt(2)], 0.95)
    assert published is not None and published.high_percent == pytest.approx(25.27)
    found = (sd, *compute_sd_interval(sd, 2))
    assert (prior.sd_percent, prior.low_percent, prior.high_percent) == pytest.approx(found, rel=5e-3)
    assert prior.num_pairs == 2


@pytest.mark.parametrize("gains", [[], [3.0], [3.0, 3.0]])
def test_fewer_than_two_different_gains_show_no_noise(gains: list[float]) -> None:
    assert measure_noise(gains, "here") is None
