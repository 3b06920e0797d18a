"""A candidate against the baseline: on which loss they are compared, gains, coverage, curves, cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analyse.coverage import OFFICIAL_TARGET_COVERAGE, compute_coverage_share
from harness.analyse.curves import build_curve, compute_gain, describe_steps, describe_times
from harness.analyse.doubts import find_doubts, find_mismatch, share_text
from harness.analyse.joint import bound_matched_gain, compute_gap
from harness.store.arm_fields import Arm
from harness.store.measurements import Row
from harness.store.pair_fields import Target
from mainrun.config import find_changes

OFFICIAL_TARGET_NATS_PER_CHAR = 1.754
"""The task's own target; it means nothing on other data."""
COVERAGE_TOLERANCE_POINTS = 0.5
"""A larger difference in coverage makes the frozen losses of two arms incomparable as they stand."""
COVERAGE_DIFFERS = "; the arms' coverage differs, so their frozen losses are not on equal terms"
"""What stands after a verdict then."""
FULL = "full_loss_nats_per_char"
MATCHED = "matched_loss_nats_per_char"
FROZEN = "loss_nats_per_char"
PER_TOKEN = "loss_nats_per_token"
BASES = {
    FULL: "full loss",
    MATCHED: "coverage-matched frozen loss (frozen loss / coverage)",
    FROZEN: "frozen loss as reported (coverage not known)",
    PER_TOKEN: "validation loss per token",
}
"""Field of a final measurement → its name; the first one that both arms have decides."""
NOT_SETTINGS = frozenset({"log_file", "seed", "timestamp", "num_runs"})
"""What logs of other programs name among their settings."""


def describe_pair(
    baseline: Arm, candidate: Arm, rows: Mapping[str, Sequence[Row]], *, official: bool, kept_rules: bool = True
) -> dict[str, Any]:
    """The fields of a `Pair` but for its certainty, of two arms with final measurements.

    `rows` holds the headline run's rows by arm, `official` says that the titles are proven to be the task's, and
    `kept_rules` that no rule was broken: without that no official target is claimed.
    """
    first, last = baseline["final"], candidate["final"]
    assert first is not None and last is not None
    basis = next(field for field in BASES if first[field] is not None and last[field] is not None)  # type: ignore[literal-required]  # the fields of BASES are fields of Final
    gap = compute_gap(baseline, candidate)
    differs = gap is not None and max(gap["low"], -gap["high"]) > COVERAGE_TOLERANCE_POINTS
    bounds = bound_matched_gain(baseline, candidate) if basis == MATCHED else None
    unit = PER_TOKEN if basis == PER_TOKEN else FROZEN
    one, other = (
        build_curve(rows[arm["name"]], unit, arm["sizes"]["coverage"] if differs else 1.0)
        for arm in (baseline, candidate)
    )
    gains = {field: _compute_gain(first[field], last[field]) for field in BASES}  # type: ignore[literal-required]
    reported, fair = gains[FROZEN], gains[basis]
    known = first["coverage_percent"] is not None and last["coverage_percent"] is not None
    return {
        "baseline": baseline["name"],
        "candidate": candidate["name"],
        "baseline_label": baseline["label"],
        "candidate_label": candidate["label"],
        "basis": {
            "field": basis,
            "name": _name_basis(basis, baseline, candidate),
            "baseline": first[basis],  # type: ignore[literal-required]
            "candidate": last[basis],  # type: ignore[literal-required]
        },
        "changes": [
            {"key": key, "baseline": before, "candidate": after}
            for key, (before, after) in find_changes(baseline["config"], candidate["config"]).items()
            if key not in NOT_SETTINGS
        ],
        "mismatch": find_mismatch(baseline, candidate),
        "text_is_shared": share_text(baseline, candidate),
        "doubts": find_doubts(baseline, candidate, (one, other)),
        "coverage_gap_points": gap,
        "coverage_differs": differs,
        "curve_metric": _name_curve(unit, matched=differs, known=known),
        "basis_gain_percent": fair,
        "basis_gain_bounds_percent": bounds,
        "reported_gain_percent": reported,
        "full_gain_percent": gains[FULL],
        "matched_gain_percent": gains[MATCHED],
        "full_gain_without_in_train_percent": _compute_gain(
            *(
                arm["in_train"]["full_loss_without_nats_per_char"] if arm["in_train"] else None
                for arm in (baseline, candidate)
            )
        ),
        "coverage_share_percent": compute_coverage_share(reported, fair)
        if (basis == FULL or differs) and reported is not None and fair is not None
        else None,
        "target": _describe_target(baseline, candidate, official=official, kept_rules=kept_rules),
        **describe_steps(one, other),
        **describe_times(one, other),
        **{
            f"{name}_ratio": _compute_ratio(baseline, candidate, field)
            for name, field in (
                ("time", "train_elapsed_s"),
                ("flops", "training_flops"),
                ("parameters", "num_parameters"),
                ("memory", "peak_memory_bytes"),
            )
        },
    }


def _compute_gain(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else compute_gain(before, after)


def _compute_ratio(baseline: Arm, candidate: Arm, field: str) -> float | None:
    if baseline["cost"] is None or candidate["cost"] is None:
        return None
    before, after = baseline["cost"][field], candidate["cost"][field]  # type: ignore[literal-required]  # a field of Cost
    return after / before if before and after is not None else None


def _name_basis(basis: str, baseline: Arm, candidate: Arm) -> str:
    validations = [(arm["forensics"] or {}).get("validation") or {} for arm in (baseline, candidate)]
    estimated = any(validation.get("origin") in ("estimated", "scaled") for validation in validations)
    return BASES[basis] + ("; coverage estimated" if estimated and basis == MATCHED else "")


def _describe_target(baseline: Arm, candidate: Arm, *, official: bool, kept_rules: bool) -> Target | None:
    """The loss to beat: the task's on its own data; the baseline's last where one frozen evaluation made both.

    It is one for the last step: an earlier evaluation says nothing of it.
    """
    first, last = baseline["final"], candidate["final"]
    assert first is not None and last is not None
    if not (first["is_last"] and last["is_last"]):
        return None
    if baseline["evaluate_sha256"] and candidate["evaluate_sha256"] and first["loss_nats_per_char"] is not None:
        is_official = official and kept_rules
        target: Target = {
            "loss_nats_per_char": OFFICIAL_TARGET_NATS_PER_CHAR if is_official else first["loss_nats_per_char"],
            "is_official": is_official,
            "matched_loss_nats_per_char": None,
        }
        if is_official:
            target["coverage_percent"] = 100 * OFFICIAL_TARGET_COVERAGE
        return target
    by_counts = all(arm["forensics"] and arm["forensics"]["is_official"] for arm in (baseline, candidate))
    if not by_counts or not kept_rules or last["matched_loss_nats_per_char"] is None:
        return None
    return {
        "loss_nats_per_char": OFFICIAL_TARGET_NATS_PER_CHAR,
        "is_official": True,
        "matched_loss_nats_per_char": OFFICIAL_TARGET_NATS_PER_CHAR / OFFICIAL_TARGET_COVERAGE,
    }


def _name_curve(unit: str, *, matched: bool, known: bool) -> str:
    if unit == PER_TOKEN:
        return "validation loss per token"
    if matched:
        return "coverage-matched: frozen loss / coverage"
    return "frozen loss" if known else "frozen loss as reported"
