"""Optimizers by name. A new one is a function and an entry in `OPTIMIZERS`, its settings fields of `config.Recipe`.

Torch is imported where it is used, because the harness reads the names and never imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mainrun.config import Config

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


def build_sgd(parameters: Iterable[nn.Parameter], config: Config) -> Optimizer:
    """Stochastic gradient descent over all parameters."""
    from torch.optim import SGD

    parameters = list(parameters)
    return SGD(
        parameters,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        fused=_are_on_cuda(parameters),
    )


def build_adamw(parameters: Iterable[nn.Parameter], config: Config) -> Optimizer:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), weight decay on all parameters."""
    from torch.optim import AdamW

    parameters = list(parameters)
    return AdamW(
        parameters,
        lr=config.learning_rate,
        betas=(config.adam_beta1, config.adam_beta2),
        eps=config.adam_eps,
        weight_decay=config.weight_decay,
        fused=_are_on_cuda(parameters),
    )


OPTIMIZERS: dict[str, Callable[[Iterable[nn.Parameter], Config], Optimizer]] = {
    "sgd": build_sgd,
    "adamw": build_adamw,
}


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Gives every parameter group the learning rate of the coming step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scales all gradients so that their joint norm is at most `max_norm`; returns the norm before, a scalar."""
    from torch.nn.utils import clip_grad_norm_

    return clip_grad_norm_(parameters, max_norm)


def _are_on_cuda(parameters: Iterable[nn.Parameter]) -> bool:
    """Whether torch's one-kernel update pays: on a CPU it gains nothing and gives other bits."""
    return all(parameter.is_cuda for parameter in parameters)
