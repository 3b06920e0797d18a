"""Dropout whose masks are cheap on a CPU, where torch's take a tenth of a training step."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

STEPS_OF_P = 2**16
"""A mask compares 16 random bits, so the probability is a multiple of 1/65,536: 0.1 becomes 0.100006."""


def dropout(x: Tensor, p: float) -> Tensor:
    """Zeroes each element of x with probability p, 0 ≤ p < 1, and scales the rest by 1 / (1 − p); same shape.

    Draws from torch's own generator. For training only: it has no evaluation mode.
    """
    if p == 0:
        return x
    if x.is_cuda:
        return F.dropout(x, p)
    return _Dropout.apply(x, draw_mask(x.shape, p), 1 / (1 - p))  # type: ignore[no-any-return, no-untyped-call]  # torch does not type apply


def draw_mask(shape: torch.Size, p: float) -> Tensor:
    """A uint8 mask on the CPU: 0 with probability p rounded to 1/65,536, else 1."""
    num_elements = shape.numel()
    draws = torch.empty(-(-num_elements // 4), dtype=torch.int64).random_(-(2**63), None)
    bits = draws.view(torch.int16)[:num_elements]
    return bits.ge(round(p * STEPS_OF_P) - STEPS_OF_P // 2).view(torch.uint8).view(shape)


class _Dropout(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return (x * mask).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return (grad_outputs[0] * mask).mul_(ctx.scale), None, None
