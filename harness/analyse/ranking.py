"""All arms by the loss that decides, with what each is worth against the baseline, and what cannot be told apart."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.analyse.pairs import BASES, MATCHED
from harness.formats import format_value
from harness.store.arm_fields import Arm, Final
from mainrun.config import find_changes

MAX_CHANGES_NAMED = 3
Finals = Mapping[tuple[str, int], Final | None]
Judge = Callable[[str, str], dict[str, Any]]
"""The verdict on two arms by name, the first being the baseline."""


def rank_arms(
    arms: Sequence[Arm], pairs: Sequence[Mapping[str, Any]], finals: Finals, seeds: Sequence[int], judge: Judge
) -> dict[str, Any]:
    """`field` and `name` of the loss all arms have, and its `rows`, best first; arms without one come last.

    A row's loss is the mean over the plan's seeds that the arm completed. `is_apart` says whether the best arm is shown
    to be better than this one; None where nothing shows it either way.
    """
    measured = [arm for arm in arms if arm["final"] is not None]
    field = next((field for field in BASES if measured and all(_get(arm, field) is not None for arm in measured)), None)
    by_candidate = {pair["candidate"]: pair for pair in pairs}
    rows = [_describe(arm, arms[0], by_candidate.get(arm["name"]), field, finals, seeds) for arm in arms]
    rows.sort(key=lambda row: (row["loss"] is None, row["loss"] or 0.0))
    for place, row in enumerate(rows, 1):
        row["rank"] = place if row["loss"] is not None else None
        row["is_apart"] = _is_apart(rows[0], row, judge)
    return {"field": field, "name": BASES[field] if field else None, "rows": rows}


def describe_difference(baseline: Arm, arm: Arm, pair: Mapping[str, Any] | None = None) -> str:
    """What of an arm's settings and code is not the baseline's, in a few words."""
    if arm is baseline:
        return "the baseline"
    changes = find_changes(baseline["config"], arm["config"]).items()
    named = [
        f"{key.rpartition('.')[2] if not key.endswith('.name') else key.removesuffix('.name')} "
        f"{format_value(before)} → {format_value(after)}"
        for key, (before, after) in changes
        if None not in (before, after)
    ] or [f"{key} {format_value(after)}" for key, (_, after) in changes]
    num_files = None if pair is None else len(pair.get("code_changes", ()))
    if num_files:
        named.insert(0, f"code of {num_files:,} {'file' if num_files == 1 else 'files'}")
    more = len(named) - MAX_CHANGES_NAMED
    return ", ".join(named[:MAX_CHANGES_NAMED]) + (f" and {more} more" if more > 0 else "") or "nothing"


def _describe(
    arm: Arm, baseline: Arm, pair: Mapping[str, Any] | None, field: str | None, finals: Finals, seeds: Sequence[int]
) -> dict[str, Any]:
    final, cost = arm["final"], arm["cost"]
    every = [finals.get((arm["name"], seed)) for seed in (*seeds, *(() if arm["seed"] in seeds else (arm["seed"],)))]
    losses = [one[field] for one in every if one and field and one[field] is not None]  # type: ignore[literal-required]  # a field of BASES
    ranged = field == MATCHED and final is not None
    return {
        "arm": arm["name"],
        "label": arm["label"],
        "change": describe_difference(baseline, arm, pair),
        "is_baseline": arm is baseline,
        "reason": arm["reason"],
        "num_seeds": len(losses),
        "loss": sum(losses) / len(losses) if losses else None,
        "low": final["matched_low_nats_per_char"] if ranged and final else None,
        "high": final["matched_high_nats_per_char"] if ranged and final else None,
        "frozen_loss_nats_per_char": final["loss_nats_per_char"] if final else None,
        "coverage_percent": final["coverage_percent"] if final else None,
        "num_spans": final["num_spans"] if final else None,
        "gain_percent": pair["verdict"]["gain_percent"] if pair else None,
        "bounds": pair["basis_gain_bounds_percent"] if pair else None,
        "interval_95": pair["verdict"]["interval_95"] if pair else None,
        "verdict": pair["verdict"]["label"] if pair else None,
        "num_parameters": cost["num_parameters"] if cost else None,
        "train_elapsed_s": cost["train_elapsed_s"] if cost else None,
        "training_flops": cost["training_flops"] if cost else None,
        "peak_memory_bytes": cost["peak_memory_bytes"] if cost else None,
        "step": final["step"] if final else None,
        "above_best": final["loss_nats_per_char"] - arm["min_frozen"]["loss_nats_per_char"]
        if final and arm["min_frozen"] and final["loss_nats_per_char"] is not None
        else None,
    }


def _get(arm: Arm, field: str) -> Any:
    assert arm["final"] is not None
    return arm["final"][field]  # type: ignore[literal-required]  # a field of BASES


def _is_apart(best: Mapping[str, Any], row: Mapping[str, Any], judge: Judge) -> bool | None:
    if row is best or row["loss"] is None:
        return None
    if best["high"] is not None and row["low"] is not None and row["low"] <= best["high"]:
        return False
    verdict = judge(row["arm"], best["arm"])
    if verdict["interval_95"] is None or verdict["runs_word"] == "IMPROVED" != verdict["word"]:
        return None
    return bool(verdict["word"] == "IMPROVED")
