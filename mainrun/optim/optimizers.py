"""Optimizers by name, and what is done to all of them alike. A new one is a file and its entry in `OPTIMIZERS`.

Torch is imported where it is used, because the harness reads the names and never imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mainrun.optim.adamw import AdamW
from mainrun.optim.muon import Muon
from mainrun.optim.sgd import SGD

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

OptimizerSettings = SGD | AdamW | Muon
OPTIMIZERS: dict[str, type[OptimizerSettings]] = {kind.name: kind for kind in (SGD, AdamW, Muon)}

PEAK = "peak_lr"
"""Entry of a parameter group: the learning rate that the schedule's factor is of."""


def build_optimizers(settings: OptimizerSettings, parameters: Mapping[str, nn.Parameter]) -> list[Optimizer]:
    """One optimizer or several that hold each of the named parameters once, each group with its own peak rate."""
    optimizers = settings.build(parameters)
    check_partition(parameters, optimizers)
    for group in _list_groups(optimizers):
        group[PEAK] = group["lr"]
    return optimizers


def check_partition(parameters: Mapping[str, nn.Parameter], optimizers: Iterable[Optimizer]) -> None:
    """Our own mistake, by name: a parameter that no optimizer holds, or more than one."""
    held = [id(parameter) for group in _list_groups(optimizers) for parameter in group["params"]]
    for name, parameter in parameters.items():
        count = held.count(id(parameter))
        assert count == 1, f"The parameter '{name}' is held by {count or 'no'} groups of the optimizers, not by one."
    assert len(held) == len(parameters), "The optimizers hold a parameter that the model does not name."


def set_learning_rates(optimizers: Iterable[Optimizer], factor: float) -> None:
    """Gives every parameter group the learning rate of the coming step: `factor` of its own peak."""
    for group in _list_groups(optimizers):
        group["lr"] = group[PEAK] * factor


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scales all gradients so that their joint norm is at most `max_norm`; returns the norm before, a scalar."""
    from torch.nn.utils import clip_grad_norm_

    return clip_grad_norm_(parameters, max_norm)


def _list_groups(optimizers: Iterable[Optimizer]) -> list[dict[str, Any]]:
    return [group for optimizer in optimizers for group in optimizer.param_groups]
