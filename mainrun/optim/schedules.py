"""Learning-rate schedules: pure functions of the step. A new one is a function and an entry in `SCHEDULES`."""

import math
from collections.abc import Callable

from mainrun.config import Config


def compute_cosine_factor(step: int, max_steps: int, config: Config) -> float:
    """Share of the peak learning rate at `step`, 1 to `max_steps`: linear from 0 over the warm-up, then a half cosine.

    The first step after the warm-up has the peak itself; the last step stays just above 0.
    """
    warmup_steps = round(max_steps * config.warmup_fraction)
    if step <= warmup_steps:
        return (step - 1) / warmup_steps
    return 0.5 * (1 + math.cos(math.pi * (step - 1 - warmup_steps) / (max_steps - warmup_steps)))


SCHEDULES: dict[str, Callable[[int, int, Config], float]] = {"cosine": compute_cosine_factor}
"""Name → factor of the peak learning rate, given the step, the number of steps and the configuration."""
