"""Two curves side by side: the step table, and when each arm is first measured at or below a loss."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from harness.store.measurements import Row
from harness.store.pair_fields import Point, StepRow, TimeToLoss

MAX_SHARE_APART = 0.025
"""Two evaluations further apart than this share of a training are not set beside each other."""
MAX_THRESHOLDS = 6

Curve = list[Point]


def compute_gain(baseline: float, candidate: float) -> float:
    """How much lower the candidate's loss is, in percent of the baseline's."""
    return 100 * (baseline - candidate) / baseline


def build_curve(rows: Sequence[Row], unit: str, divisor: float) -> Curve:
    """The evaluations of a run in the column `unit`, divided by its coverage where they are to be matched."""
    return [
        {
            "step": row["step"],
            "share_done": row["step"] / row["max_steps"],
            "tokens_seen": row["tokens_seen"],
            "elapsed_s": row["elapsed_s"],
            "loss_nats_per_char": row[unit] / divisor,
        }
        for row in rows
        if row["split"] == "validation"
    ]


def align_curves(baseline: Curve, candidate: Curve) -> list[StepRow]:
    """The evaluations of two arms that are each other's nearest by share of training done, where they are near."""
    aligned: list[StepRow] = []
    for point in baseline:
        other = _find_nearest(candidate, point["share_done"])
        apart = abs(other["share_done"] - point["share_done"])
        if apart > MAX_SHARE_APART or _find_nearest(baseline, other["share_done"]) is not point:
            continue
        aligned.append(
            {
                "baseline_step": point["step"],
                "candidate_step": other["step"],
                "baseline_loss_nats_per_char": point["loss_nats_per_char"],
                "candidate_loss_nats_per_char": other["loss_nats_per_char"],
                "gain_percent": compute_gain(point["loss_nats_per_char"], other["loss_nats_per_char"]),
            }
        )
    return aligned


def _find_nearest(curve: Curve, share_done: float) -> Point:
    place = bisect_left(curve, share_done, key=itemgetter("share_done"))
    return min(curve[max(0, place - 1) : place + 1], key=lambda point: abs(point["share_done"] - share_done))


def describe_steps(baseline: Curve, candidate: Curve) -> dict[str, Any]:
    """The table of two curves, and the gains in it after the baseline's first evaluation."""
    steps = align_curves(baseline, candidate)
    gains = [row["gain_percent"] for row in steps if row["baseline_step"] > baseline[0]["step"]]
    return {
        "same_steps": [point["step"] for point in baseline] == [point["step"] for point in candidate],
        "steps": steps,
        "num_evaluations_lower": sum(gain > 0 for gain in gains),
        "gains_after_first_percent": gains,
    }


def describe_times(baseline: Curve, candidate: Curve) -> dict[str, Any]:
    """When each arm was first measured at or below a loss: tenths between start and end, and the baseline's last."""
    final = baseline[-1]["loss_nats_per_char"]
    highest = min(baseline[0]["loss_nats_per_char"], candidate[0]["loss_nats_per_char"])
    lowest = min(point["loss_nats_per_char"] for point in [*baseline, *candidate])
    tenths = [tenth / 10 for tenth in range(math.ceil(lowest * 10), math.ceil(highest * 10))]
    spread = tenths[:: max(1, math.ceil(len(tenths) / MAX_THRESHOLDS))]
    thresholds = [(loss, False) for loss in reversed(spread)] + [(final, True)]
    times: list[TimeToLoss] = [
        {
            "loss_nats_per_char": loss,
            "is_baseline_final": is_final,
            "baseline": _find_first(baseline, loss),
            "candidate": _find_first(candidate, loss),
        }
        for loss, is_final in thresholds
    ]
    return {
        "lowest_candidate_loss_nats_per_char": min(point["loss_nats_per_char"] for point in candidate),
        "baseline_last_loss_nats_per_char": final,
        "reached": _find_first(candidate, final),
        "times_to_loss": times,
    }


def _find_first(curve: Curve, loss_nats_per_char: float) -> Point | None:
    """The first evaluation at or below a loss, or None where no evaluation was."""
    return next((point for point in curve if point["loss_nats_per_char"] <= loss_nats_per_char), None)
