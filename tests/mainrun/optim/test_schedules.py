import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainrun.recipes import RECIPES, build_named_config


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


@pytest.mark.parametrize("max_steps", [1, 2, 7, 938])
@pytest.mark.parametrize("warmup_fraction", ["0", "0.5", "0.999"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_no_step_of_any_length_leaves_the_range_from_zero_to_the_peak(
    recipe: str, warmup_fraction: str, max_steps: int
) -> None:
    config = build_named_config(recipe, "quick", {"warmup_fraction": warmup_fraction})
    factors = [config.schedule.compute_factor(step, max_steps) for step in range(1, max_steps + 1)]
    assert all(0 <= factor <= 1 for factor in factors)
