"""A plain eager training step of the same model: what ours is measured against, and must agree with.

Written as the description reads: attention weights and logits are whole tensors, dropout is torch's, the batch goes
through in one piece. Shapes: B windows, T tokens a window, D = d_model, H = n_head, V = vocabulary.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mainrun.data.batches import Batches
from mainrun.model.gpt import GPT, LAYER_NORM_EPS
from mainrun.optim.optimizers import clip_gradients
from mainrun.step import TrainingState


def take_plain_step(state: TrainingState, batches: Batches) -> float:
    """One step of `state` on the next of the `batches`; returns the mean loss in nats per token."""
    model, state.step = state.config.model, state.step + 1
    inputs, targets = batches.read(state.step)
    state.model.zero_grad(set_to_none=True)
    loss = compute_plain_loss(state.model, inputs, targets, model.n_head, model.dropout)
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not type backward
    clip_gradients(state.model.parameters(), state.config.training.grad_clip)
    for optimizer in state.optimizers:
        optimizer.step()
    return loss.item()


def compute_plain_loss(model: GPT, ids: Tensor, targets: Tensor, n_head: int, p: float) -> Tensor:
    """Mean cross-entropy in nats per token, a scalar, of targets (B, T) given ids (B, T); p is that of dropout."""
    weights: dict[str, Tensor] = dict(model.named_parameters())
    x = weights["token_embedding.weight"][ids] + weights["position_embedding.weight"][: ids.shape[1]]
    x = F.dropout(x, p)  # (B, T, D)
    for place in range(len(model.blocks)):
        block = {name.removeprefix(f"blocks.{place}."): weight for name, weight in weights.items()}
        x = x + F.dropout(_attend(_norm(x, block, "ln_1"), block, n_head, p), p)
        hidden = F.gelu(_linear(_norm(x, block, "ln_2"), block, "mlp.fc"))
        x = x + F.dropout(_linear(hidden, block, "mlp.proj"), p)
    logits = _norm(x, weights, "ln_f") @ weights["token_embedding.weight"].T  # (B, T, V)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def _attend(x: Tensor, block: dict[str, Tensor], n_head: int, p: float) -> Tensor:
    B, T, D = x.shape  # noqa: N806  # the field's own letters
    parts = torch.split(_linear(x, block, "attn.qkv"), D, dim=2)
    q, k, v = (part.view(B, T, n_head, D // n_head).transpose(1, 2) for part in parts)  # (B, H, T, D/H)
    scores = q @ k.transpose(2, 3) / math.sqrt(D // n_head)  # (B, H, T, T)
    later = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1)
    weights = F.dropout(scores.masked_fill(later, -math.inf).softmax(-1), p)
    return _linear((weights @ v).transpose(1, 2).reshape(B, T, D), block, "attn.proj")


def _linear(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _norm(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], LAYER_NORM_EPS)
