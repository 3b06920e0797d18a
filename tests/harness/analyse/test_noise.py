import pytest

from harness.analyse.seeds import measure_noise
from harness.plan.noise import PRIORS
from tests.documents import KNOWN_NOISE, load_known_gains


@pytest.mark.parametrize("preset", KNOWN_NOISE)
def test_the_noise_that_is_known_is_the_spread_of_a_committed_comparison(preset: str) -> None:
    assert PRIORS.keys() == KNOWN_NOISE.keys()
    prior, measured = PRIORS[preset], measure_noise(load_known_gains(preset), "here")
    assert measured is not None and prior.num_pairs == measured.num_pairs
    for name in ("sd_percent", "low_percent", "high_percent"):
        assert getattr(prior, name) == pytest.approx(getattr(measured, name), rel=5e-3), name


@pytest.mark.parametrize("gains", [[], [3.0], [3.0, 3.0]])
def test_fewer_than_two_different_gains_show_no_noise(gains: list[float]) -> None:
    assert measure_noise(gains, "here") is None
