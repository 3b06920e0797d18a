"""What the clock of a log says of pauses and restarts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

MIN_GAP_S = 1800.0
GAP_FACTOR = 50
"""A pause longer than half an hour and than so many usual steps is a gap, not training."""


@dataclass(frozen=True)
class Clock:
    """What the log's `elapsed_time` says, in seconds."""

    elapsed_s: float | None
    """Last value, pauses and evaluations included."""
    num_gaps: int
    gap_s: float
    """All gaps together."""
    num_setbacks: int
    """Times the clock went back, as after a restart."""


def read_clock(elapsed: Sequence[float]) -> Clock:
    """Finds gaps and setbacks in the times of the steps, given in the log's order."""
    if not elapsed:
        return Clock(None, 0, 0.0, 0)
    waits = [after - before for before, after in pairwise(elapsed)]
    usual = median([wait for wait in waits if wait >= 0] or [0.0])
    gaps = [wait for wait in waits if wait > max(MIN_GAP_S, GAP_FACTOR * usual)]
    return Clock(elapsed[-1], len(gaps), sum(gaps), sum(wait < 0 for wait in waits))
