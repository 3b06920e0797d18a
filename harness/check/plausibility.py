"""Numbers that no honest run has: each check has a stated range, and the spread that honest runs were measured to have.

Outside its range a run is none that training gives; inside it nothing is proven. `python -m benchmarks.plausible`
measures what honest runs have.
"""

import math
from functools import partial
from itertools import combinations
from statistics import fmean
from typing import Any

from harness.check.registry import (
    NO_TITLES,
    NOT_VOUCHED,
    Evidence,
    Registry,
    Result,
    UnvouchedError,
    join_results,
    register,
    register_of_runs,
)
from harness.formats import format_number_of
from harness.store.facts import SEPARATOR_CHARS, AbsentError, find_setting, known
from harness.store.records import find_command
from harness.store.runs import StoredComparison, StoredRun

PLAUSIBILITY: Registry = {}
plausible = partial(register, PLAUSIBILITY)
of_runs = partial(register_of_runs, PLAUSIBILITY)

NUM_LAST_LOSSES = 50
LOSS_RATIO = (0.93, 1.25)
"""Full loss per token over the mean of the last training losses. Measured: 0.987 to 1.217, and 1.289 of
`frontier:dropout=0.1` at `mainrun`. Above it a run has learned its training titles by heart, or its loss was raised."""
DROPOUT_LOSS_RATIO = (0.88, 1.25)
"""Of a run with more dropout than the task's 0.1, which only training suffers from. Measured at 0.2: 0.973 to 1.181,
at 0.3: 0.969."""
USUAL_DROPOUT = 0.1
FROZEN_OFF, FROZEN_SPREAD = 0.02, 2.0
"""How far frozen loss / coverage may lie from the full loss, as a share of it: a part for all, and for the titles that
the frozen loss leaves out `FROZEN_SPREAD` · √(share left out / validation titles). Measured: 0.999 to 1.002 in 19 runs
of 40 to 10,000 validation titles at coverage 0.91 to 0.99, of which 0.024 to 0.114 is allowed; 0.9987 to 1.0028 at all
1,541 evaluations with a full loss, the first included, of the runs in `results/`, 600 to 10,000 validation titles."""
MAX_CHARS_OFF, CHARS_SPREAD = 0.1, 2.0
"""How far characters a token in validation may lie from those in training: a tenth, and a chance's part of it, which
is `CHARS_SPREAD` / √(validation titles). Measured over 1,000 splits of real and of synthetic titles each, the farthest
times √: 0.34 (40 titles), 0.66 (250), 0.71 (600), 0.78 (2,400), 0.7 (10,000)."""
MAX_TITLE_CHARS = 2_000
"""One longer title decides the mean of its side."""
MAX_OVERLAP = 0.20
"""Share of validation titles that are training titles too. Measured: 1.5 % of the task's titles, 0 % of synthetic."""
CLOCK_FACTOR, CLOCK_SLACK_S = 1.05, 2.0
"""What the own clock of a command may show beyond the harness's."""
MIN_STEP_S = 1e-4
"""No program takes a step of training in less, its data, its update and its log included. Measured: 0.43 ms of
processor time for one embedding and one matrix of 300 × 16 on 256 tokens."""


@of_runs(
    "loss-ratio",
    "The full loss is one that the training losses lead to",
    f"full loss per token over the mean of the last training losses is within {LOSS_RATIO[0]} to {LOSS_RATIO[1]}, "
    f"of a run with more dropout than {USUAL_DROPOUT} within {DROPOUT_LOSS_RATIO[0]} to {DROPOUT_LOSS_RATIO[1]}",
)
def check_loss_ratio(evidence: Evidence, run: StoredRun) -> str | None:
    """A metric that looks ahead, weights from elsewhere, a patched loss: the two losses are of different models.

    A full loss above the range is no proof of that, since a model that learns its titles by heart has one.
    """
    ratio, num_last = compute_loss_ratio(run)
    low, high = LOSS_RATIO
    if (find_setting(run.facts.config, "dropout") or 0) > USUAL_DROPOUT:
        low, high = DROPOUT_LOSS_RATIO
    said = f"its full loss per token is {ratio:.3f} of its last {num_last} training losses; honest: {low} to {high}"
    if ratio > high:
        raise UnvouchedError(f"{said}, and more where it has learned its training titles by heart")
    return said if ratio < low else None


