"""Why a pair of arms could not be decided on however many seeds it had: not one text, not one metric, not one seed."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analyse.curves import Curve
from harness.store.arm_fields import Arm

OTHER_SEEDS = "the two runs have different seeds"
SEEN_BY = ("own-clock", "distinct-runs")
"""Checks by which a log is told from a training that took place."""
MISMATCH = "other data or another tokenizer"


def find_doubts(baseline: Arm, candidate: Arm, curves: tuple[Curve, Curve]) -> list[str]:
    """All doubts on two arms that have final measurements, in words."""
    mismatch = find_mismatch(baseline, candidate)
    doubts = [mismatch] if mismatch else []
    stated = [arm["facts"]["seed"] for arm in (baseline, candidate)]
    if None not in stated and stated[0] != stated[1]:
        doubts.append(OTHER_SEEDS)
    if {_could_be_task_text(arm) for arm in (baseline, candidate)} == {True, False}:
        doubts.append("by their first losses the two are not divided by the characters of one text")
    for arm in (baseline, candidate):
        forensics, final = arm["forensics"], arm["final"]
        assert final is not None
        if forensics and forensics["fit"]["status"] == "does not fit":
            doubts.append(f"{arm['label']}: its first validation loss does not fit")
        if not final["is_last"]:
            doubts.append(f"{arm['label']}: its last step was not evaluated")
        if final["coverage_percent"] is None:
            doubts.append(f"{arm['label']}: its coverage is not known")
    return doubts + _find_untrained(candidate, *curves)


def find_mismatch(baseline: Arm, candidate: Arm) -> str | None:
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


def find_unseen(findings: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Findings by which a run of the pair, by its folder's name, may never have been trained."""
    return [
        finding["evidence"]
        for finding in findings
        if finding["name"] in SEEN_BY and finding["status"] in ("FAIL", "NOT VOUCHED")
        if any(f"{name}:" in finding["evidence"] or f"{name} " in finding["evidence"] for name in names)
    ]


def _find_untrained(candidate: Arm, baseline_curve: Curve, candidate_curve: Curve) -> list[str]:
    """A candidate that is no worse than the trained baseline before it is trained: its losses are of something else."""
    first, last = candidate_curve[0], baseline_curve[-1]
    if first["step"] > 1 or first["loss_nats_per_char"] > last["loss_nats_per_char"]:
        return []
    return [
        f"{candidate['label']}: untrained, at step {first['step']}, it is at or below the baseline's last loss, so "
        "that the text, the tokenizer or the metric is another"
    ]


def _could_be_task_text(arm: Arm) -> bool | None:
    """Whether an arm's text could be the task's, by its counts or its first losses; None where nothing says so."""
    forensics = arm["forensics"]
    if forensics is None:
        return None
    status = forensics["task_fit"]["status"] if forensics["task_fit"] else "not decidable"
    return True if forensics["is_official"] else {"fits": True, "does not fit": False}.get(status)
