"""`gate`: does a comparison meet what a build asks of it? Undecided is an answer of its own, and never a failure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.formats import format_loss, format_percent
from harness.store.runs import load_comparison
from harness.verify.derived import load_proven_document
from mainrun.record.errors import EXIT_DONE, EXIT_INCONCLUSIVE, EXIT_NO, RequestError, StoredResultsError

Status = Literal["met", "missed", "undecided"]


@dataclass(frozen=True)
class Condition:
    """One thing asked, and how the comparison answers it."""

    name: str
    status: Status
    text: str


def judge(
    folder: Path, min_improvement_percent: float | None, max_loss_nats_per_char: float | None, require_conclusive: bool
) -> list[Condition]:
    """The conditions on the last-named arm against the first, each answered.

    Every stored number is made again from the journals before it is judged. Raises `RequestError` where nothing is
    asked, `StoredResultsError` where runs are missing or the numbers are not those of the stored runs.
    """
    if min_improvement_percent is None and max_loss_nats_per_char is None and not require_conclusive:
        raise RequestError("gate asks nothing: give --min-improvement, --max-loss or --require-conclusive.")
    for asked in (min_improvement_percent, max_loss_nats_per_char):
        if asked is not None and not math.isfinite(asked):
            raise RequestError(f"gate takes finite numbers, not {asked}.")
    document = _load_whole(folder)
    last_arm = document["arms"][-1]
    if not document["pairs"] or document["pairs"][-1]["candidate"] != last_arm["name"]:
        reasons = [f"{arm['label']}: {arm['reason']}" for arm in document["arms"] if arm["final"] is None]
        why = "; ".join(reasons) or "it is what the others are compared with"
        raise StoredResultsError(f"{folder} cannot be judged: {last_arm['label']} has no pair: {why}.")
    pair = document["pairs"][-1]
    conditions = []
    if min_improvement_percent is not None:
        conditions.append(judge_improvement(pair["verdict"], min_improvement_percent, pair["doubts"]))
    if max_loss_nats_per_char is not None:
        if last_arm["final"]["loss_nats_per_char"] is None or not last_arm["final"]["is_last"]:
            raise StoredResultsError(f"{folder} has no frozen loss of {last_arm['name']} at its last step.")
        conditions.append(
            judge_loss(last_arm["final"]["loss_nats_per_char"], max_loss_nats_per_char, last_arm["facts"]["seed"])
        )
    if require_conclusive:
        conditions.append(judge_conclusive(pair["verdict"]))
    return conditions


def judge_improvement(verdict: dict[str, Any], percent: float, doubts: Sequence[str] = ()) -> Condition:
    """Met or missed where the verdict's whole interval lies on one side of `percent`; with `doubts` neither."""
    interval = None if doubts else verdict["interval_95"]
    status: Status = "undecided"
    if interval and interval["low_percent"] >= percent:
        status = "met"
    elif interval and interval["high_percent"] < percent:
        status = "missed"
    return Condition(
        f"--min-improvement {percent:g}",
        status,
        f"gain in {verdict['basis']} {format_percent(verdict['gain_percent'], 2)}, "
        f"{verdict['label']}; {verdict['reason']}",
    )


def judge_loss(loss_nats_per_char: float, highest: float, seed: int | None) -> Condition:
    """Whether the frozen loss of the headline's run, with this seed where it states one, is at most `highest`."""
    return Condition(
        f"--max-loss {highest:g}",
        "met" if loss_nats_per_char <= highest else "missed",
        f"frozen loss at the last step{'' if seed is None else f', seed {seed}'}: {format_loss(loss_nats_per_char)} "
        "nats per character",
    )


def judge_conclusive(verdict: dict[str, Any]) -> Condition:
    """Whether the verdict is any word but INCONCLUSIVE."""
    status: Status = "undecided" if verdict["word"] == "INCONCLUSIVE" else "met"
    return Condition("--require-conclusive", status, verdict["label"])


def compute_exit_code(conditions: list[Condition], require_conclusive: bool) -> int:
    """1 where anything is missed, 5 where a conclusion was required and anything is undecided, else 0."""
    statuses = {condition.status for condition in conditions}
    if "missed" in statuses:
        return EXIT_NO
    return EXIT_INCONCLUSIVE if require_conclusive and "undecided" in statuses else EXIT_DONE


def _load_whole(folder: Path) -> dict[str, Any]:
    comparison = load_comparison(folder)
    if comparison.unfinished:
        names = ", ".join(comparison.plan.describe_run(run) for run in comparison.unfinished)
        raise StoredResultsError(f"{folder} cannot be judged: not complete: {names}. Train them with compare --resume.")
    return load_proven_document(comparison)
