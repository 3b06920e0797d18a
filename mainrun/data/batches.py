"""What each training step reads: a pure function of the step, so that a checkpoint holds no position.

Shapes: n ids of the stream, B = batch_size windows of T = block_size ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Batches:
    """The batches of a run, in the stream's own order."""

    ids: Tensor
    """(n,) on the device that trains."""
    block_size: int
    batch_size: int

    def read(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs (B, T) and targets (B, T), the ids that follow them, of `step`, 1 or later."""
        num_targets = self.block_size * self.batch_size
        first = find_first(step, len(self.ids), num_targets)
        read = self.ids[first : first + num_targets + 1]
        shape = self.batch_size, self.block_size
        return read[:-1].view(shape), read[1:].view(shape)


def find_first(step: int, num_ids: int, num_targets: int) -> int:
    """Where the read of `step` begins: one after the other, and at 0 again where no whole read is left.

    A read is `num_targets` + 1 ids, and the last one of it is the first one of the next.
    """
    num_reads = (num_ids - 1) // num_targets
    return (step - 1) % num_reads * num_targets
