"""Times of steps that are not the time that has passed since the run began."""

from collections.abc import Sequence
from itertools import pairwise

from harness.store.journals import Event

MIN_RISES = 3
"""So many times as often as it falls, as after a restart, a time that passes rises."""


def drop_other_times(steps: Sequence[Event]) -> list[str]:
    """Takes `elapsed_time` out of steps in order, where it does not rise over them; returns the note on that."""
    times = [event["elapsed_time"] for event in steps if event["elapsed_time"] is not None]
    pairs = [(before, after) for before, after in pairwise(times) if before != after]
    num_rises = sum(before < after for before, after in pairs)
    if len(times) < 2 or num_rises > MIN_RISES * (len(pairs) - num_rises):
        return []
    for event in steps:
        event["elapsed_time"] = None
    what = "the times of its steps do not rise over the run, as times of single steps do not"
    return [f"{what}: how long it took is not known"]
