"""Causal self-attention.

Shapes: B windows, T tokens a window, D = d_model, H = n_head, d = D / H.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.model.dropout import dropout
from mainrun.model.positions import rotate
from mainrun.model.settings import ModelSettings


class Attention(nn.Module):
    """Causal self-attention over all heads."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.n_head = settings.n_head
        self.dropout = settings.attention_dropout
        self.has_rotations = settings.positions == "rope"
        self.qkv = nn.Linear(settings.d_model, 3 * settings.d_model, bias=settings.biases)
        self.proj = nn.Linear(settings.d_model, settings.d_model, bias=settings.biases)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The branch (B, T, D) of x (B, T, D); the mask is that of `mask_other_titles`, None for the causal one."""
        B, T, D = x.shape  # noqa: N806  # the field's own letters
        qkv = self.qkv(x).view(B, T, 3, self.n_head, D // self.n_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 × (B, H, T, d)
        if self.has_rotations:
            q, k = rotate(q), rotate(k)
        y = attend(q, k, v, self.dropout if self.training else 0.0, mask)
        y = y.transpose(1, 2).reshape(B, T, D)
        return cast(Tensor, self.proj(y))


def attend(q: Tensor, k: Tensor, v: Tensor, p: float, mask: Tensor | None = None) -> Tensor:
    """Causal attention of q, k, v, all (B, H, T, d), with dropout of probability p on the attention weights.

    `mask` (B · H, T, T) is added to the scores in place of the causal one.
    """
    B, H, T, d = q.shape  # noqa: N806  # the field's own letters
    if q.is_cuda:
        bias = None if mask is None else mask.view(B, H, T, T).to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=p, is_causal=mask is None)
    # torch's kernel for the CPU is slower at these sizes; with dropout it has none, and its fall-back slower still.
    q, k, v = (part.reshape(B * H, T, d) for part in (q, k, v))
    seen = mask_later(T, q) if mask is None else mask
    weights = torch.baddbmm(seen, q, k.transpose(1, 2), alpha=d**-0.5).softmax(-1)  # (B × H, T, T)
    return torch.bmm(dropout(weights, p), v).view(B, H, T, d)


def mask_later(num_tokens: int, like: Tensor) -> Tensor:
    """(T, T) −∞ where a column is a later token than its row, else 0."""
    return like.new_full((num_tokens, num_tokens), -math.inf).triu(1)


def mask_other_titles(titles: Tensor, n_head: int, dtype: torch.dtype) -> Tensor:
    """(B · H, T, T) −∞ where a column is a later token or of another title, else 0; titles (B, T) number them.

    Laid out once for every head, because all layers add it: one more read of memory is cheaper than one more pass.
    """
    causal = mask_later(titles.shape[1], titles.new_empty(0, dtype=dtype))
    masks = causal.masked_fill(titles[:, :, None] != titles[:, None, :], -math.inf)  # (B, T, T)
    return masks.repeat_interleave(n_head, dim=0)
