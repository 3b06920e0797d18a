"""What the counts and the first losses of a run give away: its validation text, coverage, fit, start and clock."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import Any

from harness.analyse.coverage import (
    OFFICIAL_NUM_VALIDATION_CHARS,
    Coverage,
    Validation,
    assume_task_text,
    compute_coverage,
    is_later_data,
    is_official,
)
from harness.analyse.first_losses import Fit, judge_fit, judge_start, judge_unit, read_first_losses
from harness.analyse.texts import Text, find_texts
from harness.plan.plan import PlannedRun
from harness.store.facts import RunFacts
from harness.store.journals import Event
from harness.store.runs import StoredComparison, StoredRun

EVALS_PER_EPOCH = 3
MIN_GAP_S = 1800.0
GAP_FACTOR = 50
"""A pause longer than half an hour and than so many usual steps is a gap, not training."""
Forensics = dict[str, Any]
"""`is_official` and `is_later` (by its counts), `text` (equal for runs that share one), `num_runs_of_text`,
`scaled_from` (the text that it is taken to be, in other tokens), `validation`, `coverage` or `coverage_problem`,
`first_losses`, `fit`, `task_fit`, `start`, `per_token` (where the losses look like that), `clock`, `num_evaluations`,
`missing_evaluations`: the dataclasses of `coverage` and `first_losses`, and `Clock`.
"""


@dataclass(frozen=True)
class Clock:
    """What the log's `elapsed_time` says, in seconds."""

    elapsed_s: float | None
    """Last value, pauses and evaluations included; None where the clock went back."""
    num_gaps: int
    gap_s: float
    """All gaps together."""
    num_setbacks: int
    """Times the clock went back, as after a restart."""


@lru_cache(maxsize=2)
def examine_all(comparison: StoredComparison) -> dict[PlannedRun, Forensics]:
    """`examine` of every run that has an event, each with what all know of its text."""
    runs = {planned: (run.events, run.facts) for planned, run in comparison.runs.items() if run.events}
    texts = find_texts(runs)
    return {planned: examine(*known, texts[planned]) for planned, known in runs.items()}


def examine_run(comparison: StoredComparison, run: StoredRun) -> Forensics | None:
    """What was found of one run of a comparison; None where it has no event."""
    return examine_all(comparison).get(PlannedRun(run.arm, run.seed))


def examine(events: Sequence[Event], facts: RunFacts, text: Text | None = None) -> Forensics:
    """All of it; what cannot be said of a run is None. Without a `text` it is what the run by itself knows of it."""
    text = text or find_texts({"": (events, facts)})[""]
    validation = text.validation
    coverage, problem = _find_coverage(facts, validation)
    training = [event for event in events if event["event"] == "training_step"]
    evaluations = [event for event in events if event["event"] == "validation_step"]
    first = read_first_losses(events)
    counts = facts.span_tokens, facts.vocab_size
    fit = judge_fit(first, validation, coverage, *counts)
    is_later = is_later_data(facts.num_train_tokens, facts.vocab_size)
    task_text = None if is_later else assume_task_text(validation, facts.num_titles, facts.val_fraction)
    task_fit = _doubt_spans(judge_fit(first, task_text, coverage, *counts), coverage) if task_text else None
    due = {f"due_{bound}_num_spans": getattr(coverage, f"{bound}_num_spans", None) for bound in ("low", "high")}
    if fit.status == "does not fit":
        coverage, problem = None, "its first losses do not fit the spans that its counts give"
    elif coverage and coverage.high_num_spans == 0:
        coverage, problem = None, "not one whole span fits its validation text"
    start = judge_start(first.training_nats_per_token, facts.vocab_size)
    per_token = judge_unit(first, facts.vocab_size)
    has_clock = any(event.get("train_elapsed_s") is not None for event in training)
    clock = read_clock([event["elapsed_time"] for event in events if event.get("elapsed_time") is not None])
    return {
        "is_official": is_official(facts.num_train_tokens, facts.vocab_size),
        "is_later": is_later,
        "text": text.place,
        "num_runs_of_text": text.num_runs,
        # Where it is not, it is left out: stored documents of before had no such field.
        **({} if text.scaled_from is None else {"scaled_from": text.scaled_from}),
        "validation": asdict(validation) if validation else None,
        "coverage": asdict(coverage) if coverage else None,
        "coverage_problem": problem,
        "first_losses": asdict(first),
        "fit": asdict(fit) | due,
        "task_fit": asdict(task_fit) | due | {"num_chars": OFFICIAL_NUM_VALIDATION_CHARS} if task_fit else None,
        "start": asdict(start) if start else None,
        **({"per_token": asdict(per_token)} if per_token else {}),
        "clock": None if has_clock else asdict(clock),  # a training clock of its own needs no guess at pauses
        "num_evaluations": len(evaluations),
        "missing_evaluations": _find_missing(facts, evaluations),
    }


def read_clock(elapsed: Sequence[float]) -> Clock:
    """Finds gaps and setbacks in the times of the steps, given in the log's order."""
    if not elapsed:
        return Clock(None, 0, 0.0, 0)
    waits = [after - before for before, after in pairwise(elapsed)]
    usual = median([wait for wait in waits if wait >= 0] or [0.0])
    gaps = [wait for wait in waits if wait > max(MIN_GAP_S, GAP_FACTOR * usual)]
    num_setbacks = sum(wait < 0 for wait in waits)
    return Clock(None if num_setbacks else elapsed[-1], len(gaps), sum(gaps), num_setbacks)


def _doubt_spans(fit: Fit, coverage: Coverage | None) -> Fit:
    """A fit on the task's text, in doubt where it takes another number of spans than the log's counts give."""
    if fit.status != "fits" or coverage is None or fit.nearest_num_spans == coverage.num_spans:
        return fit
    reason = f"its first losses would fit with {fit.nearest_num_spans} spans, and its counts give {coverage.num_spans}"
    return replace(fit, status="not decidable", reason=reason)


def _find_coverage(facts: RunFacts, validation: Validation | None) -> tuple[Coverage | None, str | None]:
    if facts.span_tokens is None:
        return None, "the log does not give block and batch size"
    if validation is None:
        return None, "the log gives neither validation nor training tokens"
    coverage = compute_coverage(validation, facts.span_tokens)
    if coverage is None:
        return None, "the validation text holds no token"
    if facts.num_spans is not None and not coverage.low_num_spans <= facts.num_spans <= coverage.high_num_spans:
        return None, (
            f"the log says that {facts.num_spans} spans were scored, its counts give {coverage.num_spans}: "
            "contradictory"
        )
    return coverage, None


def _find_missing(facts: RunFacts, evaluations: Sequence[Event]) -> list[int] | None:
    """Steps at which the task evaluates and this run does not, or None where its steps an epoch are not known."""
    if facts.steps_per_epoch is None or not evaluations:
        return None
    interval = max(1, facts.steps_per_epoch // EVALS_PER_EPOCH)
    last = evaluations[-1]["max_steps"]
    due = sorted({1, *range(interval, last + 1, interval), last})
    found = {event["step"] for event in evaluations}
    return [step for step in due if step not in found]
