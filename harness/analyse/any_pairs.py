"""Two arms side by side where not both have a full loss: on what basis they are compared, and what that leaves open."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analyse.coverage import OFFICIAL_TARGET_COVERAGE, compute_coverage_share
from harness.analyse.pairs import (
    COVERAGE_TOLERANCE_POINTS,
    OFFICIAL_TARGET_NATS_PER_CHAR,
    compute_gain,
    describe_steps,
    describe_times,
)
from harness.analyse.verdict import decide_verdict
from harness.store.measurements import Row
from mainrun.config import find_changes

BASES = {
    "full_loss_nats_per_char": "full loss",
    "matched_loss_nats_per_char": "coverage-matched frozen loss (frozen loss / coverage)",
    "loss_nats_per_char": "frozen loss as reported (coverage not known)",
    "loss_nats_per_token": "validation loss per token",
}
"""Field of a final measurement → its name; the first one that both arms have decides."""
OTHER_SEEDS = "the two runs have different seeds"
MISMATCH = "other data or another tokenizer"
_NOT_SETTINGS = frozenset({"log_file", "seed", "timestamp", "num_runs"})
Described = dict[str, Any]
Curve = list[Described]


def describe_foreign_pair(
    baseline: Described, candidate: Described, rows: Mapping[str, Sequence[Row]], *, kept_rules: bool
) -> Described:
    """Everything that can be said of two arms; a gain that cannot be had is None."""
    first, last = baseline["final"], candidate["final"]
    basis = next(field for field in BASES if first[field] is not None and last[field] is not None)
    coverages = first["coverage_percent"], last["coverage_percent"]
    known = None not in coverages
    differs = known and _do_ranges_differ(first, last)
    unit = "loss_nats_per_token" if basis == "loss_nats_per_token" else "loss_nats_per_char"
    curves = [_build_curve(arm, rows[arm["name"]], unit, matched=differs) for arm in (baseline, candidate)]
    gains = {field: _compute_gain_of(field, first, last) for field in BASES}
    reported, fair = gains["loss_nats_per_char"], gains[basis]
    share = compute_coverage_share(reported, fair) if differs and reported is not None and fair is not None else None
    return {
        "baseline": baseline["name"],
        "candidate": candidate["name"],
        "baseline_label": baseline["label"],
        "candidate_label": candidate["label"],
        "basis": {"field": basis, "name": _name_basis(basis, baseline, candidate)},
        "changes": [
            {"key": key, "baseline": before, "candidate": after}
            for key, (before, after) in find_changes(baseline["config"], candidate["config"]).items()
            if key not in _NOT_SETTINGS
        ],
        "mismatch": find_mismatch(baseline, candidate),
        "doubts": [*find_doubts(baseline, candidate), *find_untrained_doubts(candidate, *curves)],
        "coverage_differs": differs,
        "curve_metric": _name_curve(unit, matched=differs, known=known),
        "basis_gain_percent": fair,
        "basis_gain_bounds_percent": _bound_gain(basis, first, last),
        "reported_gain_percent": reported,
        "full_gain_percent": gains["full_loss_nats_per_char"],
        "matched_gain_percent": gains["matched_loss_nats_per_char"],
        "coverage_share_percent": share,
        "target": _describe_target(baseline, candidate, kept_rules=kept_rules),
        "lowest_candidate_loss_nats_per_char": min(point["loss_nats_per_char"] for point in curves[1]),
        **describe_steps(*curves),
        "times_to_loss": describe_times(*curves),
    }


def decide_foreign_verdict(pair: Described, seed_gains: Sequence[float], margin_percent: float) -> Described:
    """The verdict on the gain in the pair's basis: with one pair nothing is concluded, nor where an arm is in doubt."""
    verdict = decide_verdict(seed_gains, None, margin_percent)
    doubts = pair["doubts"]
    if doubts and verdict["word"] != "INCONCLUSIVE":
        word = "INCONCLUSIVE"
        verdict |= {"word": word, "label": word}
    reasons = [*doubts, *([verdict["reason"]] if not doubts or verdict["interval_95"] else [])]
    return {**verdict, "reason": "; ".join(reasons), "basis": pair["basis"]["name"]}


def find_doubts(baseline: Described, candidate: Described) -> list[str]:
    """Why a pair could not be decided on however many seeds it had; of two arms that were trained here, the seeds."""
    other_seeds = [OTHER_SEEDS] if _do_seeds_differ(baseline, candidate) else []
    if not baseline["is_foreign"] and not candidate["is_foreign"]:
        return other_seeds
    mismatch = find_mismatch(baseline, candidate)
    doubts = [*([mismatch] if mismatch else []), *other_seeds]
    if {_could_be_task_text(arm) for arm in (baseline, candidate)} == {True, False}:
        doubts.append("by their first losses the two are not divided by the characters of one text")
    for arm in (baseline, candidate):
        forensics = arm["forensics"]
        if forensics and forensics["fit"]["status"] == "does not fit":
            doubts.append(f"{arm['label']}: its first validation loss does not fit")
        if not arm["final"]["is_last"]:
            doubts.append(f"{arm['label']}: its last step was not evaluated")
        if forensics and forensics["coverage"] is None:
            doubts.append(f"{arm['label']}: its coverage is not known")
    return doubts


