"""What one arm's run measured, as it stands in `comparison.json`; what is not known is None, and nothing is filled
in.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from statistics import fmean, median, quantiles
from typing import Any

from harness.analyse.coverage import MIN_LOSS, compute_matched
from harness.analyse.examine import Forensics
from harness.plan.plan import Arm as PlannedArm
from harness.store.arm_fields import Arm, Cost, Final, InTrain, Lowest, Stability
from harness.store.facts import RunFacts
from harness.store.journals import NOTE
from harness.store.measurements import Row
from harness.store.runs import StoredRun

GRADIENT_SPIKE_FACTOR = 10
"""A step whose gradient norm is more than so many times the run's median counts as a spike."""
MEASURED_EACH_STEP = ("loss_nats_per_token", "grad_norm")
"""What of a training step must be finite for it to count as stable."""
MIN_STEPS_OF_QUARTILES = 10
"""Fewer steps say nothing of how steps vary."""
MEASURED_EACH_RUN = ("train_elapsed_s", "wall_elapsed_s", "logged_elapsed_s", "peak_memory_bytes")
"""What of a cost differs from seed to seed."""
_NOT_FACTS = ("config", "notes", "corpus", "machine", "source_sha256")
"""Facts that stand elsewhere in the document or in the records."""
_HASHES = ("initial_weights_sha256", "final_weights_sha256", "mainrun_log_sha256", "title_losses_sha256")


def describe_arm(
    arm: PlannedArm, seed: int, run: StoredRun | None, forensics: Forensics | None, rows: Sequence[Row]
) -> Arm:
    """One arm by the run with `seed`: what it is, how it ended, what its counts give away, and its measurements."""
    facts = RunFacts() if run is None else run.facts
    final, reason = measure_last(run, forensics, rows)
    coverage = forensics["coverage"] if forensics and final else None
    described: Arm = {
        "name": arm.name,
        "label": arm.label,
        "recipe": arm.recipe,
        "settings": arm.settings,
        "config": arm.config or facts.config,
        "sizes": arm.sizes or {"coverage": coverage["share"] if coverage else None},
        "seed": seed,
        "status": "missing" if run is None else run.record["status"],
        "reason": reason,
        "origin": "trained" if run is None else run.origin,
        "source": None if run is None else run.record.get("source"),
        "evaluate_sha256": facts.evaluate_sha256,
        "facts": {key: value for key, value in asdict(facts).items() if key not in _NOT_FACTS},
        "notes": [] if run is None else [event["text"] for event in run.select(NOTE)],
        "final": final,
        "min_frozen": None,
        "cost": None,
        "stability": None,
        "in_train": None,
        "machine": None,
        "tokenizer_trained_on": None,
        "hashes": None,
        "forensics": forensics,
    }
    if arm.code is not None:
        described["code"] = {**asdict(arm.code), "is_changed": arm.code.commit is not None and arm.code.tree is None}
    if run is not None and final is not None:
        training, validation = _split(rows)
        data = run.select("dataset_info")
        described |= {
            "min_frozen": _describe_minimum(validation),
            "cost": describe_cost(run, forensics, arm, rows),
            "stability": describe_stability(training, validation),
            "in_train": _describe_titles_in_train(run.load_title_losses()) if run.has_title_losses else None,
            "machine": facts.machine,
            "tokenizer_trained_on": data[0].get("tokenizer_trained_on") if data else None,
            "hashes": {key: getattr(facts, key) for key in _HASHES} if facts.final_weights_sha256 else None,
        }
    return described


def measure_last(
    run: StoredRun | None, forensics: Forensics | None, rows: Sequence[Row]
) -> tuple[Final | None, str | None]:
    """The measurements of a run at its last evaluation, and why it cannot be compared; None where it can."""
    if run is None:
        return None, "the run never started"
    training, validation = _split(rows)
    problem = _find_problem(run, training, validation) if run.is_complete else None
    if problem or not run.is_complete:
        return None, problem or run.record["reason"]
    return _describe_final(run.facts, forensics, training, validation), run.record["reason"]


