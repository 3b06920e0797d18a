"""The loss of two passes of different dropout and the distance between them, fused with the output layer.

R-Drop (Liang et al. 2021, arXiv:2106.14448), halved: the mean of both passes' cross-entropies, plus a quarter of the
weight times the sum of both Kullback–Leibler divergences.

Shapes: N tokens, D = d_model, V = vocabulary, R rows a block.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from mainrun.model.linear_cross_entropy import hold_block

ROWS_AT_ONCE = 1024
"""Rows of each pass that are held at a time, in six blocks (R, V)."""


def linear_rdrop(hidden: Tensor, weight: Tensor, targets: Tensor, rdrop: float) -> tuple[Tensor, Tensor]:
    """What is to be minimized and the mean cross-entropy of the passes, both summed over N, in nats, scalars.

    `hidden` (2N, D) is the first pass and behind it the second, under the output layer `weight` (V, D); targets (N,).
    A CPU computes the gradients in the forward pass: not for use without gradients, nor for a second backward pass.
    None reach back through the second value. A GPU holds the logits of both whole passes.
    """
    if hidden.is_cuda:
        one, two = F.log_softmax(F.linear(hidden, weight), dim=1, dtype=torch.float32).chunk(2)
        loss = (F.nll_loss(one, targets, reduction="sum") + F.nll_loss(two, targets, reduction="sum")) / 2
        return loss + rdrop / 4 * ((one.exp() - two.exp()) * (one - two)).sum(), loss.detach()
    return _LinearRDrop.apply(hidden, weight, targets, rdrop)  # type: ignore[no-any-return, no-untyped-call]  # torch does not type apply


class _LinearRDrop(Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)  # type: ignore[untyped-decorator]  # torch does not type it; it casts under autocast only
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, rdrop: float) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(hidden.dtype, torch.float32)
        loss, distance = hidden.new_zeros((), dtype=wide), hidden.new_zeros((), dtype=wide)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros_like(weight, dtype=wide)
        passes, grad_passes = hidden.chunk(2), grad_hidden.chunk(2)
        for first in range(0, len(targets), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            column = targets[part, None]
            logits = [
                torch.mm(rows[part], weight.T, out=_hold(column, weight, hidden.dtype, f"logits {number}"))
                for number, rows in enumerate(passes)
            ]
            logs = [
                torch.log_softmax(z, dim=1, dtype=wide, out=_hold(column, weight, wide, f"logs {number}"))
                for number, z in enumerate(logits)
            ]
            loss -= sum(log.gather(1, column).sum() for log in logs) / 2
            grads, apart = _differentiate(logs[0], logs[1], column, weight, rdrop)
            distance += apart
            for rows, grad_rows, z, grad in zip(passes, grad_passes, logits, grads, strict=True):
                grad_logits = grad if grad.dtype == z.dtype else z.copy_(grad)
                torch.mm(grad_logits, weight, out=grad_rows[part])
                grad_weight += (grad_logits.T @ rows[part]).to(wide)
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.mark_non_differentiable(loss)
        return loss + rdrop / 4 * distance, loss

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        return grad_hidden.mul_(grad_outputs[0]), grad_weight.mul_(grad_outputs[0]), None, None


def _differentiate(
    log_1: Tensor, log_2: Tensor, column: Tensor, weight: Tensor, rdrop: float
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Gradients with respect to both passes' logits (R, V), in the memory of the logs, and both divergences' sum.

    Of Σ(p − q)(log p − log q) with respect to p's logits: p · (log p − log q − KL(p‖q)) + p − q.
    """
    p = torch.exp(log_1, out=_hold(column, weight, log_1.dtype, "p"))
    q = torch.exp(log_2, out=_hold(column, weight, log_1.dtype, "q"))
    ratio, quarter = log_1.sub_(log_2), rdrop / 4
    forward = torch.mul(p, ratio, out=log_2).sum(1, keepdim=True)  # KL(p‖q)
    backward = torch.mul(q, ratio, out=log_2).sum(1, keepdim=True).neg_()  # KL(q‖p)
    grad_p = torch.sub(ratio, forward, out=log_2).mul_(quarter).add_(0.5 + quarter).mul_(p).sub_(q, alpha=quarter)
    grad_q = ratio.neg_().sub_(backward).mul_(quarter).add_(0.5 + quarter).mul_(q).sub_(p, alpha=quarter)
    for grad in (grad_p, grad_q):
        grad.scatter_add_(1, column, grad.new_full(column.shape, -0.5))
    return (grad_p, grad_q), forward.sum() + backward.sum()


def _hold(column: Tensor, weight: Tensor, dtype: torch.dtype, use: str) -> Tensor:
    return hold_block(ROWS_AT_ONCE, len(weight), dtype, f"rdrop {use}")[: len(column)]
