"""Both losses a second time, from the words of the metric's definition: slow, one window at a time, plain sums."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def score(model: nn.Module, given: list[int], wanted: list[int]) -> list[float]:
    """The loss in nats of each wanted id under `model` for one window."""
    with torch.no_grad():
        log_probs = F.log_softmax(model(torch.tensor([given]))[0].double(), dim=1)
    return [-log_probs[place, target].item() for place, target in enumerate(wanted)]


def frozen_spans(model: nn.Module, ids: list[int], block_size: int, batch_size: int) -> list[float]:
    """The summed loss of each whole span."""
    span = block_size * batch_size + 1
    sums = []
    ptr = 0
    while ptr + span <= len(ids):
        losses = []
        for window in range(batch_size):
            first = ptr + window * block_size
            losses += score(model, ids[first : first + block_size], ids[first + 1 : first + block_size + 1])
        sums.append(math.fsum(losses))
        ptr += span
    return sums


def full_losses(model: nn.Module, ids: list[int], block_size: int, eos: int) -> list[float]:
    """The loss of every id, an `<eos>` put before the first."""
    stream = [eos, *ids]
    losses: list[float] = []
    for first in range(0, len(ids), block_size):
        num_scored = min(block_size, len(ids) - first)
        losses += score(model, stream[first : first + num_scored], stream[first + 1 : first + num_scored + 1])
    return losses
