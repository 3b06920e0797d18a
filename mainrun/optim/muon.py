"""Muon on the matrices inside the blocks, AdamW on the rest (Jordan et al. 2024, kellerjordan.github.io/posts/muon).

A step replaces each matrix's momentum by the nearest half-orthogonal one, found by Newton–Schulz iterations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mainrun.settings import Count, NotNegative, Positive, Section, Share

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

MATRICES_IN = {"qkv": 3, "proj": 1, "fc": 1, "gate": 1}
"""Layers of the blocks whose weights Muon trains → how many matrices, one above the other, a weight is made of."""
DECAYED_BY_ADAMW = ("token_embedding",)


@dataclass(frozen=True, kw_only=True)
class Muon(Section):
    """Muon beside AdamW; settings that begin with `adamw_` are those of the parameters that Muon does not train."""

    section: ClassVar[str] = "optimizer"
    name: ClassVar[str] = "muon"
    learning_rate: Positive = 0.02
    """Peak learning rate; a matrix of more rows than columns takes √(rows / columns) times it."""
    momentum: Share = 0.95
    """Of Nesterov's kind: share of the last step's that is kept."""
    weight_decay: NotNegative = 0.1
    """Times the learning rate, the share of each weight that a step takes away."""
    num_iterations: Count = 5
    """Newton–Schulz iterations a step."""
    adamw_learning_rate: Positive = 3e-3
    """Peak learning rate."""
    adamw_beta1: Share = 0.9
    """Decay of the first moment."""
    adamw_beta2: Share = 0.95
    """Decay of the second moment."""
    adamw_eps: Positive = 1e-8
    """Added to the root of the second moment."""
    adamw_weight_decay: NotNegative = 0.1
    """Times the learning rate, the share that a step takes away of each weight of the token embedding."""

    def build(self, parameters: Mapping[str, nn.Parameter]) -> list[Optimizer]:
        """Muon, and AdamW with two groups: what is decayed, and what is not."""
        from torch import optim

        from mainrun.optim.newton_schulz import MuonOptimizer

        matrices = {name: weight for name, weight in parameters.items() if count_matrices(name)}
        rest = {name: weight for name, weight in parameters.items() if name not in matrices}
        decayed = [weight for name, weight in rest.items() if name.startswith(DECAYED_BY_ADAMW)]
        plain = [weight for name, weight in rest.items() if not name.startswith(DECAYED_BY_ADAMW)]
        muon = MuonOptimizer(
            [{"params": [weight], "num_matrices": count_matrices(name)} for name, weight in matrices.items()],
            lr=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            num_iterations=self.num_iterations,
        )
        groups: list[dict[str, Any]] = [
            {"params": decayed, "weight_decay": self.adamw_weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        adamw = optim.AdamW(
            groups,
            lr=self.adamw_learning_rate,
            betas=(self.adamw_beta1, self.adamw_beta2),
            eps=self.adamw_eps,
            fused=all(weight.is_cuda for weight in rest.values()),
        )
        return [muon, adamw]

    def count_update_flops(self, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """FLOPs of one step's Newton–Schulz iterations for parameters of these shapes by name."""
        flops = 0
        for name, shape in shapes.items():
            num_matrices = count_matrices(name)
            if num_matrices:
                small, large = sorted((shape[0] // num_matrices, shape[1]))
                flops += num_matrices * self.num_iterations * (4 * small * small * large + 2 * small**3)
        return flops


def count_matrices(name: str) -> int:
    """How many matrices Muon sees in the parameter of that name; 0 where it does not train it."""
    layer, _, kind = name.rpartition(".")
    return MATRICES_IN.get(layer.rpartition(".")[2], 0) if kind == "weight" else 0
