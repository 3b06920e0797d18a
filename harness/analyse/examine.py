"""What the counts and the first losses of a run give away: its validation text, coverage, fit, start and clock."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.analyse.clock import read_clock
from harness.analyse.coverage import (
    OFFICIAL_NUM_VALIDATION_CHARS,
    Coverage,
    Validation,
    assume_task_text,
    compute_coverage,
    is_later_data,
    is_official,
    size_validation,
)
from harness.analyse.first_losses import judge_fit, judge_start
from harness.store.facts import RunFacts
from harness.store.journals import Event
from harness.store.runs import StoredRun

EVALS_PER_EPOCH = 3
Forensics = dict[str, Any]
"""`is_official` and `is_later` (by its counts), `validation`, `coverage` or `coverage_problem`, `fit`, `task_fit`,
`start`, `clock`, `num_evaluations`, `missing_evaluations`: the dataclasses of `coverage`, `first_losses` and `clock`.
"""


def examine_run(run: StoredRun) -> Forensics | None:
    """As `examine`; None for a run that has no event."""
    return examine(run.events, run.facts) if run.events else None


def examine(events: Sequence[Event], facts: RunFacts) -> Forensics:
    """All of it; what cannot be said of a run is None."""
    validation = size_validation(
        facts.num_train_tokens, facts.vocab_size, facts.num_validation_tokens, facts.num_validation_chars
    )
    coverage, problem = _find_coverage(facts, validation)
    training = [event for event in events if event["event"] == "training_step"]
    evaluations = [event for event in events if event["event"] == "validation_step"]
    first_training, second_training = (
        next((event["loss"] for event in training if event["step"] in steps), None) for steps in ((0, 1), (2,))
    )
    first_validation = next((event["loss"] for event in evaluations if event["step"] <= 1), None)
    per_char = all(event.get("loss_unit") != "nats_per_token" for event in evaluations)
    blocks = facts.block_size, facts.evaluation_batch_size
    span_tokens = blocks[0] * blocks[1] if blocks[0] is not None and blocks[1] is not None else None
    first_losses = first_validation if per_char else None, (first_training, second_training)
    fit = judge_fit(*first_losses, validation, coverage, span_tokens, facts.vocab_size)
    is_later = is_later_data(facts.num_train_tokens, facts.vocab_size)
    task_text = None if is_later else assume_task_text(validation, facts.num_titles, facts.val_fraction)
    task_fit = judge_fit(*first_losses, task_text, coverage, span_tokens, facts.vocab_size) if task_text else None
    due = {f"due_{bound}_num_spans": getattr(coverage, f"{bound}_num_spans", None) for bound in ("low", "high")}
    if fit.status == "does not fit":
        coverage, problem = None, "its first losses do not fit the spans that its counts give"
    elif coverage and coverage.high_num_spans == 0:
        coverage, problem = None, "not one whole span fits its validation text"
    start = judge_start(first_training, facts.vocab_size)
    has_clock = any(event.get("train_elapsed_s") is not None for event in training)
    clock = read_clock([event["elapsed_time"] for event in events if event.get("elapsed_time") is not None])
    return {
        "is_official": is_official(facts.num_train_tokens, facts.vocab_size),
        "is_later": is_later,
        "validation": asdict(validation) if validation else None,
        "coverage": asdict(coverage) if coverage else None,
        "coverage_problem": problem,
        "fit": asdict(fit) | due,
        "task_fit": asdict(task_fit) | due | {"num_chars": OFFICIAL_NUM_VALIDATION_CHARS} if task_fit else None,
        "start": asdict(start) if start else None,
        "clock": None if has_clock else asdict(clock),  # a training clock of its own needs no guess at pauses
        "num_evaluations": len(evaluations),
        "missing_evaluations": _find_missing(facts, evaluations),
    }


def _find_coverage(facts: RunFacts, validation: Validation | None) -> tuple[Coverage | None, str | None]:
    if facts.block_size is None or facts.evaluation_batch_size is None:
        return None, "the log does not give block and batch size"
    if validation is None:
        return None, "the log gives neither validation nor training tokens"
    coverage = compute_coverage(validation, facts.block_size, facts.evaluation_batch_size)
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
