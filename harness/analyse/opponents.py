"""Which two arms are compared, as the plan says: each with the first, the best, the one before it or a named one."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from harness.analyse.pairs import BASES
from harness.plan.plan import BEST, FIRST, PREVIOUS
from harness.store.arm_fields import Arm, Final

Finals = Mapping[tuple[str, int], Final | None]
"""Final measurements by arm and seed."""
Judge = Callable[[str, str], Mapping[str, Any]]
"""The verdict on two arms by name, the first being the baseline."""


def find_opponents(against: str, arms: Sequence[Arm], finals: Finals, seeds: Sequence[int]) -> list[tuple[Arm, Arm]]:
    """Baseline and candidate of every pair, in the candidates' order."""
    if against == PREVIOUS:
        return list(pairwise(arms))
    baseline = find_baseline(against, arms, finals, seeds)
    return [(baseline, arm) for arm in arms if arm is not baseline]


def find_baseline(against: str, arms: Sequence[Arm], finals: Finals, seeds: Sequence[int]) -> Arm:
    """The arm that the others are shown beside; the first one where each is compared with the one before it."""
    if against in (FIRST, PREVIOUS):
        return arms[0]
    if against != BEST:
        return next(arm for arm in arms if arm["name"] == against)
    field = find_common_basis(arms)
    losses = {} if field is None else {arm["name"]: compute_mean_loss(arm, field, finals, seeds)[1] for arm in arms}
    known = {name: loss for name, loss in losses.items() if loss is not None}
    best = min(known, key=known.__getitem__, default=arms[0]["name"])
    return next(arm for arm in arms if arm["name"] == best)


def find_common_basis(arms: Sequence[Arm]) -> str | None:
    """The loss that decides of those that all arms with final measurements have."""
    measured = [arm["final"] for arm in arms if arm["final"] is not None]
    found = (field for field in BASES if measured and all(final[field] is not None for final in measured))  # type: ignore[literal-required]  # a field of BASES
    return next(found, None)


def compute_mean_loss(arm: Arm, field: str, finals: Finals, seeds: Sequence[int]) -> tuple[int, float | None]:
    """How many of the seeds an arm completed, and the mean of its last losses over them."""
    every = [finals.get((arm["name"], seed)) for seed in dict.fromkeys((*seeds, arm["seed"]))]
    losses = [final[field] for final in every if final and final[field] is not None]  # type: ignore[literal-required]  # a field of BASES
    return len(losses), sum(losses) / len(losses) if losses else None
