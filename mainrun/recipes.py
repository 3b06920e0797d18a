"""The named recipes and presets. A new recipe is one entry here; what it changes is computed, never written down."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mainrun.config import Config, Recipe, Scale, build_config, unknown_name
from mainrun.optim.optimizers import OPTIMIZERS
from mainrun.optim.schedules import SCHEDULES

BASELINE = Recipe()

RECIPES: dict[str, Recipe] = {
    "baseline": BASELINE,
    "optimized": replace(
        BASELINE,
        optimizer="adamw",
        learning_rate=3e-4,
        weight_decay=0.1,
        warmup_fraction=100 / 938,
    ),
}


CHANGE_UNITS: dict[str, tuple[str, ...]] = {
    "optimizer": ("optimizer", "learning_rate", "momentum", "adam_beta1", "adam_beta2", "adam_eps"),
    "schedule": ("schedule", "warmup_fraction"),
}
"""Settings that are ablated together, because one without the other is no sensible recipe; any other stands alone."""


@dataclass(frozen=True)
class Preset:
    """A scale, and where its titles come from unless `--data` says otherwise."""

    scale: Scale
    data: str
    """A data source: `synthetic` or `hub`."""


PRESETS: dict[str, Preset] = {
    "quick": Preset(
        Scale(num_titles=6_000, vocab_size=1_024, n_layer=2, n_head=4, d_model=96, block_size=64, batch_size=16),
        data="synthetic",
    ),
    "laptop": Preset(
        Scale(num_titles=24_000, vocab_size=4_096, n_layer=4, n_head=4, d_model=256, block_size=128, batch_size=16),
        data="hub",
    ),
    "mainrun": Preset(
        Scale(num_titles=100_000, vocab_size=16_000, n_layer=6, n_head=8, d_model=512, block_size=128, batch_size=64),
        data="hub",
    ),
}


def get_preset(name: str) -> Preset:
    """The preset of that name; `RequestError` with the nearest name where there is none."""
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]


def get_recipe(name: str) -> Recipe:
    """The recipe of that name; `RequestError` with the nearest name where there is none."""
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]


def build_named_config(recipe: str, preset: str, settings: Mapping[str, str]) -> Config:
    """The configuration of a recipe at a preset, with `--set` values applied; `RequestError` for unknown names."""
    config = build_config(get_preset(preset).scale, get_recipe(recipe), settings)
    if config.optimizer not in OPTIMIZERS:
        raise unknown_name("optimizer", config.optimizer, OPTIMIZERS)
    if config.schedule not in SCHEDULES:
        raise unknown_name("schedule", config.schedule, SCHEDULES)
    return config
