"""`gate`: does a comparison meet what a build asks of it? Undecided is an answer of its own, and never a failure."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.formats import count_digits_apart, format_loss, format_percent
from harness.plan.plan import BEST, FIRST, PREVIOUS, PlannedRun
from harness.store.runs import StoredComparison, load_comparison
from harness.verify.derived import load_proven_document
from mainrun.record.errors import EXIT_DONE, EXIT_INCONCLUSIVE, EXIT_NO, RequestError, StoredResultsError

Status = Literal["met", "missed", "undecided"]


@dataclass(frozen=True)
class Condition:
    """One thing asked, and how the comparison answers it."""

    name: str
    status: Status
    text: str


@dataclass(frozen=True)
class Judgement:
    """Who was judged against whom, and how every condition is answered."""

    candidate: str
    """The arm's name."""
    baseline: str | None
    """That of the arm it is compared with; None where nothing was asked of the two together."""
    title: str
    """Both as a person is shown them."""
    conditions: list[Condition]


def judge(
    folder: Path,
    min_improvement_percent: float | None,
    max_loss_nats_per_char: float | None,
    require_conclusive: bool,
    arm: str | None = None,
) -> Judgement:
    """The conditions on an arm, the last-named one unless another is chosen, against the one it is compared with.

    Every stored number is made again from the journals before it is judged. Raises `RequestError` where nothing is
    asked, where there is no such arm, and where the arm is what others are compared with, or who that is depends on
    the losses; `StoredResultsError` where runs are missing, of a comparison of runs taken in those of the arms that are
    judged, or the numbers are not those of the stored runs.
    """
    if min_improvement_percent is None and max_loss_nats_per_char is None and not require_conclusive:
        raise RequestError("gate asks nothing: give --min-improvement, --max-loss or --require-conclusive.")
    for asked in (min_improvement_percent, max_loss_nats_per_char):
        if asked is not None and not math.isfinite(asked):
            raise RequestError(f"gate takes finite numbers, not {asked}.")
    comparison = load_comparison(folder)
    _refuse_untrained(comparison)
    document = load_proven_document(comparison)
    candidate = _find_arm(document, arm)
    _refuse_lost(comparison, candidate["name"])
    conditions, baseline, title = [], None, candidate["label"]
    if min_improvement_percent is not None or require_conclusive:
        pair = _find_pair(folder, document, candidate)
        _refuse_lost(comparison, pair["baseline"])
        baseline, title = pair["baseline"], f"{pair['candidate_label']} against {pair['baseline_label']}"
    if min_improvement_percent is not None:
        conditions.append(judge_improvement(pair["verdict"], min_improvement_percent, pair["doubts"]))
    if max_loss_nats_per_char is not None:
        final = candidate["final"]
        if final is None or final["loss_nats_per_char"] is None or not final["is_last"]:
            raise StoredResultsError(f"{folder} has no frozen loss of {candidate['name']} at its last step.")
        seed = candidate["facts"]["seed"]
        conditions.append(judge_loss(final["loss_nats_per_char"], max_loss_nats_per_char, seed))
    if require_conclusive:
        conditions.append(judge_conclusive(pair["verdict"]))
    return Judgement(candidate["name"], baseline, title, conditions)


def judge_improvement(verdict: dict[str, Any], percent: float, doubts: Sequence[str] = ()) -> Condition:
    """Met or missed where the verdict's whole interval lies on one side of `percent`; with `doubts` neither."""
    interval = None if doubts else verdict["interval_95"]
    status: Status = "undecided"
    if interval and interval["low_percent"] >= percent:
        status = "met"
    elif interval and interval["high_percent"] < percent:
        status = "missed"
    digits = count_digits_apart(verdict["gain_percent"], percent, 2)
    text = f"gain in {verdict['basis']} {format_percent(verdict['gain_percent'], digits)}, {verdict['label']}; "
    text += verdict["reason"]
    for end in ("low", "high") if interval else ():  # in the reason they are rounded
        value = verdict["interval_95"][f"{end}_percent"]
        if (digits := count_digits_apart(value, percent, 2)) > 2:
            text += f"; its {end} end is {format_percent(value, digits)}"
    return Condition(f"--min-improvement {percent:.15g}", status, text)


