from pathlib import Path

import pytest

from harness.analyse.seeds import measure_noise
from harness.plan.noise import PRIORS
from harness.store.document import load_document

RESULTS = Path(__file__).parents[3] / "results"


@pytest.mark.parametrize(
    ("preset", "folder", "left_out"),
    [("quick", "quick-seeds", [1337]), ("laptop", "frontier-laptop", [])],
)
def test_the_noise_that_is_known_is_the_spread_of_a_committed_comparison(
    preset: str, folder: str, left_out: list[int]
) -> None:
    """At quick without the seed that single runs are judged by it with."""
    pairs = load_document(RESULTS / folder)["pairs"]
    [pair] = [pair for pair in pairs if (pair["baseline"], pair["candidate"]) == ("baseline", "optimized")]
    entries = [entry for entry in pair["robustness"]["seed_pairs"] if entry["seed"] not in left_out]
    prior, measured = PRIORS[preset], measure_noise([entry["gain_percent"] for entry in entries], "here")
    assert measured is not None and prior.num_pairs == measured.num_pairs
    for name in ("sd_percent", "low_percent", "high_percent"):
        assert getattr(prior, name) == pytest.approx(getattr(measured, name), rel=5e-3), name


@pytest.mark.parametrize("gains", [[], [3.0], [3.0, 3.0]])
def test_fewer_than_two_different_gains_show_no_noise(gains: list[float]) -> None:
    assert measure_noise(gains, "here") is None