def compute_loss_ratio(run: StoredRun) -> tuple[float, int]:
    """Full loss per token over the mean of the last training losses, and how many these are."""
    absent = "training losses or the full loss are not given"
    losses = [loss for event in run.select("training_step") if (loss := event.get("loss")) is not None]
    evaluations = run.select("validation_step")
    if not losses or not evaluations:
        raise AbsentError(absent)
    last = evaluations[-1]
    per_char, num_chars, num_tokens = (
        known(last.get(key), absent) for key in ("full_loss_nats_per_char", "num_chars", "num_tokens")
    )
    num_last = max(1, min(NUM_LAST_LOSSES, len(losses) // 10))
    return per_char * num_chars / num_tokens / fmean(losses[-num_last:]), num_last


@of_runs(
    "two-losses",
    "The frozen loss and the full loss are those of one model",
    "frozen loss / coverage is the full loss, up to what the titles that it leaves out may move",
)
def check_two_losses(evidence: Evidence, run: StoredRun) -> str | None:
    """A frozen loss that was lowered alone: the decision is on the full loss, the task's headline is not."""
    ratio, step, most = compare_two_losses(run)
    if abs(ratio - 1) <= most:
        return None
    return (
        f"its frozen loss / coverage at step {step:,} is {ratio:.3f} of its full loss there; honest: within {most:.3f} "
        "of 1"
    )


def compare_two_losses(run: StoredRun) -> tuple[float, int, float]:
    """Frozen loss / coverage over the full loss where it is farthest from 1, at which step, and how far it may be."""
    absent = "the full loss is not given, or no span is scored"
    evaluations = run.select("validation_step")
    known(evaluations[-1].get("full_loss_nats_per_char") if evaluations else None, absent)
    coverage = known(run.record.get("sizes", {}).get("coverage") or None, absent)
    num_titles = known(run.facts.corpus, absent)["num_validation_titles"]
    most = FROZEN_OFF + FROZEN_SPREAD * math.sqrt((1 - coverage) / num_titles)
    ratios = [
        (event["loss"] / coverage / full_loss, event["step"])
        for event in evaluations
        if (full_loss := event.get("full_loss_nats_per_char")) is not None
    ]
    return *max(ratios, key=lambda ratio: abs(ratio[0] - 1)), most


@of_runs(
    "characters-per-token",
    "Validation and training titles come to equally long tokens",
    "characters a token in validation are as many as in training, up to what chance moves in so many titles",
)
def check_characters_per_token(evidence: Evidence, run: StoredRun) -> str | None:
    """A tokenizer that knows the validation titles makes them few tokens."""
    known(run.facts.corpus, NO_TITLES)
    titles = evidence.need_titles()
    longest = max(map(len, (*titles.train, *titles.validation)))
    if longest > MAX_TITLE_CHARS:
        raise AbsentError(f"a title of {longest:,} characters decides the mean")
    num_train_chars = sum(len(title) + SEPARATOR_CHARS for title in titles.train)
    last = run.select("validation_step")[-1]
    in_training = num_train_chars / run.select("dataset_info")[0]["tokens_per_epoch"]
    in_validation = last["num_chars"] / last["num_tokens"]
    ratio, most = in_validation / in_training, min(MAX_CHARS_OFF, CHARS_SPREAD / math.sqrt(len(titles.validation)))
    if abs(ratio - 1) <= most:
        return None
    return (
        f"{in_validation:.2f} characters a token in validation, {in_training:.2f} in training, which is {ratio:.3f} of "
        f"it; honest with {len(titles.validation):,} titles: within {most:.3f} of 1"
    )


@of_runs(
    "overlap",
    "The validation titles are not the training titles",
    f"at most {100 * MAX_OVERLAP:g} % of the validation titles are training titles too",
)
def check_overlap(evidence: Evidence, run: StoredRun) -> str | None:
    """What was trained on is no test; a few titles are posted twice."""
    known(run.facts.title_losses_sha256, NO_TITLES)
    in_training = run.load_title_losses()["in_train"]
    share = sum(in_training) / len(in_training)
    return f"{100 * share:.1f} % of its validation titles are training titles" if share > MAX_OVERLAP else None


@of_runs(
    "resumes",
    "Every resume is declared, with the checkpoint that it took",
    "journals and records name the same resumes",
)
def check_resumes(evidence: Evidence, run: StoredRun) -> str | None:
    """A run that went on from a checkpoint says which, in its journal and in its record."""
    resumes = run.select("run_resumed")
    if run.is_read:
        raise AbsentError("a log does not say whether its run was resumed")
    if any("checkpoint_sha256" not in event for event in resumes):
        raise UnvouchedError(f"it was resumed {len(resumes)} times, and does not say from which checkpoints")
    in_journal = [{"step": event["step"], "checkpoint_sha256": event["checkpoint_sha256"]} for event in resumes]
    in_record = run.record.get("resumed", [])
    if in_journal == in_record:
        return None
    return f"its journal tells of {len(in_journal)} resumes, its record of {len(in_record)}, or of other checkpoints"


@plausible("distinct-runs", "No run is another one again")
def check_distinct_runs(evidence: Evidence) -> Result:
    """One journal under two names, or the losses of one run under another seed or other settings."""
    runs = [run for run in evidence.comparison.runs.values() if run.is_complete and run.events]
    found: Result = ("PASS", f"{format_number_of(len(runs), 'run')}, each with losses of its own")
    for (one, its_losses), (other, losses) in combinations([(run, _select_losses(run)) for run in runs], 2):
        if one.events == other.events:
            return "FAIL", f"{other.folder.name} has the journal of {one.folder.name}"
        if its_losses == losses and one.seed != other.seed:
            return "FAIL", f"{other.folder.name} has every loss of {one.folder.name}, with another seed"
        if its_losses == losses and one.facts.config != other.facts.config:
            doubt = f"{other.folder.name} has every loss of {one.folder.name}; its other settings may change none"
            found = join_results([found, (NOT_VOUCHED, doubt)])
        if (one.is_read or other.is_read) and _select_evaluations(its_losses) == _select_evaluations(losses):
            doubt = f"{other.folder.name} has every validation loss of {one.folder.name}, and may be the same run"
            found = join_results([found, ("NOT CHECKED", doubt)])
    return found


def _select_commands(comparison: StoredComparison) -> list[StoredRun]:
    """Runs whose command the harness saw, though it was in the comparison that they were taken in from."""
    return [run for run in comparison.runs.values() if find_command(run.record) and run.is_complete]


@plausible(
    "own-clock",
    "Commands of other programs took the time that their logs tell of",
    applies=lambda comparison: bool(_select_commands(comparison)),
)
def check_own_clock(evidence: Evidence) -> Result:
    """A log that was copied and not trained takes no time."""
    return join_results([_judge_clock(run) for run in _select_commands(evidence.comparison)])


def _judge_clock(run: StoredRun) -> Result:
    observed, name = run.record["source"].get("observed_s"), run.folder.name
    if observed is None:
        return NOT_VOUCHED, f"{name}: how long its command took was not recorded"
    steps = [event["step"] for event in run.events if event["event"] in ("training_step", "validation_step")]
    clocks = [event["elapsed_time"] for event in run.events if event.get("elapsed_time") is not None]
    claimed, num_steps = max(clocks, default=None), max(steps, default=0)
    if claimed is not None and claimed > CLOCK_FACTOR * observed + CLOCK_SLACK_S:
        return "FAIL", f"{name}: its log tells of {claimed:.1f} s, its command took {observed:.1f} s"
    if observed < MIN_STEP_S * num_steps:
        return "FAIL", f"{name}: its command took {observed:.2f} s, in which no program trains {num_steps:,} steps"
    if claimed is None:
        return NOT_VOUCHED, f"{name}: its log has no clock; its command took {observed:.1f} s"
    return "PASS", f"{name}: its command took {observed:.1f} s, its log tells of {claimed:.1f} s"


def _select_losses(run: StoredRun) -> list[Any]:
    names = ("training_step", "validation_step")
    return [(event["event"], event["step"], event.get("loss")) for event in run.events if event["event"] in names]


def _select_evaluations(losses: list[Any]) -> list[Any]:
    return [loss for loss in losses if loss[0] == "validation_step"]