def _split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of the training steps and those of the evaluations."""
    training, validation = ([row for row in rows if row["split"] == split] for split in ("train", "validation"))
    return training, validation


def _describe_final(
    facts: RunFacts, forensics: Forensics | None, training: Sequence[Row], validation: Sequence[Row]
) -> Final:
    """The last evaluation, as reported and on equal terms with the range that an estimated text leaves."""
    last, coverage = validation[-1], forensics["coverage"] if forensics else None
    frozen, num_tokens = last["loss_nats_per_char"], facts.num_validation_tokens

    def match(share: str) -> float | None:
        return compute_matched(frozen, coverage[share]) if coverage and frozen is not None else None

    def compute_percent(share: str) -> float | None:
        return 100 * coverage[share] if coverage else None

    num_scored = coverage["num_spans"] * (facts.span_tokens or 0) if coverage else None
    return {
        "step": last["step"],
        "is_last": last["step"] == last["max_steps"],
        "loss_nats_per_char": frozen,
        "full_loss_nats_per_char": last["full_loss_nats_per_char"],
        "matched_loss_nats_per_char": match("share"),
        "matched_low_nats_per_char": match("high_share"),
        "matched_high_nats_per_char": match("low_share"),
        "loss_nats_per_token": last["loss_nats_per_token"],
        "perplexity_per_token": last["perplexity_per_token"],
        "train_loss_nats_per_token": training[-1]["loss_nats_per_token"] if training else None,
        "coverage_percent": compute_percent("share"),
        "coverage_low_percent": compute_percent("low_share"),
        "coverage_high_percent": compute_percent("high_share"),
        "num_spans": coverage["num_spans"] if coverage else None,
        "num_unscored_tokens": None if num_scored is None or not num_tokens else num_tokens - num_scored,
    }


def _find_problem(run: StoredRun, training: Sequence[Row], validation: Sequence[Row]) -> str | None:
    """Why a whole run cannot be compared, or None where it can."""
    if not run.is_read:
        if not training or not validation or validation[-1]["step"] != training[-1]["step"]:
            return "it was not evaluated after its last training step"
        if validation[-1]["full_loss_nats_per_char"] is None:
            return "its full loss was not measured at the last step"
    units = ("loss_nats_per_char", "full_loss_nats_per_char", "loss_nats_per_token")
    lowest = min(row[unit] for row in validation for unit in units if row[unit] is not None)
    return None if lowest >= MIN_LOSS else f"an evaluation reports a loss of {lowest:g}, which scores nothing"


def describe_stability(training: Sequence[Row], validation: Sequence[Row]) -> Stability:
    """How quietly a run went; what its gradients say only where all of them are known."""
    unit = _find_curve_unit(validation)
    rises = [after[unit] - before[unit] for before, after in pairwise(validation)]
    norms = [row["grad_norm"] for row in training]
    described: Stability = {
        "num_steps": len(training),
        "median_grad_norm": None,
        "max_grad_norm": None,
        "num_non_finite": None,
        "gradient_spike_factor": GRADIENT_SPIKE_FACTOR,
        "num_gradient_spikes": None,
        "largest_rise_nats_per_char": max([0.0, *rises]),
    }
    if norms and None not in norms:
        usual = median(norms)
        described |= {
            "median_grad_norm": usual,
            "max_grad_norm": max(norms),
            "num_non_finite": sum(not math.isfinite(row[name]) for row in training for name in MEASURED_EACH_STEP),
            "num_gradient_spikes": sum(norm > GRADIENT_SPIKE_FACTOR * usual for norm in norms),
        }
    return described


def _find_curve_unit(validation: Sequence[Row]) -> str:
    """The column of a run's curve: per character, or per token where that is all it gives."""
    return "loss_nats_per_token" if validation[-1]["loss_nats_per_char"] is None else "loss_nats_per_char"


