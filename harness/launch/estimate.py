"""How long runs will take, told from the first steps of one: training and evaluations apart, others by work."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.store.journals import Event

NUM_STEPS, NUM_LARGE_STEPS = 12, 3
"""So many steps tell how long the others take."""
LARGE_STEP_FLOPS = 2e11
"""Of a step that takes long and varies little."""


@dataclass(frozen=True)
class Work:
    """What a run has to do."""

    training_flops: float
    max_steps: int
    num_evaluations: int
    num_full_evaluations: int
    """Of these, those that measure the full loss too."""

    @property
    def num_passes(self) -> int:
        """Over the validation tokens: a full loss is one more pass."""
        return self.num_evaluations + self.num_full_evaluations

    @property
    def num_telling_steps(self) -> int:
        """How many first steps tell its speed."""
        return NUM_LARGE_STEPS if self.training_flops / self.max_steps > LARGE_STEP_FLOPS else NUM_STEPS


@dataclass(frozen=True)
class Speed:
    """What one run was measured to take."""

    flop_s: float
    """Seconds a training operation."""
    pass_steps: float
    """A pass over the validation tokens, in training steps of that run."""


def find_work(sizes: Mapping[str, Any]) -> Work | None:
    """From the sizes of a planned arm; None for another program's, which are not known."""
    if not sizes:
        return None
    counts = len(sizes["evaluation_steps"]), len(sizes["full_loss_steps"])
    return Work(sizes["training_flops"], sizes["max_steps"], *counts)


def measure_speed(work: Work, events: Iterable[Event]) -> Speed | None:
    """The speed that a journal shows; None before enough steps, and where it tells no times.

    The first of its steps is left out: it warms up what the others find warm.
    """
    steps: list[Event] = []
    passes: list[float] = []
    for event in events:
        if event["event"] == "training_step":
            steps.append(event)
        elif event["event"] == "validation_step" and steps and None not in (
            event.get("elapsed_time"), steps[-1].get("elapsed_time")
        ):  # fmt: skip
            seconds = event["elapsed_time"] - steps[-1]["elapsed_time"]
            passes.append(seconds / (1 if event.get("full_loss_nats_per_char") is None else 2))
    times: list[Any] = [step.get("train_elapsed_s") for step in steps]
    if len(steps) < work.num_telling_steps or None in (times[0], times[-1]):
        return None
    step_s = (times[-1] - times[0]) / (len(steps) - 1)
    if step_s <= 0:
        return None
    pass_s = sum(passes) / len(passes) if passes else 0.0
    return Speed(step_s * work.max_steps / work.training_flops, pass_s / step_s)


def estimate_run_s(work: Work, speed: Speed) -> float:
    """Seconds of a whole run at the speed of another, without its start."""
    step_s = speed.flop_s * work.training_flops / work.max_steps
    return work.max_steps * step_s + work.num_passes * speed.pass_steps * step_s
