"""Arms that differ in one number alone: the loss along it, which value is best, and whether it is at the edge.

They are found by their configurations, however they were asked for.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from harness.analyse.opponents import Finals, Judge, compute_mean_loss
from harness.analyse.pairs import NOT_SETTINGS
from harness.store.arm_fields import Arm
from mainrun.config import shorten_key
from mainrun.record.identity import decides_numbers

MIN_POINTS = 3
"""With fewer values there is no inside, of which the best could lie at the edge."""
EVEN_RATIO = 2.0
"""Values with steps of equal ratio, within this factor, belong on a logarithmic axis."""


def describe_sweeps(
    arms: Sequence[Arm],
    field: str | None,
    finals: Finals,
    seeds: Sequence[int],
    judge: Judge,
    codes: Mapping[str, Mapping[str, str] | None],
) -> list[dict[str, Any]]:
    """One entry for every setting of which three values or more were tried with nothing else changed.

    `field` is the loss that decides, `codes` the files of every arm's program by their hashes, as its run states them.
    A point's `low` and `high` are where its loss is by the 95 % interval of its difference from the best point, nats
    per character; None for the best, and where nothing gives an interval.
    """
    if field is None:
        return []
    losses = {arm["name"]: compute_mean_loss(arm, field, finals, seeds)[1] for arm in arms if arm["final"] is not None}
    measured = [arm for arm in arms if losses.get(arm["name"]) is not None]
    return [
        _describe(key, members, {name: loss for name, loss in losses.items() if loss is not None}, judge)
        for key, members in _find_groups(measured, codes)
    ]


def _find_groups(arms: Sequence[Arm], codes: Mapping[str, Mapping[str, str] | None]) -> list[tuple[str, list[Arm]]]:
    """Keys with the arms that are equal in all others and in their code, in the order of their values."""
    keys = dict.fromkeys(
        key for arm in arms for key, value in arm["config"].items() if _is_number(value) and key not in NOT_SETTINGS
    )
    found = []
    for key in keys:
        groups: dict[tuple[Any, ...], dict[float, Arm]] = {}
        for arm in arms:
            if _is_number(arm["config"].get(key)):
                code = _select_code(arm, codes[arm["name"]] or {})
                rest = tuple(sorted((other, repr(value)) for other, value in arm["config"].items() if other != key))
                groups.setdefault((code, *rest), {}).setdefault(arm["config"][key], arm)
        found += [(key, [by[value] for value in sorted(by)]) for by in groups.values() if len(by) >= MIN_POINTS]
    return found


def _select_code(arm: Arm, code: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What of an arm's program tells it from another's: all where the plan declares it, else what decides numbers."""
    decides_all = "code" in arm or not any(map(decides_numbers, code))
    return tuple(sorted(item for item in code.items() if decides_all or decides_numbers(item[0])))


def _describe(key: str, arms: Sequence[Arm], losses: Mapping[str, float], judge: Judge) -> dict[str, Any]:
    best = min(arms, key=lambda arm: losses[arm["name"]])
    place = arms.index(best)
    points = [_describe_point(key, arm, best, losses, judge) for arm in arms]
    values = [point["value"] for point in points]
    return {
        "key": key,
        "setting": shorten_key(key),
        "is_log": _is_even_in_ratio(values),
        "points": points,
        "num_points": len(points),
        "best": best["label"],
        "best_value": values[place],
        "best_loss_nats_per_char": losses[best["name"]],
        "lowest_value": values[0],
        "highest_value": values[-1],
        "edge": {0: "lowest", len(arms) - 1: "highest"}.get(place, "inside"),
        "tied": [point["value"] for point in points if point["is_apart"] is False],
    }


def _describe_point(key: str, arm: Arm, best: Arm, losses: Mapping[str, float], judge: Judge) -> dict[str, Any]:
    point = {"arm": arm["name"], "label": arm["label"], "value": arm["config"][key], "loss": losses[arm["name"]]}
    verdict, least = None if arm is best else judge(best["name"], arm["name"]), losses[best["name"]]
    if verdict is None or verdict["interval_95"] is None:
        return {**point, "low": None, "high": None, "is_apart": None}
    interval = verdict["interval_95"]
    low, high = (least * (1 - interval[f"{end}_percent"] / 100) for end in ("high", "low"))
    worse = {"REGRESSED": True, "EQUIVALENT": False}.get(verdict["word"])
    return {**point, "low": low, "high": high, "is_apart": False if low <= least and worse is None else worse}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_even_in_ratio(values: Sequence[float]) -> bool:
    if values[0] <= 0:
        return False
    ratios = [after / before for before, after in pairwise(values)]
    steps = [after - before for before, after in pairwise(values)]
    return max(ratios) / min(ratios) <= EVEN_RATIO < max(steps) / min(steps)
