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


ScheduleSettings = Cosine
SCHEDULES: dict[str, type[ScheduleSettings]] = {kind.name: kind for kind in (Cosine,)}
