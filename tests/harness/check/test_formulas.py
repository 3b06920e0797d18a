"""The contract's formulas, which the checker computes by its own code, against those of the training program."""

from typing import get_args, get_type_hints

import pytest

from harness.check.consistency import compute_learning_rate, compute_step_flops
from mainrun import sizes
from mainrun.model.settings import ModelSettings
from mainrun.optim.optimizers import OPTIMIZERS
from mainrun.optim.schedules import SCHEDULES
from mainrun.recipes import PRESETS, RECIPES, build_named_config


@pytest.mark.parametrize("max_steps", [1, 2, 7, 938])
@pytest.mark.parametrize("warmup_fraction", ["0", "0.1", "0.5"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_checker_knows_the_learning_rate_of_every_schedule(
    recipe: str, schedule: str, warmup_fraction: str, max_steps: int
) -> None:
    config = build_named_config(recipe, "quick", {"schedule": schedule, "warmup_fraction": warmup_fraction})
    for step in range(1, max_steps + 1):
        expected = config.optimizer.learning_rate * config.schedule.compute_factor(step, max_steps)
        found = compute_learning_rate(config.flatten(), step, max_steps)
        assert found is not None, "the schedule has no formula in harness/check/consistency.py"
        assert found == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("mlp", get_args(get_type_hints(ModelSettings)["mlp"]))
@pytest.mark.parametrize("rdrop", ["0", "2"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_checker_counts_the_operations_of_every_recipe_and_choice(
    recipe: str, rdrop: str, mlp: str, optimizer: str, preset: str
) -> None:
    config = build_named_config(recipe, preset, {"optimizer": optimizer, "mlp": mlp, "rdrop": rdrop})
    found = compute_step_flops(config.flatten())
    assert found is not None, "the optimizer or block is not known in harness/check/consistency.py"
    assert found == sizes.compute_step_flops(config, config.data.vocab_size)
