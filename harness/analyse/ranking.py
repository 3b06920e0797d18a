"""All arms by the loss that decides, with what each is worth against the baseline, and what cannot be told apart."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from harness.analyse.joint import bound_matched_gain
from harness.analyse.opponents import Finals, Judge, compute_mean_loss, find_common_basis
from harness.analyse.pairs import BASES, MATCHED
from harness.analyse.verdict import adjust_verdicts
from harness.formats import format_number_of, format_value
from harness.store.arm_fields import Arm
from harness.store.runs import OURS
from mainrun.config import find_changes

MAX_CHANGES_NAMED = 3
OF_COST = ("num_parameters", "train_elapsed_s", "logged_elapsed_s", "training_flops", "peak_memory_bytes")


def rank_arms(
    arms: Sequence[Arm],
    baseline: Arm,
    pairs: Sequence[Mapping[str, Any]],
    finals: Finals,
    seeds: Sequence[int],
    judge: Judge,
) -> dict[str, Any]:
    """`field` and `name` of the loss all arms have, and its `rows`, best first; arms without one come last.

    A row's losses, times and memory are means over the plan's seeds that the arm completed; its change is that from
    `baseline`.
    `is_apart` says whether the best arm is shown to be better than this one, with all others judged together with it;
    None where nothing shows it either way. `tied` and `open` name the arms of which it is False and None, and
    `fewer_seeds`, where there are any, those that lack a seed which another one completed.
    """
    by_name = {arm["name"]: arm for arm in arms}
    field = find_common_basis(arms)
    by_candidate = {pair["candidate"]: pair for pair in pairs}
    values: defaultdict[str, set[str]] = defaultdict(set)
    for arm in arms:
        for key, value in arm["config"].items():
            values[key].add(repr(value))
    telling = sorted(values, key=lambda key: -len(values[key]))
    rows = [
        {**_describe(arm, baseline, by_candidate.get(arm["name"]), field, finals, seeds),
         "change": describe_difference(baseline, arm, by_candidate.get(arm["name"]), telling)}
        for arm in arms
    ]  # fmt: skip
    rows.sort(key=lambda row: (row["loss"] is None, row["loss"] or 0.0))
    for place, row in enumerate(rows, 1):
        row["rank"] = place if row["loss"] is not None else None
    _mark(rows, by_name, judge)
    others = [row for row in rows[1:] if row["loss"] is not None]
    return {
        "field": field,
        "name": BASES[field] if field else None,
        "rows": rows,
        "tied": [row["label"] for row in others if row["is_apart"] is False],
        "open": [row["label"] for row in others if row["is_apart"] is None],
        **_find_fewer_seeds(rows, finals, seeds),
    }


def _find_fewer_seeds(rows: Sequence[Mapping[str, Any]], finals: Finals, seeds: Sequence[int]) -> dict[str, list[str]]:
    """`fewer_seeds`; nothing where all arms that completed seeds of the plan completed the same."""
    completed = {row["label"]: {seed for seed in seeds if finals.get((row["arm"], seed))} for row in rows}
    every = set[int]().union(*completed.values())
    fewer = [label for label, own in completed.items() if own and own != every]
    return {"fewer_seeds": fewer} if fewer else {}


def describe_difference(baseline: Arm, arm: Arm, pair: Mapping[str, Any] | None, telling: Sequence[str]) -> str:
    """What of an arm's settings and code is not the baseline's, in a few words; settings in the order of `telling`."""
    if arm is baseline:
        return "the baseline"
    if not arm["config"] or not baseline["config"]:
        return "settings not stated"
    if arm["config"].keys().isdisjoint(baseline["config"]):
        return "settings of other names"
    found = find_changes(baseline["config"], arm["config"])
    changes = [(key, found[key]) for key in telling if key in found]
    named = [
        f"{key.rpartition('.')[2] if not key.endswith('.name') else key.removesuffix('.name')} "
        f"{format_value(before)} → {format_value(after)}"
        for key, (before, after) in changes
        if None not in (before, after)
    ] or [f"{key} {format_value(after)}" for key, (_, after) in changes]
    num_files = None if pair is None else len(pair.get("code_changes", ()))
    code = [f"code of {format_number_of(num_files, 'file')}"] if num_files else []
    code = code or ["code"] * _has_other_code(baseline, arm, pair)
    named = [*code, *named][:MAX_CHANGES_NAMED]
    more = len(code) + len(changes) - len(named)
    # The code of other programs is not known.
    nothing = "nothing" if all(each["origin"] in OURS for each in (baseline, arm)) else "nothing that is stated"
    return ", ".join(named) + (f" and {more} more" if more else "") or nothing


def _has_other_code(baseline: Arm, arm: Arm, pair: Mapping[str, Any] | None) -> bool:
    """By the plan, and of stored runs by their records; `pair` may be one with another arm than the baseline."""
    if "code" in baseline and "code" in arm:
        return bool(baseline["code"]["sources_sha256"] != arm["code"]["sources_sha256"])
    return bool(pair and pair["baseline"] == baseline["name"] and pair.get("has_other_code"))


def _describe(
    arm: Arm, baseline: Arm, pair: Mapping[str, Any] | None, field: str | None, finals: Finals, seeds: Sequence[int]
) -> dict[str, Any]:
    final, cost = arm["final"], arm["cost"]
    num_seeds, loss = (0, None) if field is None else compute_mean_loss(arm, field, finals, seeds)
    ranged = field == MATCHED and final is not None
    return {
        "arm": arm["name"],
        "label": arm["label"],
        "is_baseline": arm is baseline,
        "reason": arm["reason"],
        "num_seeds": num_seeds,
        "loss": loss,
        "low": final["matched_low_nats_per_char"] if ranged and final else None,
        "high": final["matched_high_nats_per_char"] if ranged and final else None,
        "frozen_loss_nats_per_char": compute_mean_loss(arm, "loss_nats_per_char", finals, seeds)[1],
        "coverage_percent": final["coverage_percent"] if final else None,
        "num_spans": final["num_spans"] if final else None,
        "gain_percent": pair["verdict"]["gain_percent"] if pair else None,
        "text_is_shared": pair["text_is_shared"] if pair else None,
        "bounds": pair["basis_gain_bounds_percent"] if pair else None,
        "interval_95": pair["verdict"]["interval_95"] if pair else None,
        "verdict": pair["verdict"]["label"] if pair else None,
        **{field: cost[field] if cost else None for field in OF_COST},  # type: ignore[literal-required]
        "step": final["step"] if final else None,
        "above_best": final["loss_nats_per_char"] - arm["min_frozen"]["loss_nats_per_char"]
        if final and arm["min_frozen"] and final["loss_nats_per_char"] is not None
        else None,
    }


def _mark(rows: Sequence[dict[str, Any]], by_name: Mapping[str, Arm], judge: Judge) -> None:
    """Sets `is_apart` of every row, the best one being the first."""
    best, others = rows[0], [row for row in rows[1:] if row["loss"] is not None]
    verdicts = [judge(row["arm"], best["arm"]) for row in others]
    for row in rows:
        row["is_apart"] = None
    for row, verdict, adjusted in zip(others, verdicts, adjust_verdicts(verdicts), strict=True):
        row["is_apart"] = _is_apart(best, row, by_name, verdict, adjusted["word"])


def _is_apart(
    best: Mapping[str, Any],
    row: Mapping[str, Any],
    by_name: Mapping[str, Arm],
    verdict: Mapping[str, Any],
    together: str,
) -> bool | None:
    bounds = bound_matched_gain(by_name[row["arm"]], by_name[best["arm"]]) if row["low"] is not None else None
    if bounds is not None and bounds["low"] <= 0 <= bounds["high"]:
        return False
    if verdict["interval_95"] is None or verdict["runs_word"] == "IMPROVED" != together:
        return None
    return together == "IMPROVED"
