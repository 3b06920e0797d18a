"""Causal self-attention.

Shapes: B windows, T tokens a window, D = d_model, H = n_head, d = D / H.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.model.dropout import dropout
from mainrun.model.settings import ModelSettings


class Attention(nn.Module):
    """Causal self-attention over all heads."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.n_head = settings.n_head
        self.dropout = settings.dropout
        self.qkv = nn.Linear(settings.d_model, 3 * settings.d_model)
        self.proj = nn.Linear(settings.d_model, settings.d_model)

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape  # noqa: N806  # the field's own letters
        qkv = self.qkv(x).view(B, T, 3, self.n_head, D // self.n_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 × (B, H, T, d)
        y = attend(q, k, v, self.dropout if self.training else 0.0)
        y = y.transpose(1, 2).reshape(B, T, D)
        return cast(Tensor, self.proj(y))


def attend(q: Tensor, k: Tensor, v: Tensor, p: float) -> Tensor:
    """Causal attention of q, k, v, all (B, H, T, d), with dropout of probability p on the attention weights."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)
    # torch's kernel for the CPU is slower at these sizes; with dropout it has none, and its fall-back slower still.
    B, H, T, d = q.shape  # noqa: N806  # the field's own letters
    q, k, v = (part.reshape(B * H, T, d) for part in (q, k, v))
    later = q.new_full((T, T), -math.inf).triu(1)
    weights = torch.baddbmm(later, q, k.transpose(1, 2), alpha=d**-0.5).softmax(-1)  # (B × H, T, T)
    return torch.bmm(dropout(weights, p), v).view(B, H, T, d)
