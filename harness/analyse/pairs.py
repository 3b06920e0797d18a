"""A candidate against the baseline: gains, coverage, the step table and times to a loss, as in `comparison.json`."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from harness.store.measurements import Row
from mainrun.config import find_changes

OFFICIAL_TARGET_NATS_PER_CHAR = 1.754
"""The task's own target; it means nothing on other data."""
COVERAGE_TOLERANCE_POINTS = 0.5
"""A larger difference in coverage makes the frozen losses of two arms incomparable as they stand."""
MAX_SHARE_APART = 0.025
"""Two evaluations further apart than this share of a training are not set beside each other."""
MAX_THRESHOLDS = 6

Described = dict[str, Any]


def describe_pair(
    baseline: Described, candidate: Described, rows: Mapping[str, Sequence[Row]], *, official: bool
) -> Described:
    """Everything that sets two complete arms side by side; `rows` holds the headline run's rows by arm."""
    coverage_differs = (
        abs(baseline["final"]["coverage_percent"] - candidate["final"]["coverage_percent"]) > COVERAGE_TOLERANCE_POINTS
    )
    curves = [_build_curve(arm, rows[arm["name"]], matched=coverage_differs) for arm in (baseline, candidate)]
    first, last = baseline["final"], candidate["final"]
    return {
        "baseline": baseline["name"],
        "candidate": candidate["name"],
        "baseline_label": baseline["label"],
        "candidate_label": candidate["label"],
        "changes": [
            {"key": key, "baseline": before, "candidate": after}
            for key, (before, after) in find_changes(baseline["config"], candidate["config"]).items()
        ],
        "coverage_differs": coverage_differs,
        "curve_metric": "coverage-matched: frozen loss / coverage" if coverage_differs else "frozen loss",
        "reported_gain_percent": compute_gain(first["loss_nats_per_char"], last["loss_nats_per_char"]),
        "full_gain_percent": compute_gain(first["full_loss_nats_per_char"], last["full_loss_nats_per_char"]),
        "matched_gain_percent": compute_gain(first["matched_loss_nats_per_char"], last["matched_loss_nats_per_char"]),
        "full_gain_without_in_train_percent": _compute_gain_without(baseline["in_train"], candidate["in_train"]),
        "coverage_share_percent": _compute_coverage_share(first, last),
        "target": {
            "loss_nats_per_char": OFFICIAL_TARGET_NATS_PER_CHAR if official else first["loss_nats_per_char"],
            "is_official": official,
        },
        "lowest_candidate_loss_nats_per_char": min(point["loss_nats_per_char"] for point in curves[1]),
        **describe_steps(*curves),
        "times_to_loss": describe_times(*curves),
        "time_ratio": candidate["cost"]["train_elapsed_s"] / baseline["cost"]["train_elapsed_s"],
        "flops_ratio": candidate["cost"]["training_flops"] / baseline["cost"]["training_flops"],
        "parameters_ratio": candidate["cost"]["num_parameters"] / baseline["cost"]["num_parameters"],
        "memory_ratio": candidate["cost"]["peak_memory_bytes"] / baseline["cost"]["peak_memory_bytes"],
    }


def compute_gain(baseline: float, candidate: float) -> float:
    """How much lower the candidate's loss is, in percent of the baseline's."""
    return 100 * (baseline - candidate) / baseline


def _compute_gain_without(first: Described, last: Described) -> float | None:
    """The gain in full loss with the validation titles left out that are training titles too."""
    before, after = first["full_loss_without_nats_per_char"], last["full_loss_without_nats_per_char"]
    return None if before is None or after is None else compute_gain(before, after)


def _compute_coverage_share(first: Described, last: Described) -> float | None:
    """Share of the reported gain that is coverage, in percent; None where no gain is reported."""
    reported = compute_gain(first["loss_nats_per_char"], last["loss_nats_per_char"])
    full = compute_gain(first["full_loss_nats_per_char"], last["full_loss_nats_per_char"])
    return 100 * (1 - full / reported) if reported > 0 else None


def _build_curve(arm: Described, rows: Sequence[Row], *, matched: bool) -> list[Described]:
    divisor = arm["sizes"]["coverage"] if matched else 1.0
    return [
        {
            "step": row["step"],
            "share_done": row["step"] / row["max_steps"],
            "tokens_seen": row["tokens_seen"],
            "elapsed_s": row["elapsed_s"],
            "loss_nats_per_char": row["loss_nats_per_char"] / divisor,
        }
        for row in rows
        if row["split"] == "validation"
    ]


def align_curves(baseline: list[Described], candidate: list[Described]) -> list[Described]:
    """The evaluations of two arms that are each other's nearest by share of training done, where they are near."""
    aligned = []
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


def _find_nearest(curve: list[Described], share_done: float) -> Described:
    place = bisect_left(curve, share_done, key=itemgetter("share_done"))
    return min(curve[max(0, place - 1) : place + 1], key=lambda point: abs(point["share_done"] - share_done))


def describe_steps(baseline: list[Described], candidate: list[Described]) -> Described:
    """The table of two curves, and the gains in it after the baseline's first evaluation."""
    steps = align_curves(baseline, candidate)
    gains = [row["gain_percent"] for row in steps if row["baseline_step"] > baseline[0]["step"]]
    return {
        "same_steps": [point["step"] for point in baseline] == [point["step"] for point in candidate],
        "steps": steps,
        "num_evaluations_lower": sum(gain > 0 for gain in gains),
        "gains_after_first_percent": gains,
    }


def describe_times(baseline: list[Described], candidate: list[Described]) -> list[Described]:
    """When each arm was first measured at or below a loss: tenths between start and end, and the baseline's last."""
    final = baseline[-1]["loss_nats_per_char"]
    highest = min(baseline[0]["loss_nats_per_char"], candidate[0]["loss_nats_per_char"])
    lowest = min(point["loss_nats_per_char"] for point in [*baseline, *candidate])
    tenths = [tenth / 10 for tenth in range(math.ceil(lowest * 10), math.ceil(highest * 10))]
    spread = tenths[:: max(1, math.ceil(len(tenths) / MAX_THRESHOLDS))]
    thresholds = [(loss, False) for loss in reversed(spread)] + [(final, True)]
    return [
        {
            "loss_nats_per_char": loss,
            "is_baseline_final": is_final,
            "baseline": _find_first(baseline, loss),
            "candidate": _find_first(candidate, loss),
        }
        for loss, is_final in thresholds
    ]


def _find_first(curve: list[Described], loss_nats_per_char: float) -> Described | None:
    """The first evaluation at or below a loss, or None where no evaluation was."""
    return next((point for point in curve if point["loss_nats_per_char"] <= loss_nats_per_char), None)
