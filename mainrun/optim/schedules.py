"""Learning-rate schedules: pure functions of the step. A new one is a class and its entry in `SCHEDULES`."""

import math
from dataclasses import dataclass
from typing import ClassVar

from mainrun.settings import Section, Share


@dataclass(frozen=True, kw_only=True)
class Cosine(Section):
    """A rise from 0, then half a cosine."""

    section: ClassVar[str] = "schedule"
    name: ClassVar[str] = "cosine"
    warmup_fraction: Share = 0.0
    """Share of all steps in which the learning rate rises linearly from 0."""

    def compute_factor(self, step: int, max_steps: int) -> float:
        """Share of the peak learning rate at `step`, 1 to `max_steps`: linear over the warm-up, then a half cosine.

        The first step after the warm-up has the peak itself; the last step stays just above 0.
        """
        warmup_steps = round(max_steps * self.warmup_fraction)
        if step <= warmup_steps:
            return (step - 1) / warmup_steps
        return 0.5 * (1 + math.cos(math.pi * (step - 1 - warmup_steps) / (max_steps - warmup_steps)))


@dataclass(frozen=True, kw_only=True)
class WSD(Section):
    """Warm-up, stable, decay (Hu et al. 2024, arXiv:2404.06395), falling as 1 − √x (Hägele et al. 2024, 2405.18392)."""

    section: ClassVar[str] = "schedule"
    name: ClassVar[str] = "wsd"
    warmup_fraction: Share = 0.05
    """Share of all steps in which the learning rate rises linearly from 0."""
    decay_fraction: Share = 0.3
    """Share of all steps, the last ones, in which it falls to 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rest = 1 - self.warmup_fraction
        self.require(self.decay_fraction <= rest, "decay_fraction", f"at most what the warm-up leaves ({rest:g})")

    def compute_factor(self, step: int, max_steps: int) -> float:
        """Share of the peak learning rate at `step`, 1 to `max_steps`: linear, then 1, then 1 − √(share of the decay).

        The first step of the decay has the peak itself; the last step stays above 0.
        """
        warmup_steps, decay_steps = (round(max_steps * share) for share in (self.warmup_fraction, self.decay_fraction))
        if step <= warmup_steps:
            return (step - 1) / warmup_steps
        decayed = max(0, step - 1 - (max_steps - decay_steps))
        return 1 - math.sqrt(decayed / decay_steps) if decayed else 1.0


ScheduleSettings = Cosine | WSD
SCHEDULES: dict[str, type[ScheduleSettings]] = {kind.name: kind for kind in (Cosine, WSD)}
