"""A small GPT: pre-LayerNorm blocks and a tied embedding; GPT-2's where no setting says otherwise.

Shapes: B windows, T tokens a window, D = d_model, H = n_head, V = vocabulary, N = B × T.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.model.attention import Attention, mask_other_titles
from mainrun.model.dropout import dropout
from mainrun.model.linear_cross_entropy import linear_cross_entropy
from mainrun.model.mlp import MLP, SwiGLU
from mainrun.model.positions import Shift, number_titles
from mainrun.model.rdrop import linear_rdrop
from mainrun.model.settings import ModelSettings

LAYER_NORM_EPS = 1e-5


class Block(nn.Module):
    """One pre-LayerNorm transformer block."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.dropout = settings.dropout
        self.ln_1 = build_norm(settings)
        self.shift_1 = Shift(settings.d_model) if settings.shifts else None
        self.attn = Attention(settings)
        self.ln_2 = build_norm(settings)
        self.shift_2 = Shift(settings.d_model) if settings.shifts else None
        self.mlp = (SwiGLU if settings.mlp == "swiglu" else MLP)(settings)

    def forward(self, x: Tensor, titles: Tensor | None, mask: Tensor | None) -> Tensor:
        """The stream (B, T, D) after it; titles (B, T) and mask (B · H, T, T) are None but for attention by title."""
        p = self.dropout if self.training else 0.0
        h = self.ln_1(x)
        h = self.shift_1(h, titles) if self.shift_1 else h
        x = x + dropout(self.attn(h, mask), p)
        h = self.ln_2(x)
        h = self.shift_2(h, titles) if self.shift_2 else h
        return x + dropout(self.mlp(h), p)


class GPT(nn.Module):
    """The model: ids (B, T) → logits (B, T, V). `compute_loss` is the training path, on a CPU without stored logits."""

    def __init__(self, settings: ModelSettings, vocab_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.token_embedding = nn.Embedding(vocab_size, settings.d_model)
        is_learned = settings.positions == "learned"
        self.position_embedding = nn.Embedding(settings.block_size, settings.d_model) if is_learned else None
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.n_layer))
        self.ln_f = build_norm(settings)

    def forward(self, ids: Tensor) -> Tensor:
        return F.linear(self.compute_hidden(ids), self.token_embedding.weight)  # (B, T, V)

    def compute_hidden(self, ids: Tensor) -> Tensor:
        """The final normalized residual stream (B, T, D) of ids (B, T)."""
        x = self.token_embedding(ids)
        if self.position_embedding:
            x = x + self.position_embedding.weight[: ids.shape[1]]
        x = dropout(x, self.settings.embedding_dropout if self.training else 0.0)  # (B, T, D)
        titles = number_titles(ids) if self.settings.attention == "title" else None
        mask = None if titles is None else mask_other_titles(titles, self.settings.n_head, find_product_type(x))
        for block in self.blocks:
            x = block(x, titles, mask)
        return cast(Tensor, self.ln_f(x))

    def compute_loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Summed cross-entropy in nats, a scalar, of targets (B, T) given ids (B, T)."""
        hidden = self.compute_hidden(ids).flatten(0, 1)  # (N, D)
        return linear_cross_entropy(hidden, self.token_embedding.weight, targets.flatten())

    def compute_rdrop(self, ids: Tensor, targets: Tensor, rdrop: float) -> tuple[Tensor, Tensor]:
        """What R-Drop minimizes for targets (B, T) given ids (B, T), and the summed cross-entropy in it, two scalars.

        Both passes go through the model side by side, each with dropout of its own.
        """
        hidden = self.compute_hidden(torch.cat([ids, ids])).flatten(0, 1)  # (2N, D)
        return linear_rdrop(hidden, self.token_embedding.weight, targets.flatten(), rdrop)


def find_product_type(x: Tensor) -> torch.dtype:
    """The type that matrix products of x are computed in here."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def build_norm(settings: ModelSettings) -> nn.LayerNorm:
    """A LayerNorm over the residual stream."""
    return nn.LayerNorm(settings.d_model, eps=LAYER_NORM_EPS, bias=settings.biases)
