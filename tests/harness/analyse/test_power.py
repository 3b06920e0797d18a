import numpy as np
import pytest

from harness.analyse.seeds import POWER, compute_detectable_gain, compute_needed_pairs
from harness.analyse.uncertainty import TitleVariance, compute_interval, compute_t_interval, estimate_gain

NUM_SIMULATED = 2_000


@pytest.mark.parametrize(("num_pairs", "gain"), [(5, 1.682), (10, 0.996), (20, 0.660), (34, 0.495)])
def test_the_detectable_gain_is_the_literatures(num_pairs: int, gain: float) -> None:
    """Effect sizes d of the two-sided paired t-test, alpha 0.05, power 0.80, as G*Power tabulates them."""
    assert compute_detectable_gain(1.0, num_pairs) == pytest.approx(gain, abs=5e-4)
    assert compute_detectable_gain(3.0, num_pairs) == pytest.approx(3 * gain, abs=2e-3)
    assert compute_detectable_gain(1.0, 1) is None


def test_the_needed_pairs_are_the_fewest_that_detect_the_gain() -> None:
    for num_pairs in (3, 10, 34):
        gain = compute_detectable_gain(1.0, num_pairs)
        assert gain is not None
        assert compute_needed_pairs(1.0001 * gain, 1.0) == num_pairs
        assert compute_needed_pairs(-0.9999 * gain, 1.0) == num_pairs + 1
    assert compute_needed_pairs(0.0, 1.0) is None
    assert compute_needed_pairs(100.0, 0.001) == 2


@pytest.mark.parametrize("num_pairs", [2, 3, 5, 10])
def test_without_titles_the_power_is_that_of_the_noncentral_t(num_pairs: int) -> None:
    from scipy.special import nctdtr, stdtrit

    gain = compute_detectable_gain(1.0, num_pairs)
    assert gain is not None
    critical = stdtrit(num_pairs - 1, 0.975)
    assert 1 - nctdtr(num_pairs - 1, gain * num_pairs**0.5, critical) == pytest.approx(POWER, abs=2e-4)


def test_a_gain_within_the_margin_or_hidden_by_the_titles_needs_more_pairs_than_there_are() -> None:
    assert compute_needed_pairs(0.5, 0.01, margin_percent=0.5) is None
    assert compute_needed_pairs(-1.0, 0.01, margin_percent=0.5) == compute_needed_pairs(0.5, 0.01)
    assert compute_needed_pairs(1.0, 0.01, title_variance=1.0) is None
    assert compute_needed_pairs(3.0, 0.5, title_variance=1.0) == 4


def test_titles_set_a_bound_that_seeds_do_not_lower() -> None:
    """(1.960 + 0.842) standard deviations, the textbook's normal power, where seeds add nothing."""
    gain = compute_detectable_gain(1e-6, 100, title_variance=0.25)
    assert gain == pytest.approx(0.5 * 2.8016, abs=1e-3)


def test_the_detectable_gain_is_detected_in_80_of_100_comparisons() -> None:
    gain = compute_detectable_gain(1.0, 5)
    assert gain is not None
    num_found = 0
    for gains in np.random.default_rng(50).normal(gain, 1.0, (NUM_SIMULATED, 5)):
        interval = compute_t_interval(gains.tolist(), 0.95)
        assert interval is not None
        num_found += interval.low_percent > 0
    assert 0.77 < num_found / NUM_SIMULATED < 0.83


def test_the_detectable_gain_of_seeds_and_titles_is_detected_in_80_of_100_comparisons() -> None:
    gain = compute_detectable_gain(0.3, 3, title_variance=0.04)
    assert gain is not None
    generator, num_found = np.random.default_rng(51), 0
    for _ in range(NUM_SIMULATED):
        seen = gain + generator.normal(0, 0.3, 3) + generator.normal(0, 0.2)
        estimate = estimate_gain(seen.tolist(), TitleVariance(0.04, 600))
        assert estimate is not None
        num_found += compute_interval(estimate, 0.95).low_percent > 0
    assert 0.77 < num_found / NUM_SIMULATED < 0.83