def find_untrained_doubts(candidate: Described, baseline_curve: Curve, candidate_curve: Curve) -> list[str]:
    """A candidate that is no worse than the trained baseline before it is trained: its losses are of something else."""
    first, last = candidate_curve[0], baseline_curve[-1]
    if first["step"] > 1 or first["loss_nats_per_char"] > last["loss_nats_per_char"]:
        return []
    return [
        f"{candidate['label']}: untrained, at step {first['step']}, it is at or below the baseline's last loss, so "
        "that the text, the tokenizer or the metric is another"
    ]


def find_mismatch(baseline: Described, candidate: Described) -> str | None:
    """Titles that differ by fingerprint or in number, or training tokens at equal vocabulary: not one stream."""
    first, last = baseline["facts"], candidate["facts"]
    for key in ("train_sha256", "validation_sha256"):
        if first[key] and last[key] and first[key] != last[key]:
            return MISMATCH
    if None not in (first["num_titles"], last["num_titles"]) and first["num_titles"] != last["num_titles"]:
        return MISMATCH
    counts, sizes = ([arm[key] for arm in (first, last)] for key in ("num_train_tokens", "vocab_size"))
    if None in (*counts, *sizes) or sizes[0] != sizes[1] or counts[0] == counts[1]:
        return None
    return MISMATCH


def _could_be_task_text(arm: Described) -> bool | None:
    """Whether an arm's text could be the task's, by its counts or its first losses; None where nothing says so."""
    forensics = arm["forensics"]
    if forensics is None:
        return None
    status = forensics["task_fit"]["status"] if forensics["task_fit"] else "not decidable"
    return True if forensics["is_official"] else {"fits": True, "does not fit": False}.get(status)


def _do_seeds_differ(baseline: Described, candidate: Described) -> bool:
    """Whether the two runs beside each other have different seeds; a seed that a log does not give is none."""
    stated = [arm["facts"]["seed"] for arm in (baseline, candidate)]
    return None not in stated and stated[0] != stated[1]


def _do_ranges_differ(first: Described, last: Described) -> bool:
    """Whether the coverages differ wherever in their ranges they lie: an estimate alone shows no difference."""
    apart = max(first["coverage_low_percent"], last["coverage_low_percent"]) - min(
        first["coverage_high_percent"], last["coverage_high_percent"]
    )
    return bool(apart > COVERAGE_TOLERANCE_POINTS)


def _name_basis(basis: str, baseline: Described, candidate: Described) -> str:
    estimated = any(
        (arm["forensics"]["validation"] or {}).get("origin") == "estimated" for arm in (baseline, candidate)
    )
    note = "; coverage estimated" if estimated and basis == "matched_loss_nats_per_char" else ""
    return BASES[basis] + note


def _bound_gain(basis: str, first: Described, last: Described) -> dict[str, float] | None:
    """The lowest and the highest gain that an estimated coverage leaves possible; None where nothing is estimated."""
    names = ("matched_low_nats_per_char", "matched_high_nats_per_char")
    (b_low, b_high), (c_low, c_high) = ([final[name] for name in names] for final in (first, last))
    if basis != "matched_loss_nats_per_char" or (b_low, c_low) == (b_high, c_high):
        return None
    return {"low": compute_gain(b_low, c_high), "high": compute_gain(b_high, c_low)}


def _compute_gain_of(field: str, first: Described, last: Described) -> float | None:
    before, after = first[field], last[field]
    return None if before is None or after is None else compute_gain(before, after)


def _describe_target(baseline: Described, candidate: Described, *, kept_rules: bool) -> Described | None:
    """The task's target on equal terms, where both arms are recognised as on the task's data and broke no rule.

    It is one for the last step: an earlier evaluation says nothing of it.
    """
    official = all(arm["forensics"] and arm["forensics"]["is_official"] for arm in (baseline, candidate))
    matched = candidate["final"]["matched_loss_nats_per_char"]
    if not official or not kept_rules or matched is None or not candidate["final"]["is_last"]:
        return None
    return {
        "loss_nats_per_char": OFFICIAL_TARGET_NATS_PER_CHAR,
        "coverage_percent": 100 * OFFICIAL_TARGET_COVERAGE,
        "matched_loss_nats_per_char": OFFICIAL_TARGET_NATS_PER_CHAR / OFFICIAL_TARGET_COVERAGE,
    }


def _name_curve(unit: str, *, matched: bool, known: bool) -> str:
    if unit == "loss_nats_per_token":
        return "validation loss per token"
    if matched:
        return "coverage-matched: frozen loss / coverage"
    return "frozen loss" if known else "frozen loss as reported"


def _build_curve(arm: Described, rows: Sequence[Row], unit: str, *, matched: bool) -> list[Described]:
    divisor = arm["forensics"]["coverage"]["share"] if matched else 1.0
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
