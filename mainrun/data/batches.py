"""What each training step reads: a pure function of the step, so that a checkpoint holds no position.

Shapes: n ids of the stream, B = batch_size windows of T = block_size ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mainrun.rules import EOS_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(eq=False)
class Batches:
    """The batches of a run that reads the stream in its own order, the same in every epoch."""

    ids: Tensor
    """(n,) on the device that trains."""
    block_size: int
    batch_size: int

    def read(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs (B, T) and targets (B, T), the ids that follow them, of `step`, 1 or later."""
        num_targets = self.block_size * self.batch_size
        return self._lay_out(self.ids, find_first(step, len(self.ids), num_targets))

    def _lay_out(self, stream: Tensor, first: int) -> tuple[Tensor, Tensor]:
        read = stream[first : first + self.block_size * self.batch_size + 1]
        shape = self.batch_size, self.block_size
        return read[:-1].view(shape), read[1:].view(shape)


@dataclass(eq=False)
class ShuffledBatches(Batches):
    """The titles in another order every epoch; each id is read once an epoch, but for those that fill no batch."""

    seed: int
    """Of the run."""
    _epoch: int = field(default=-1, init=False)
    _stream: Tensor = field(init=False)

    def read(self, step: int) -> tuple[Tensor, Tensor]:
        """As in order; before the first title of an epoch stands an `<eos>`, so that its first id is a target too."""
        num_targets = self.block_size * self.batch_size
        epoch, place = divmod(step - 1, len(self.ids) // num_targets)
        if epoch != self._epoch:
            self._epoch, self._stream = epoch, self._shuffle(epoch)
        return self._lay_out(self._stream, place * num_targets)

    def _shuffle(self, epoch: int) -> Tensor:
        """(n + 1,) the stream of an epoch, behind one `<eos>`."""
        import torch

        places = order_titles(self.ids.cpu().numpy(), self.seed, epoch)
        shuffled = self.ids[torch.from_numpy(places).to(self.ids.device)]
        return torch.cat([shuffled.new_tensor([EOS_ID]), shuffled])


def build_batches(order: str, ids: Tensor, block_size: int, batch_size: int, seed: int) -> Batches:
    """The batches of a run by its `training.order`."""
    if order == "shuffled":
        return ShuffledBatches(ids, block_size, batch_size, seed)
    return Batches(ids, block_size, batch_size)


def find_first(step: int, num_ids: int, num_targets: int) -> int:
    """Where the read of `step` begins: one after the other, and at 0 again where no whole read is left.

    A read is `num_targets` + 1 ids, and the last one of it is the first one of the next.
    """
    num_reads = (num_ids - 1) // num_targets
    return (step - 1) % num_reads * num_targets


def order_titles(ids: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """(n,) the places of the stream's ids in the order of an epoch: titles shuffled, each in one piece.

    `ids` (n,) ends each title with an `<eos>`; the order follows from `seed` and `epoch` (0 is the first) alone.
    """
    ends = np.flatnonzero(ids == EOS_ID) + 1
    starts = np.concatenate([[0], ends[:-1]])
    order = np.random.default_rng((seed, epoch)).permutation(len(ends))
    lengths = (ends - starts)[order]
    behind = np.cumsum(lengths) - lengths  # where each title begins in the epoch
    return np.repeat(starts[order] - behind, lengths) + np.arange(len(ids))