def judge_loss(loss_nats_per_char: float, highest: float, seed: int | None) -> Condition:
    """Whether the frozen loss of the headline's run, with this seed where it states one, is at most `highest`."""
    digits = count_digits_apart(loss_nats_per_char, highest, 4)
    return Condition(
        f"--max-loss {highest:.15g}",
        "met" if loss_nats_per_char <= highest else "missed",
        f"frozen loss at the last step{'' if seed is None else f', seed {seed}'}: "
        f"{format_loss(loss_nats_per_char, digits)} nats per character",
    )


def judge_conclusive(verdict: dict[str, Any]) -> Condition:
    """Whether the verdict is any word but INCONCLUSIVE, by the word that stands over all pairs where there are more."""
    adjusted, text = verdict["adjusted"], verdict["label"]
    word = adjusted["word"] if adjusted else verdict["word"]
    if word != verdict["word"]:
        text += f"; {word} where all {adjusted['num_pairs_judged']} pairs are judged together"
    return Condition("--require-conclusive", "undecided" if word == "INCONCLUSIVE" else "met", text)


def compute_exit_code(conditions: list[Condition], require_conclusive: bool) -> int:
    """1 where anything is missed, 5 where a conclusion was required and anything is undecided, else 0."""
    statuses = {condition.status for condition in conditions}
    if "missed" in statuses:
        return EXIT_NO
    return EXIT_INCONCLUSIVE if require_conclusive and "undecided" in statuses else EXIT_DONE


def _find_arm(document: dict[str, Any], name: str | None) -> dict[str, Any]:
    """The arm of that name, the last one for None."""
    arms: dict[str, dict[str, Any]] = {arm["name"]: arm for arm in document["arms"]}
    if name is None:
        return document["arms"][-1]  # type: ignore[no-any-return]  # an arm, as above
    if name not in arms:
        raise RequestError(f"--arm names '{name}', which is not compared. Arms: {', '.join(arms)}.")
    return arms[name]


def _find_pair(folder: Path, document: dict[str, Any], candidate: dict[str, Any]) -> dict[str, Any]:
    """The pair in which the arm is the candidate."""
    against = document["ranking"]["against"]
    if against == BEST:
        raise RequestError(
            f"{folder} compares its arms with the best of them, so that who is judged against whom depends on the "
            f"losses. Judge the same runs against one arm: compare --from {shlex.quote(str(folder))} --against ARM "
            "--out DIR, and gate that."
        )
    for pair in document["pairs"]:
        if pair["candidate"] == candidate["name"]:
            return dict(pair)
    reasons = [f"{arm['label']}: {arm['reason']}" for arm in document["arms"] if arm["final"] is None]
    baseline = document["arms"][0]["name"] if against in (FIRST, PREVIOUS) else against
    if candidate["name"] == baseline or not reasons:
        others = ", ".join(pair["candidate"] for pair in document["pairs"])
        raise RequestError(
            f"{candidate['label']} of {folder} is compared with no other arm. Choose one that is with --arm: {others}."
        )
    raise StoredResultsError(f"{folder} cannot be judged: {candidate['label']} has no pair: {'; '.join(reasons)}.")


def _refuse_untrained(comparison: StoredComparison) -> None:
    """Where a run is not complete that can still be trained; all arms wait for it, as they were planned together."""
    taken_in = _list_taken_in(comparison)
    lacking = [comparison.plan.label_run(run) for run in comparison.unfinished if run not in taken_in]
    if lacking:
        raise StoredResultsError(
            f"{comparison.folder} cannot be judged: not complete: {', '.join(lacking)}. Train them with compare "
            "--resume."
        )


def _refuse_lost(comparison: StoredComparison, arm: str) -> None:
    """Where an arm lacks a run that was taken in, and that its pair would be made of."""
    lost = {*comparison.unfinished} & _list_taken_in(comparison) & comparison.plan.compared_runs
    for run in sorted(lost, key=comparison.plan.runs.index):
        if run.arm == arm:
            stored = comparison.runs.get(run)
            said = [str(stored.record[key]) for key in ("status", "reason") if stored.record[key]] if stored else []
            raise StoredResultsError(
                f"{comparison.folder} cannot be judged: {comparison.plan.label_run(run)} "
                f"{': '.join(said).rstrip('.') or 'is missing'}. Choose another arm with --arm, or take the runs in "
                "again with a whole one in its place, or without it."
            )


def _list_taken_in(comparison: StoredComparison) -> set[PlannedRun]:
    """The runs that nothing here can train: all that were taken in but those of commands."""
    sources = comparison.plan.sources or []
    return {PlannedRun(source["arm"], source["seed"]) for source in sources if not source.get("external")}
