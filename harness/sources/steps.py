"""Steps of a journal made from single values, as tables and event files hold them."""

import math

from harness.formats import quote
from harness.sources.lines import MAX_LOSS, LostStep
from harness.sources.runs import Runs
from harness.sources.source_log import LossUnit
from harness.store.journals import Event


def enter_step(runs: Runs, event: Event, line: int, epoch: float | None = None) -> None:
    """Enters a step, or that it has diverged where no training has such a loss."""
    losses = (event["loss"], event["full_loss_nats_per_char"])
    odd = next((loss for loss in losses if loss is not None and is_odd(loss)), None)
    if odd is None:
        runs.enter(event, line, epoch)
    else:
        runs.lose(make_lost(event["event"], event["step"], odd, epoch), line)


def is_odd(loss: float) -> bool:
    """Whether no training has such a loss."""
    return not 0 <= loss <= MAX_LOSS


def make_lost(kind: str, step: int, loss: float, epoch: float | None = None) -> LostStep:
    """A step with a loss that no training has; a finite one below zero is no loss at all, and shows no divergence."""
    return LostStep(kind, step, quote(loss), not -math.inf < loss < 0, epoch, is_final=True)


def make_training_step(step: int, loss: float, rate: float | None, time: float | None = None) -> Event:
    """A training step with nothing but its loss and learning rate."""
    return {**_make_step("training_step", step, loss, time), "learning_rate": rate}


def make_validation_step(
    step: int, loss: float, full: float | None, unit: LossUnit, time: float | None = None
) -> Event:  # fmt: skip
    """A validation step with its loss in `unit` and, where known, its full loss."""
    return {**_make_step("validation_step", step, loss, time), "full_loss_nats_per_char": full, "loss_unit": unit}


def _make_step(kind: str, step: int, loss: float, time: float | None) -> Event:
    return {
        "event": kind,
        "timestamp": time,
        "step": step,
        "max_steps": None,
        "loss": loss,
        "elapsed_time": None,
        "train_elapsed_s": None,
        "grad_norm": None,
        **dict.fromkeys(("full_loss_nats_per_char", "num_spans", "num_tokens", "num_chars")),
    }
