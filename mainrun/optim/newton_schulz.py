"""The step of Muon: momentum, made half-orthogonal by Newton–Schulz iterations in float32.

Shapes: a weight (R, C) is P matrices (M, C) one above the other, M = R / P; of S such matrices of one shape at a time.
"""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial a·X + b·X³ + c·X⁵, steep at 0: singular values end between about 0.7 and 1.2, not at 1."""


class MuonOptimizer(Optimizer):
    """Updates matrices only; each group has one weight and says as `num_matrices` how many it is made of."""

    def __init__(
        self, groups: list[dict[str, Any]], *, lr: float, momentum: float, weight_decay: float, num_iterations: int
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "num_iterations": num_iterations}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing here is evaluated again
        """One step with the gradients as they are; matrices of one shape go through the iterations together."""
        waiting: dict[tuple[int, int], list[tuple[dict[str, Any], Tensor]]] = defaultdict(list)
        for group in self.param_groups:
            [weight] = group["params"]
            assert weight.grad is not None
            if "momentum" not in self.state[weight]:
                self.state[weight]["momentum"] = torch.zeros_like(weight)
            buffer = self.state[weight]["momentum"]
            buffer.lerp_(weight.grad, 1 - group["momentum"])
            direction = weight.grad.lerp(buffer, group["momentum"])
            shape = weight.shape[0] // group["num_matrices"], weight.shape[1]
            waiting[shape].append((group, direction.view(-1, *shape)))
        for (num_rows, num_columns), entries in waiting.items():
            updates = orthogonalize(torch.cat([part for _, part in entries]), entries[0][0]["num_iterations"])
            scale = max(1.0, num_rows / num_columns) ** 0.5
            counts = [len(part) for _, part in entries]
            for (group, _), update in zip(entries, torch.split(updates, counts), strict=True):
                [weight] = group["params"]
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.reshape_as(weight), alpha=-group["lr"] * scale)


def orthogonalize(matrices: Tensor, num_iterations: int) -> Tensor:
    """Of each matrix of (S, M, C) the one with the same singular vectors and singular values near 1; same shape.

    In float32, because bfloat16 products do not repeat from one kind of processor to the next.
    """
    a, b, c = COEFFICIENTS
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices  # (S, m, n) with m ≤ n
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(num_iterations):
        square = x @ x.mT  # (S, m, m)
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x
