"""The frozen evaluation of the task. Its arithmetic is part of the task: this file imports nothing of the project,
and the harness knows its SHA-256.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

WINDOWS_AT_ONCE = 8
"""Windows whose logits are held at a time; bounds memory, and windows do not see each other."""


@dataclass(frozen=True)
class Evaluation:
    """What one frozen evaluation measured."""

    span_loss_nats: list[float]
    """Summed cross-entropy of each whole span, in order."""
    num_chars: int
    """Characters (Unicode code points) of the whole validation text, separators included."""

    @property
    def loss_nats_per_char(self) -> float:
        """The task's metric. Not comparable between runs whose coverage differs."""
        return sum(self.span_loss_nats) / self.num_chars


@torch.no_grad()
def evaluate(model: nn.Module, ids: torch.Tensor, *, block_size: int, batch_size: int, num_chars: int) -> Evaluation:
    """Scores every whole span of the validation stream `ids` (n,) with `model`: ids (B, T) → logits (B, T, V).

    A span is block_size × batch_size + 1 ids; the walk advances by whole spans, so that one id a span and the tail
    that fills no span are never scored, while `num_chars` counts their characters too.
    """
    was_training = model.training
    model.eval()
    span = block_size * batch_size + 1
    span_loss_nats = []
    for ptr in range(0, len(ids) - span + 1, span):
        inputs = ids[ptr : ptr + span - 1].view(batch_size, block_size)
        targets = ids[ptr + 1 : ptr + span].view(batch_size, block_size)
        loss_nats = 0.0
        for first in range(0, batch_size, WINDOWS_AT_ONCE):
            logits = model(inputs[first : first + WINDOWS_AT_ONCE])
            chunk_targets = targets[first : first + WINDOWS_AT_ONCE]
            losses = F.cross_entropy(logits.flatten(0, 1).float(), chunk_targets.flatten(), reduction="none")
            loss_nats += losses.double().sum().item()
        span_loss_nats.append(loss_nats)
    model.train(was_training)
    return Evaluation(span_loss_nats, num_chars)
