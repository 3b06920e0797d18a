"""AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mainrun.settings import NotNegative, Positive, Section, Share

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


@dataclass(frozen=True, kw_only=True)
class AdamW(Section):
    """AdamW with its weight decay on all parameters."""

    section: ClassVar[str] = "optimizer"
    name: ClassVar[str] = "adamw"
    learning_rate: Positive = 3e-4
    """Peak learning rate."""
    beta1: Share = 0.9
    """Decay of the first moment."""
    beta2: Share = 0.95
    """Decay of the second moment."""
    eps: Positive = 1e-8
    """Added to the root of the second moment."""
    weight_decay: NotNegative = 0.0
    """Times the learning rate, the share of each weight that a step takes away."""

    def build(self, parameters: Mapping[str, nn.Parameter]) -> list[Optimizer]:
        """The optimizer of all of the named parameters."""
        from torch import optim

        return [
            optim.AdamW(
                parameters.values(),
                lr=self.learning_rate,
                betas=(self.beta1, self.beta2),
                eps=self.eps,
                weight_decay=self.weight_decay,
                # On a CPU torch's one-kernel update gains nothing and gives other bits.
                fused=all(parameter.is_cuda for parameter in parameters.values()),
            )
        ]

    def count_update_flops(self, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """0: by the convention of all counts here, what is done element by element is left out."""
        return 0
