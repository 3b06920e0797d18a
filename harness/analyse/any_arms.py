"""What one arm measured where arms may be logs of other programs: absent is None, and nothing is filled in."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from harness.analyse.arms import describe_arm
from harness.analyse.coverage import (
    MIN_LOSS,
    OFFICIAL_NUM_VALIDATION_CHARS,
    Coverage,
    Validation,
    assume_task_text,
    compute_coverage,
    compute_matched,
    is_later_data,
    is_official,
    judge_fit,
    judge_start,
    read_clock,
    size_validation,
)
from harness.plan.plan import Arm
from harness.sources.source_log import NOTE
from harness.store.facts import LogFacts, read_facts
from harness.store.journals import Event
from harness.store.measurements import Row
from harness.store.runs import StoredRun

EVALS_PER_EPOCH = 3
Described = dict[str, Any]


def describe_any_arm(arm: Arm, seed: int, run: StoredRun | None, rows: Sequence[Row]) -> Described:
    """One arm of a comparison with foreign arms: its own description where it was trained here, and its forensics."""
    described = describe_arm(arm, run, rows) if run is None or not run.is_foreign else _describe_foreign(arm, run)
    described |= {"seed": seed, "source": None if run is None else run.record.get("source"), "forensics": None}
    described.setdefault("notes", [])
    if run is None or not run.events:
        return described
    facts = read_facts(run.events)
    forensics = examine(run.events, facts)
    described["forensics"] = forensics
    described["facts"] = {key: value for key, value in asdict(facts).items() if key not in ("config", "notes")}
    if run.is_foreign and run.is_complete:
        described |= _describe_measured(rows, facts, forensics, run.events)
    elif described["final"] is not None:
        described["final"] |= {"is_last": True, **_match(described["final"]["loss_nats_per_char"], forensics)}
        described["rise_nats_per_char"] = described["stability"]["largest_rise_nats_per_char"]
    return described


def examine(events: Sequence[Event], facts: LogFacts) -> Described:
    """What the counts and the first losses of a journal give away; see `forensics`."""
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
    clock = read_clock([event["elapsed_time"] for event in events if event.get("elapsed_time") is not None])
    return {
        "is_official": is_official(facts.num_train_tokens, facts.vocab_size),
        "validation": asdict(validation) if validation else None,
        "coverage": asdict(coverage) if coverage else None,
        "coverage_problem": problem,
        "fit": asdict(fit) | due,
        "task_fit": asdict(task_fit) | due | {"num_chars": OFFICIAL_NUM_VALIDATION_CHARS} if task_fit else None,
        "start": asdict(start) if start else None,
        "clock": asdict(clock),
        "num_evaluations": len(evaluations),
        "missing_evaluations": _find_missing(facts, evaluations),
    }


def _find_coverage(facts: LogFacts, validation: Validation | None) -> tuple[Coverage | None, str | None]:
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


def _find_missing(facts: LogFacts, evaluations: Sequence[Event]) -> list[int] | None:
    """Steps at which the task evaluates and this log does not, or None where its steps an epoch are not known."""
    if facts.steps_per_epoch is None or not evaluations:
        return None
    interval = max(1, facts.steps_per_epoch // EVALS_PER_EPOCH)
    last = evaluations[-1]["max_steps"]
    due = sorted({1, *range(interval, last + 1, interval), last})
    found = {event["step"] for event in evaluations}
    return [step for step in due if step not in found]


def _describe_foreign(arm: Arm, run: StoredRun) -> Described:
    facts = read_facts(run.events)
    return {
        "name": arm.name,
        "label": arm.name,
        "recipe": arm.recipe,
        "settings": {},
        "config": facts.config,
        "sizes": {"coverage": None},
        "status": run.record["status"],
        "reason": run.record["reason"],
        "final": None,
        "notes": [event["text"] for event in run.select(NOTE)],
    }


def _describe_measured(
    rows: Sequence[Row], facts: LogFacts, forensics: Described, events: Sequence[Event]
) -> Described:  # fmt: skip
    training = [row for row in rows if row["split"] == "train"]
    validation = [row for row in rows if row["split"] == "validation"]
    unit = "loss_nats_per_char" if validation[-1]["loss_nats_per_char"] is not None else "loss_nats_per_token"
    losses = [row[unit] for row in validation]
    full_losses = [row["full_loss_nats_per_char"] for row in validation if row["full_loss_nats_per_char"] is not None]
    lowest = min(losses + full_losses)
    if lowest < MIN_LOSS:
        return {"final": None, "reason": f"an evaluation reports a loss of {lowest:g}, which scores nothing"}
    last, best = validation[-1], min(validation, key=lambda row: row[unit])
    return {
        "sizes": {"coverage": forensics["coverage"]["share"] if forensics["coverage"] else None},
        "final": {
            "step": last["step"],
            "is_last": last["step"] == last["max_steps"],
            "loss_nats_per_char": last["loss_nats_per_char"],
            "loss_nats_per_token": last["loss_nats_per_token"],
            "full_loss_nats_per_char": last["full_loss_nats_per_char"],
            "train_loss_nats_per_token": training[-1]["loss_nats_per_token"] if training else None,
            **_match(last["loss_nats_per_char"], forensics),
        },
        "min_frozen": {"step": best["step"], "loss_nats_per_char": best[unit]},
        "rise_nats_per_char": max([0.0, *(after - before for before, after in pairwise(losses))]),
        "cost": {
            "num_parameters": facts.num_parameters,
            "tokens_seen": training[-1]["tokens_seen"] if training else None,
        },
    }


def _match(loss_nats_per_char: float | None, forensics: Described) -> Described:
    """The last loss on equal terms, with the range that an estimated text leaves."""
    coverage = forensics["coverage"]
    if coverage is None or loss_nats_per_char is None:
        return dict.fromkeys(
            ("matched_loss_nats_per_char", "matched_low_nats_per_char", "matched_high_nats_per_char",
             "coverage_percent", "coverage_low_percent", "coverage_high_percent", "num_spans")
        )  # fmt: skip
    return {
        "matched_loss_nats_per_char": compute_matched(loss_nats_per_char, coverage["share"]),
        "matched_low_nats_per_char": compute_matched(loss_nats_per_char, coverage["high_share"]),
        "matched_high_nats_per_char": compute_matched(loss_nats_per_char, coverage["low_share"]),
        "coverage_percent": 100 * coverage["share"],
        "coverage_low_percent": 100 * coverage["low_share"],
        "coverage_high_percent": 100 * coverage["high_share"],
        "num_spans": coverage["num_spans"],
    }