def describe_cost(run: StoredRun, forensics: Forensics | None, arm: PlannedArm, rows: Sequence[Row]) -> Cost:
    """What one run took."""
    training, _ = _split(rows)
    last = training[-1] if training else {}
    elapsed_s = last.get("elapsed_s")
    steps = [event for event in run.events if event.get("elapsed_time") is not None]
    clock = forensics["clock"] if forensics and not elapsed_s else None
    return _add_speeds(
        {
            "num_runs": 1,
            "num_parameters": run.facts.num_parameters,
            "training_flops": arm.sizes.get("training_flops"),
            "tokens_seen": last.get("tokens_seen"),
            "train_elapsed_s": elapsed_s,
            "train_elapsed_range_s": None,
            "step_quartiles_s": _find_step_quartiles(training),
            "wall_elapsed_s": steps[-1]["elapsed_time"] if steps and elapsed_s is not None else None,
            "logged_elapsed_s": clock["elapsed_s"] if clock else None,
            "tokens_per_s": None,
            "flops_per_s": None,
            "peak_memory_bytes": run.facts.peak_memory_bytes,
        }
    )


def average_costs(costs: Sequence[Cost]) -> Cost:
    """The first one with the mean of what a clock or the memory measured, None where that is not known of all."""
    means = {}
    for field in MEASURED_EACH_RUN:
        values = [cost[field] for cost in costs]  # type: ignore[literal-required]  # fields of Cost
        means[field] = None if None in values else fmean(values)
    elapsed_s = [cost["train_elapsed_s"] for cost in costs]
    ends = None if None in elapsed_s or len(costs) < 2 else [min(elapsed_s), max(elapsed_s)]  # type: ignore[type-var]
    known = [cost["step_quartiles_s"] for cost in costs if cost["step_quartiles_s"] is not None]
    quartiles = [fmean(values) for values in zip(*known, strict=True)] if len(known) == len(costs) else None
    spread = {"train_elapsed_range_s": ends, "step_quartiles_s": quartiles}
    return _add_speeds({**costs[0], **means, **spread, "num_runs": len(costs)})  # type: ignore[typeddict-item]


def _find_step_quartiles(training: Sequence[Row]) -> list[float] | None:
    ends_s = [row["elapsed_s"] for row in training]
    if None in ends_s or len(ends_s) < MIN_STEPS_OF_QUARTILES:
        return None
    return quantiles([after - before for before, after in pairwise(ends_s)], n=4, method="inclusive")


def _add_speeds(cost: Cost) -> Cost:
    """The same with `tokens_per_s` and `flops_per_s` by its training clock."""
    elapsed_s = cost["train_elapsed_s"]
    tokens_seen, flops = cost["tokens_seen"], cost["training_flops"]
    cost["tokens_per_s"] = tokens_seen / elapsed_s if tokens_seen and elapsed_s else None
    cost["flops_per_s"] = flops / elapsed_s if flops and elapsed_s else None
    return cost


def _describe_minimum(validation: Sequence[Row]) -> Lowest:
    unit = _find_curve_unit(validation)
    best = min(validation, key=lambda row: row[unit])
    return {"step": best["step"], "loss_nats_per_char": best[unit]}


def _describe_titles_in_train(columns: dict[str, list[Any]]) -> InTrain:
    """Validation titles that are training titles too, and the full loss with them left out."""
    kept = [place for place, in_train in enumerate(columns["in_train"]) if not in_train]
    num_titles = len(columns["in_train"])
    num_chars = sum(columns["num_chars"][place] for place in kept)
    loss_nats = sum(columns["loss_nats"][place] for place in kept)
    return {
        "num_titles": num_titles - len(kept),
        "share_percent": 100 * (num_titles - len(kept)) / num_titles,
        "full_loss_without_nats_per_char": loss_nats / num_chars if num_chars else None,
    }
