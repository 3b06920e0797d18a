"""A small GPT: GPT-2-style pre-LayerNorm blocks, learned positions, tied embedding.

Shapes: B windows, T tokens a window, D = d_model, V = vocabulary, N = B × T.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.model.attention import Attention
from mainrun.model.dropout import dropout
from mainrun.model.linear_cross_entropy import linear_cross_entropy
from mainrun.model.mlp import MLP
from mainrun.model.settings import ModelSettings

LAYER_NORM_EPS = 1e-5


class Block(nn.Module):
    """One pre-LayerNorm transformer block."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.dropout = settings.dropout
        self.ln_1 = nn.LayerNorm(settings.d_model, eps=LAYER_NORM_EPS)
        self.attn = Attention(settings)
        self.ln_2 = nn.LayerNorm(settings.d_model, eps=LAYER_NORM_EPS)
        self.mlp = MLP(settings)

    def forward(self, x: Tensor) -> Tensor:
        p = self.dropout if self.training else 0.0
        x = x + dropout(self.attn(self.ln_1(x)), p)
        return x + dropout(self.mlp(self.ln_2(x)), p)


class GPT(nn.Module):
    """The model: ids (B, T) → logits (B, T, V). `compute_loss` is the training path, without stored logits."""

    def __init__(self, settings: ModelSettings, vocab_size: int) -> None:
        super().__init__()
        self.dropout = settings.dropout
        self.token_embedding = nn.Embedding(vocab_size, settings.d_model)
        self.position_embedding = nn.Embedding(settings.block_size, settings.d_model)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.n_layer))
        self.ln_f = nn.LayerNorm(settings.d_model, eps=LAYER_NORM_EPS)

    def forward(self, ids: Tensor) -> Tensor:
        return F.linear(self.compute_hidden(ids), self.token_embedding.weight)  # (B, T, V)

    def compute_hidden(self, ids: Tensor) -> Tensor:
        """The final normalized residual stream (B, T, D) of ids (B, T)."""
        positions = self.position_embedding.weight[: ids.shape[1]]
        x = dropout(self.token_embedding(ids) + positions, self.dropout if self.training else 0.0)  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, self.ln_f(x))

    def compute_loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Summed cross-entropy in nats, a scalar, of targets (B, T) given ids (B, T)."""
        hidden = self.compute_hidden(ids).flatten(0, 1)  # (N, D)
        return linear_cross_entropy(hidden, self.token_embedding.weight, targets.flatten())
