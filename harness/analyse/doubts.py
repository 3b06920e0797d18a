"""Why a pair of arms could not be decided on however many seeds it had: not one text, not one metric, not one seed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.analyse.coverage import Coverage
from harness.analyse.curves import Curve
from harness.analyse.first_losses import FirstLosses, judge_fit
from harness.analyse.joint import has_two_denominators, load_validation
from harness.analyse.same_text import has_as_many_titles, judge_texts
from harness.analyse.texts import bound_chars
from harness.store.arm_fields import Arm

OTHER_SEEDS = "the two runs have different seeds"
SEEN_BY = ("own-clock", "distinct-runs")
"""Checks by which a log is told from a training that took place."""
MISMATCH = "other data or another tokenizer"
NOT_SHOWN = "nothing shows that the two were evaluated on one text"
TWO_DENOMINATORS = "by their first losses the two are not divided by the characters of one text"


def find_doubts(baseline: Arm, candidate: Arm, curves: tuple[Curve, Curve]) -> list[str]:
    """All doubts on two arms that have final measurements, in words."""
    mismatch = find_mismatch(baseline, candidate)
    doubts = [mismatch] if mismatch else []
    is_shared = share_text(baseline, candidate)
    if is_shared is None:
        doubts.append(NOT_SHOWN)
    stated = [arm["facts"]["seed"] for arm in (baseline, candidate)]
    if None not in stated and stated[0] != stated[1]:
        doubts.append(OTHER_SEEDS)
    could_be = {_could_be_task_text(arm) for arm in (baseline, candidate)} == {True, False}
    if could_be or has_two_denominators(baseline, candidate):
        doubts.append(TWO_DENOMINATORS)
    for arm in (baseline, candidate):
        forensics, final = arm["forensics"], arm["final"]
        assert final is not None
        if forensics and forensics["fit"]["status"] == "does not fit":
            doubts.append(f"{arm['label']}: its first validation loss does not fit")
        if not final["is_last"]:
            doubts.append(f"{arm['label']}: its last step was not evaluated")
        if final["coverage_percent"] is None:
            doubts.append(f"{arm['label']}: its coverage is not known")
    counts = {arm["facts"]["num_train_tokens"] for arm in (baseline, candidate)}
    # Of the same titles in fewer tokens a fresh model has less to lose.
    return doubts if is_shared and len(counts) > 1 else doubts + _find_untrained(candidate, *curves)


def find_mismatch(baseline: Arm, candidate: Arm) -> str | None:
    """Titles or characters that differ, or token counts by more than another tokenizer explains: not one text."""
    return MISMATCH if judge_texts(baseline["facts"], candidate["facts"]) == "other" else None


def share_text(baseline: Arm, candidate: Arm) -> bool | None:
    """Whether two arms are shown to have one text, or not to; None where nothing shows it either way.

    Where their counts do not, first losses can: of both on the task's text or on that of a third, or of one on the
    characters that the other one states, with as many titles.
    """
    word = judge_texts(baseline["facts"], candidate["facts"])
    if word != "not shown":
        return word == "same"
    if _is_scaled(baseline, candidate):
        return True
    if all(_could_be_task_text(arm) for arm in (baseline, candidate)):
        return True
    if has_as_many_titles(baseline["facts"], candidate["facts"]):
        for one, other in ((baseline, candidate), (candidate, baseline)):
            if _fits_chars(one, other["facts"]["num_validation_chars"]):
                return True
    return None


def _is_scaled(baseline: Arm, candidate: Arm) -> bool:
    """Whether one arm's text is taken to be the other's, or both to be that of a third, in other tokens."""
    found = [arm["forensics"] or {} for arm in (baseline, candidate)]
    places = [{one.get("text"), one.get("scaled_from")} - {None} for one in found]
    return not places[0].isdisjoint(places[1])


def _fits_chars(arm: Arm, num_chars: int | None) -> bool:
    """Whether the first losses of an arm are those of a text with so many characters."""
    facts, forensics = arm["facts"], arm["forensics"]
    if num_chars is None or forensics is None or forensics["coverage"] is None:
        return False
    validation = replace(load_validation(forensics), num_chars=num_chars)
    first, coverage = FirstLosses(**forensics["first_losses"]), Coverage(**forensics["coverage"])
    scored = facts["block_size"] * facts["evaluation_batch_size"]
    fit = judge_fit(first, validation, coverage, scored, facts["vocab_size"])
    bounds = bound_chars(first, facts["vocab_size"], scored * (fit.nearest_num_spans or 0))
    # A whole number of spans is a weak sign where there are few of them.
    return fit.status == "fits" and bounds is not None and bounds[0] <= num_chars <= bounds[1]


def find_unseen(findings: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Findings by which a run of the pair, by its folder's name, may never have been trained."""
    return [
        finding["evidence"]
        for finding in findings
        if finding["name"] in SEEN_BY and finding["status"] in ("FAIL", "NOT VOUCHED")
        if any(re.search(rf"(?:^|; ){re.escape(name)}[: ]", finding["evidence"]) for name in names)
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
