"""The full loss: every id of the validation stream scored once, whatever the batch; and each title's share of it."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from mainrun.rules import EOS_ID

WINDOWS_AT_ONCE = 8
"""Windows whose logits are held at a time; bounds memory."""


@dataclass(frozen=True)
class FullLoss:
    """Losses of all ids of a stream."""

    token_loss_nats: NDArray[np.float64]
    """(n,) cross-entropy of each id given the ids before it in its window."""
    num_chars: int
    """Characters of the whole validation text, separators included."""

    @property
    def loss_nats_per_char(self) -> float:
        return float(self.token_loss_nats.sum()) / self.num_chars

    @property
    def loss_nats_per_token(self) -> float:
        return float(self.token_loss_nats.sum()) / len(self.token_loss_nats)


@torch.no_grad()
def compute_full_loss(model: nn.Module, ids: torch.Tensor, *, block_size: int, num_chars: int) -> FullLoss:
    """Scores all of `ids` (n,) after one leading `<eos>`, in contiguous windows of `block_size`, the last shorter."""
    was_training = model.training
    model.eval()
    inputs = torch.cat([ids.new_tensor([EOS_ID]), ids[:-1]])
    num_whole = len(ids) // block_size * block_size
    windows = list(torch.split(inputs[:num_whole].view(-1, block_size), WINDOWS_AT_ONCE))
    if num_whole < len(ids):
        windows.append(inputs[num_whole:].view(1, -1))
    # Filled in place: a small tensor kept between two large ones can cost an allocator the room for a large one.
    losses = torch.empty(len(ids), dtype=torch.float64, device=ids.device)
    first = 0
    for window in windows:
        part = slice(first, first + window.numel())
        logits = model(window).flatten(0, 1).float()
        losses[part] = F.cross_entropy(logits, ids[part], reduction="none")
        first += window.numel()
    model.train(was_training)
    return FullLoss(losses.cpu().numpy(), num_chars)


def sum_by_title(full_loss: FullLoss, title_num_tokens: NDArray[np.int32]) -> NDArray[np.float64]:
    """(titles,) summed loss in nats of each title's ids and its separator; the sums add up to the full sum."""
    assert title_num_tokens.sum() == len(full_loss.token_loss_nats)
    starts = np.concatenate([[0], np.cumsum(title_num_tokens)[:-1]])
    return np.add.reduceat(full_loss.token_loss_nats, starts)
