"""The training noise that is known before a comparison begins; it is stored in the plan, or it does not count."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mainrun.data.corpus import SYNTHETIC
from mainrun.recipes import PRESETS, get_recipe

NEEDED_MULTIPLE = 6.25
"""How many times the known noise, at the upper end of its interval, a single seed must lie beyond the margin.

By Cantelli's inequality noise of any shape carries a gain so far up in at most 1 / (1 + 6.25²) = 2.5 % of cases.
"""


@dataclass(frozen=True)
class KnownNoise:
    """The spread of the gain of one seed pair, measured over other pairs of runs."""

    sd_percent: float
    low_percent: float
    """Of the 95 % interval of `sd_percent`, by chi-square; so is the next."""
    high_percent: float
    num_pairs: int
    source: str
    """Where it was measured, in words."""
    needed_multiple: float = NEEDED_MULTIPLE

    def __post_init__(self) -> None:
        if not 0 < self.low_percent <= self.sd_percent <= self.high_percent < math.inf or self.num_pairs < 2:
            raise ValueError("its known noise is no spread of two pairs or more inside its own interval")
        if not NEEDED_MULTIPLE <= self.needed_multiple < math.inf:
            raise ValueError(f"it asks for less than {NEEDED_MULTIPLE} times the known noise")


PRIORS = {
    "quick": KnownNoise(
        sd_percent=0.172,
        low_percent=0.113,
        high_percent=0.349,
        num_pairs=8,
        source="eight seed pairs of baseline and optimized at quick, that of seed 1337 left out",
    ),
    "laptop": KnownNoise(
        sd_percent=0.0738,
        low_percent=0.0384,
        high_percent=0.464,
        num_pairs=3,
        source="three seed pairs of baseline and optimized at laptop",
    ),
}
"""By preset, on titles of the preset's own kind. There is none for `mainrun`: its noise has not been measured."""
_MEASURED = {"quick": ("baseline", "optimized"), "laptop": ("baseline", "optimized", "frontier")}
"""By preset the recipes whose noise lies within it."""


def find_known_noise(preset: str, configs: Iterable[Mapping[str, Any]], data: str) -> KnownNoise | None:
    """The noise known for arms with these resolved configurations; None where none is known.

    `data` is where the titles come from (`synthetic`, `hub`, `file`). Models, titles or batches of another size than
    those of the recipes that were measured, and synthetic titles in place of real ones or the other way round, may have
    other noise: nothing is known of theirs.
    """
    if preset not in PRIORS or (PRESETS[preset].data == SYNTHETIC) != (data == SYNTHETIC):
        return None
    scale = PRESETS[preset].scale
    measured = [{**scale, **get_recipe(recipe, preset)} for recipe in _MEASURED[preset]]
    sizes = [{key: config[key] for key in scale} for config in measured]
    return PRIORS[preset] if all({key: config.get(key) for key in scale} in sizes for config in configs) else None
