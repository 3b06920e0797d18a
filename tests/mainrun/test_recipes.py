from fractions import Fraction

import pytest

from mainrun.config import find_changes
from mainrun.data.corpus import CorpusSource
from mainrun.data.streams import prepare_data
from mainrun.recipes import PRESETS, RECIPES, AtPreset, OfPreset, build_named_config, get_preset, get_recipe
from mainrun.record.errors import RequestError
from mainrun.sizes import compute_step_flops


def test_optimized_changes_the_optimizer_and_its_schedule_and_nothing_else() -> None:
    baseline, optimized = (build_named_config(name, "mainrun", {}).flatten() for name in ("baseline", "optimized"))
    assert find_changes(baseline, optimized) == {
        "optimizer.name": ("sgd", "adamw"),
        "optimizer.learning_rate": (6e-3, 3e-4),
        "optimizer.momentum": (0.0, None),
        "optimizer.beta1": (None, 0.9),
        "optimizer.beta2": (None, 0.95),
        "optimizer.eps": (None, 1e-8),
        "optimizer.weight_decay": (0.0, 0.1),
        "schedule.warmup_fraction": (0.0, 100 / 938),
    }


def test_the_baseline_at_mainrun_is_the_task() -> None:
    assert build_named_config("baseline", "mainrun", {}).flatten() == {
        "data.num_titles": 100_000, "data.vocab_size": 16_000, "data.val_fraction": 0.1, "data.tokenizer": "bpe",
        "model.n_layer": 6,
        "model.n_head": 8, "model.d_model": 512, "model.block_size": 128, "model.dropout": 0.1,
        "model.dropout_embedding": None, "model.dropout_attention": None, "model.positions": "learned",
        "model.attention": "window", "model.mlp": "gelu", "model.biases": True, "model.residual_init": "plain",
        "model.shifts": False,
        "optimizer.name": "sgd", "optimizer.learning_rate": 6e-3, "optimizer.momentum": 0.0,
        "optimizer.weight_decay": 0.0, "schedule.name": "cosine", "schedule.warmup_fraction": 0.0,
        "training.batch_size": 64, "training.epochs": 7, "training.grad_clip": 1.0, "training.order": "fixed",
        "training.rdrop": 0.0, "training.evals_per_epoch": 3,
    }  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_at_every_preset_keeps_the_rules_of_the_task(recipe: str, preset: str) -> None:
    config = build_named_config(recipe, preset, {})
    assert (config.training.epochs, config.data.val_fraction, config.training.evals_per_epoch) == (7, 0.1, 3)


def test_quick_generates_its_titles_and_the_others_load_them() -> None:
    assert {name: preset.data for name, preset in PRESETS.items()} == {
        "quick": "synthetic",
        "laptop": "hub",
        "mainrun": "hub",
    }


def test_settings_reach_the_config_of_a_named_recipe() -> None:
    assert build_named_config("optimized", "quick", {"learning_rate": "0.5"}).optimizer.learning_rate == 0.5


@pytest.mark.parametrize(
    ("recipe", "preset", "nearest"), [("optimised", "quick", "optimized"), ("baseline", "laptops", "laptop")]
)
def test_an_unknown_recipe_or_preset_names_the_nearest_one(recipe: str, preset: str, nearest: str) -> None:
    with pytest.raises(RequestError, match=f"Did you mean '{nearest}'"):
        build_named_config(recipe, preset, {})


def test_an_unknown_preset_lists_all() -> None:
    with pytest.raises(RequestError, match=r"Known: quick, laptop, mainrun\."):
        get_preset("")


@pytest.mark.parametrize("preset", PRESETS)
def test_frontier_costs_little_more_than_the_baseline_at_every_preset(preset: str) -> None:
    """A step costs what the baseline's does; unigram tokens are about a tenth more at most, and so are the steps."""
    frontier, baseline = (build_named_config(recipe, preset, {}) for recipe in ("frontier", "baseline"))
    costs = [compute_step_flops(config, config.data.vocab_size) for config in (frontier, baseline)]
    assert costs[0] / costs[1] < 1.01


def test_all_of_frontier_costs_at_most_115_percent_of_the_baseline() -> None:
    configs = (build_named_config(recipe, "quick", {}) for recipe in ("frontier", "baseline"))
    frontier, baseline = (prepare_data(config, CorpusSource("synthetic")).sizes.training_flops for config in configs)
    assert frontier <= 1.15 * baseline


def test_a_factor_is_of_the_presets_own_value() -> None:
    for preset, width, heads in (("quick", 60, 2), ("laptop", 160, 2), ("mainrun", 320, 4)):
        model = build_named_config("frontier", preset, {}).model
        assert (model.d_model, model.n_head) == (width, heads)


def test_what_is_said_at_one_preset_is_the_baselines_at_the_others() -> None:
    dropouts = {preset: build_named_config("frontier", preset, {}).model.dropout for preset in PRESETS}
    assert dropouts == {"quick": 0.1, "laptop": 0.1, "mainrun": 0.2}
    assert "model.dropout" not in get_recipe("frontier", "laptop")


def test_a_factor_that_does_not_divide_evenly_is_a_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "odd", {"model.n_head": OfPreset(Fraction(1, 3))})
    with pytest.raises(AssertionError, match="4 is not divided evenly by 1/3"):
        get_recipe("odd", "quick")


def test_a_preset_that_a_recipe_names_is_one() -> None:
    named = [given.preset for recipe in RECIPES.values() for given in recipe.values() if isinstance(given, AtPreset)]
    assert set(named) <= set(PRESETS)
