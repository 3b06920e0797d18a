"""Output layer and cross-entropy in one pass over blocks of rows, so that a CPU never stores the full logits."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

ROWS_AT_ONCE = 2048
"""Rows of logits held at a time: large enough for fast products, few enough that memory stays small."""


def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Summed cross-entropy in nats, a scalar, of targets (N,) under the logits hidden (N, D) @ weight (V, D)ᵀ.

    The value and gradients of `F.cross_entropy(F.linear(hidden, weight), targets, reduction="sum")` up to rounding.
    Under CPU autocast the products are in bfloat16; sums and the gradient of the weight stay in float32.
    A CPU computes the gradients in the forward pass: not for use without gradients, nor for a second backward pass.
    """
    if hidden.is_cuda:
        return F.cross_entropy(F.linear(hidden, weight), targets, reduction="sum")
    return _LinearCrossEntropy.apply(hidden, weight, targets)  # type: ignore[no-any-return, no-untyped-call]  # torch does not type apply


@lru_cache(maxsize=6)  # a step needs two, with R-Drop six
def hold_block(num_rows: int, num_classes: int, dtype: torch.dtype, use: str) -> Tensor:
    """Memory (R, V) kept for the next call with the same `use`: fresh pages cost more than the pass over them."""
    return torch.empty(num_rows, num_classes, dtype=dtype)


class _LinearCrossEntropy(Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)  # type: ignore[untyped-decorator]  # torch does not type it; it casts under autocast only
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        wide = torch.promote_types(hidden.dtype, torch.float32)
        total = hidden.new_zeros((), dtype=wide)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = None
        logits_block = hold_block(ROWS_AT_ONCE, len(weight), hidden.dtype, "logits")
        log_probs_block = hold_block(ROWS_AT_ONCE, len(weight), wide, "log_probs")
        for first in range(0, len(hidden), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            column = targets[part, None]
            logits = torch.mm(hidden[part], weight.T, out=logits_block[: len(column)])  # (R, V)
            log_probs = torch.log_softmax(logits, dim=1, dtype=wide, out=log_probs_block[: len(column)])
            total -= log_probs.gather(1, column).sum()
            grad = log_probs.exp_().scatter_add_(1, column, log_probs.new_full(column.shape, -1.0))
            grad_logits = grad if grad.dtype == logits.dtype else logits.copy_(grad)
            torch.mm(grad_logits, weight, out=grad_hidden[part])
            product = (grad_logits.T @ hidden[part]).to(wide)
            grad_weight = product if grad_weight is None else grad_weight.add_(product)
        ctx.save_for_backward(grad_hidden, grad_weight)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        return grad_hidden.mul_(grad_outputs[0]), grad_weight.mul_(grad_outputs[0]), None
