import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainrun.optim.schedules import SCHEDULES, WSD
from mainrun.recipes import RECIPES, build_named_config
from mainrun.record.errors import RequestError


def learning_rate(recipe: str, step: int, max_steps: int) -> float:
    config = build_named_config(recipe, "mainrun", {})
    return config.optimizer.learning_rate * config.schedule.compute_factor(step, max_steps)


# By hand from the formulas in words: a half cosine from 6e-3; a rise to 3e-4 over 100 of 938 steps, then a half cosine.
BASELINE = [
    (938, 1, 6e-3),
    (938, 2, 5.99998317e-3),
    (938, 470, 3e-3),
    (938, 938, 1.68266e-8),
    (987, 1, 6e-3),
    (987, 330, 4.5e-3),
    (987, 659, 1.5e-3),
    (987, 987, 1.51972e-8),
]
OPTIMIZED = [
    (938, 1, 0.0),
    (938, 2, 3e-6),
    (938, 51, 1.5e-4),
    (938, 100, 2.97e-4),
    (938, 101, 3e-4),
    (938, 102, 2.999989459e-4),
    (938, 520, 1.5e-4),
    (938, 938, 1.05406e-9),
    (987, 1, 0.0),
    (987, 2, 2.857142857e-6),
    (987, 105, 2.971428571e-4),
    (987, 106, 3e-4),
    (987, 547, 1.5e-4),
    (987, 987, 9.5156e-10),
]


@pytest.mark.parametrize(("max_steps", "step", "expected"), BASELINE)
def test_the_baseline_falls_as_a_half_cosine(max_steps: int, step: int, expected: float) -> None:
    assert learning_rate("baseline", step, max_steps) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("max_steps", "step", "expected"), OPTIMIZED)
def test_optimized_rises_from_zero_then_falls_as_a_half_cosine(max_steps: int, step: int, expected: float) -> None:
    assert learning_rate("optimized", step, max_steps) == pytest.approx(expected, rel=1e-4)


@given(st.integers(2, 3000), st.data())
def test_optimized_is_the_formula_at_any_length(max_steps: int, data: st.DataObject) -> None:
    step, warmup = data.draw(st.integers(1, max_steps)), round(max_steps * 100 / 938)
    if step <= warmup:
        expected = 3e-4 * (step - 1) / warmup
    else:
        expected = 3e-4 * 0.5 * (1 + math.cos(math.pi * (step - 1 - warmup) / (max_steps - warmup)))
    assert learning_rate("optimized", step, max_steps) == pytest.approx(expected, rel=1e-12, abs=1e-18)


# By hand, of 1,000 steps: 50 of warm-up, 650 at the peak, 300 of decay.
STEPS_OF_WSD = [(1, 0.0), (26, 0.5), (50, 0.98), (51, 1.0), (700, 1.0), (701, 1.0), (776, 0.5), (893, 0.2), (713, 0.8)]


@pytest.mark.parametrize(("step", "expected"), STEPS_OF_WSD)
def test_wsd_rises_stays_and_falls_by_the_root_of_the_share_of_the_decay(step: int, expected: float) -> None:
    assert WSD(warmup_fraction=0.05, decay_fraction=0.3).compute_factor(step, 1000) == pytest.approx(expected)


def test_a_warm_up_and_a_decay_that_overlap_are_refused() -> None:
    assert WSD(warmup_fraction=0.5, decay_fraction=0.5).compute_factor(501, 1000) == 1
    with pytest.raises(
        RequestError, match=r"'schedule.decay_fraction' must be at most what the warm-up leaves \(0.5\)"
    ):
        WSD(warmup_fraction=0.5, decay_fraction=0.6)


@pytest.mark.parametrize("max_steps", [1, 2, 7, 938])
@pytest.mark.parametrize("warmup_fraction", ["0", "0.5", "0.999"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_no_step_of_any_length_leaves_the_range_from_zero_to_the_peak(
    recipe: str, schedule: str, warmup_fraction: str, max_steps: int
) -> None:
    settings = {"schedule": schedule, "warmup_fraction": warmup_fraction}
    config = build_named_config(recipe, "quick", settings | ({"decay_fraction": "0.001"} if schedule == "wsd" else {}))
    factors = [config.schedule.compute_factor(step, max_steps) for step in range(1, max_steps + 1)]
    assert all(0 <= factor <= 1 for factor in factors)
