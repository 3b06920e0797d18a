from pathlib import Path

import pytest

from harness.analyse.seeds import measure_noise
from harness.plan.noise import PRIORS
from harness.store.document import load_document

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
    prior, measured = PRIORS["quick"], measure_noise(MEASURED_AT_QUICK, "here")
    assert measured is not None
    assert prior.num_pairs == measured.num_pairs
    for name in ("sd_percent", "low_percent", "high_percent"):
        assert getattr(prior, name) == pytest.approx(getattr(measured, name), rel=5e-3), name


def test_the_noise_known_at_laptop_is_the_spread_of_the_committed_comparison() -> None:
    document = load_document(Path(__file__).parents[3] / "results" / "frontier-laptop")
    pair = next(pair for pair in document["pairs"] if pair["candidate"] == "optimized")
    measured = measure_noise([entry["gain_percent"] for entry in pair["robustness"]["seed_pairs"]], "here")
    prior = PRIORS["laptop"]
    assert measured is not None and prior.num_pairs == measured.num_pairs == 3
    for name in ("sd_percent", "low_percent", "high_percent"):
        assert getattr(prior, name) == pytest.approx(getattr(measured, name), rel=5e-3), name


@pytest.mark.parametrize("gains", [[], [3.0], [3.0, 3.0]])
def test_fewer_than_two_different_gains_show_no_noise(gains: list[float]) -> None:
    assert measure_noise(gains, "here") is None
