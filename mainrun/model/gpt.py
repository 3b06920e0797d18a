"""A small GPT: GPT-2-style pre-LayerNorm blocks, learned positions, tied embedding.

Shapes: B windows, T tokens a window, D = d_model, H = n_head, V = vocabulary, N = B × T.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.config import Config
from mainrun.model.dropout import dropout
from mainrun.model.linear_cross_entropy import linear_cross_entropy

LAYER_NORM_EPS = 1e-5
INIT_STD = 0.02


class Attention(nn.Module):
    """Causal self-attention over all heads."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.n_head = config.n_head
        self.dropout = config.dropout
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model)
        self.proj = nn.Linear(config.d_model, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape  # noqa: N806  # the field's own letters
        qkv = self.qkv(x).view(B, T, 3, self.n_head, D // self.n_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 × (B, H, T, D/H)
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


class MLP(nn.Module):
    """Two linear layers around an exact GELU."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.fc = nn.Linear(config.d_model, 4 * config.d_model)
        self.proj = nn.Linear(4 * config.d_model, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.proj(F.gelu(self.fc(x))))


class Block(nn.Module):
    """One pre-LayerNorm transformer block."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.ln_1 = nn.LayerNorm(config.d_model, eps=LAYER_NORM_EPS)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.d_model, eps=LAYER_NORM_EPS)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        p = self.dropout if self.training else 0.0
        x = x + dropout(self.attn(self.ln_1(x)), p)
        return x + dropout(self.mlp(self.ln_2(x)), p)


class GPT(nn.Module):
    """The model: ids (B, T) → logits (B, T, V). `compute_loss` is the training path, without stored logits."""

    def __init__(self, config: Config, vocab_size: int) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.token_embedding = nn.Embedding(vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.block_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.d_model, eps=LAYER_NORM_EPS)

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


def init_weights(model: GPT, seed: int) -> None:
    """Fills all parameters from `seed`, on the CPU: N(0, 0.02) weights, zero biases and positions, unit LayerNorms."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        module, kind = name.split(".")[-2:]
        match module, kind:
            case (_, "bias") | ("position_embedding", "weight"):
                nn.init.zeros_(parameter)
            case ("ln_1" | "ln_2" | "ln_f", "weight"):
                nn.init.ones_(parameter)
            case ("token_embedding" | "qkv" | "proj" | "fc", "weight"):
                nn.init.normal_(parameter, std=INIT_STD, generator=generator)
            case _:
                raise AssertionError(f"No initialization is known for parameter '{name}'.")
