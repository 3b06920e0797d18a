"""Stochastic gradient descent over all parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mainrun.settings import NotNegative, Positive, Section, Share

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


@dataclass(frozen=True, kw_only=True)
class SGD(Section):
    """Gradient descent, with momentum if asked for."""

    section: ClassVar[str] = "optimizer"
    name: ClassVar[str] = "sgd"
    learning_rate: Positive = 6e-3
    """Peak learning rate."""
    momentum: Share = 0.0
    """Share of the last step's velocity that is kept."""
    weight_decay: NotNegative = 0.0
    """Times the weights, added to the gradient of all parameters."""

    def build(self, parameters: Mapping[str, nn.Parameter]) -> list[Optimizer]:
        """The optimizer of all of the named parameters."""
        from torch import optim

        return [
            optim.SGD(
                parameters.values(),
                lr=self.learning_rate,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
                fused=all(parameter.is_cuda for parameter in parameters.values()),
            )
        ]

    def count_update_flops(self, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """0: by the convention of all counts here, what is done element by element is left out."""
        return 0
