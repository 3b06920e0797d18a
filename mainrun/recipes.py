"""The named recipes and presets. A new recipe is one entry here, and says only what differs from the baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from mainrun.config import Config, build_config
from mainrun.settings import Value, unknown_name


@dataclass(frozen=True)
class OfPreset:
    """A setting that is so many times the preset's, which it divides evenly."""

    factor: Fraction


RECIPES: dict[str, Mapping[str, Value | OfPreset]] = {
    "baseline": {},
    "optimized": {
        "optimizer.name": "adamw",
        "optimizer.learning_rate": 3e-4,
        "optimizer.weight_decay": 0.1,
        "schedule.warmup_fraction": 100 / 938,
    },
    "frontier": {
        "data.tokenizer": "unigram",
        "model.n_head": OfPreset(Fraction(1, 2)),
        "model.d_model": OfPreset(Fraction(5, 8)),
        "model.positions": "rope",
        "model.shifts": True,
        "optimizer.name": "muon",
        "optimizer.learning_rate": 0.02,
        "optimizer.weight_decay": 0.1,
        "schedule.name": "wsd",
        "schedule.warmup_fraction": 0.05,
        "training.order": "shuffled",
        "training.rdrop": 2.0,
    },
}
"""Name → the settings, by dotted key, in which the recipe is not the baseline."""

CHANGE_UNITS: dict[str, tuple[str, ...]] = {
    "optimizer": ("optimizer.name", "optimizer.learning_rate"),
    "schedule": ("schedule.name", "schedule.warmup_fraction"),
    "width": ("model.n_head", "model.d_model"),
}
"""Settings that are ablated together, because one without the other is no sensible recipe; any other stands alone.

What only one of two kinds reads belongs to the unit that chooses the kind.
"""


@dataclass(frozen=True)
class Preset:
    """How large a run is, and where its titles come from unless `--data` says otherwise."""

    scale: Mapping[str, int]
    """Corpus, vocabulary, model and batch, by dotted key."""
    data: str
    """A data source: `synthetic` or `hub`."""


PRESETS: dict[str, Preset] = {
    "quick": Preset(
        {"data.num_titles": 6_000, "data.vocab_size": 1_024, "model.n_layer": 2, "model.n_head": 4,
         "model.d_model": 96, "model.block_size": 64, "training.batch_size": 16},
        data="synthetic",
    ),
    "laptop": Preset(
        {"data.num_titles": 24_000, "data.vocab_size": 4_096, "model.n_layer": 4, "model.n_head": 4,
         "model.d_model": 256, "model.block_size": 128, "training.batch_size": 16},
        data="hub",
    ),
    "mainrun": Preset(
        {"data.num_titles": 100_000, "data.vocab_size": 16_000, "model.n_layer": 6, "model.n_head": 8,
         "model.d_model": 512, "model.block_size": 128, "training.batch_size": 64},
        data="hub",
    ),
}  # fmt: skip


def get_preset(name: str) -> Preset:
    """The preset of that name; `RequestError` with the nearest name where there is none."""
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]


def get_recipe(name: str, preset: str) -> Mapping[str, Value]:
    """What the recipe of that name says at a preset; `RequestError` with the nearest name where there is none."""
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    scale = get_preset(preset).scale
    return {
        key: _scale(scale[key], value.factor) if isinstance(value, OfPreset) else value
        for key, value in RECIPES[name].items()
    }


def build_named_config(recipe: str, preset: str, settings: Mapping[str, str]) -> Config:
    """The configuration of a recipe at a preset, with `--set` values applied; `RequestError` for unknown names."""
    return build_config({**get_preset(preset).scale, **get_recipe(recipe, preset)}, settings)


def _scale(value: int, factor: Fraction) -> int:
    scaled = value * factor
    assert scaled.denominator == 1, f"{value} is not divided evenly by {factor}"
    return int(scaled)
