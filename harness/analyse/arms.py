"""What one arm's run measured, as it stands in `comparison.json`."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from harness.plan.plan import Arm
from harness.store.measurements import Row
from harness.store.runs import StoredRun

GRADIENT_SPIKE_FACTOR = 10
"""A step whose gradient norm is more than so many times the run's median counts as a spike."""
MEASURED_EACH_STEP = ("loss_nats_per_token", "grad_norm")
"""What of a training step must be finite for it to count as stable."""


def describe_arm(arm: Arm, run: StoredRun | None, rows: Sequence[Row]) -> dict[str, Any]:
    """One arm at the headline seed: what it is, how it ended, and its measurements; `final` is None unless complete."""
    status, reason = ("missing", "the run never started") if run is None else (
        run.record["status"], run.record["reason"])  # fmt: skip
    described: dict[str, Any] = {
        "name": arm.name,
        "label": arm.label,
        "recipe": arm.recipe,
        "settings": arm.settings,
        "config": arm.config,
        "sizes": arm.sizes,
        "status": status,
        "reason": reason,
        "final": None,
    }
    if run is None or not run.is_complete:
        return described
    training = [row for row in rows if row["split"] == "train"]
    validation = [row for row in rows if row["split"] == "validation"]
    problem = _find_problem(training, validation)
    if problem:
        return {**described, "reason": problem}
    return {
        **described,
        "final": describe_final(arm, training[-1], validation[-1]),
        "min_frozen": _describe_minimum(validation),
        "cost": _describe_cost(run, arm, training),
        "stability": _describe_stability(training, validation),
        "in_train": _describe_titles_in_train(run.load_title_losses()),
        "machine": run.record["machine"],
        "tokenizer_trained_on": run.select("dataset_info")[0].get("tokenizer_trained_on"),
        "hashes": {
            key: run.record[key]
            for key in (
                "initial_weights_sha256",
                "final_weights_sha256",
                "mainrun_log_sha256",
                "title_losses_sha256",
            )
        },
    }


def describe_final(arm: Arm, last_training: Row, last_validation: Row) -> dict[str, Any]:
    """The measurements at the last step."""
    frozen, coverage = last_validation["loss_nats_per_char"], arm.sizes["coverage"]
    return {
        "step": last_validation["step"],
        "loss_nats_per_char": frozen,
        "full_loss_nats_per_char": last_validation["full_loss_nats_per_char"],
        "matched_loss_nats_per_char": frozen / coverage,
        "loss_nats_per_token": last_validation["loss_nats_per_token"],
        "perplexity_per_token": last_validation["perplexity_per_token"],
        "train_loss_nats_per_token": last_training["loss_nats_per_token"],
        "coverage_percent": 100 * coverage,
        "num_spans": arm.sizes["num_spans"],
        "num_unscored_tokens": arm.sizes["num_validation_tokens"] - arm.sizes["num_spans"] * arm.tokens_per_step,
    }


def _find_problem(training: Sequence[Row], validation: Sequence[Row]) -> str | None:
    """Why a complete run cannot be compared, or None where it can."""
    if not training or not validation or validation[-1]["step"] != training[-1]["step"]:
        return "it was not evaluated after its last training step"
    if validation[-1]["full_loss_nats_per_char"] is None:
        return "its full loss was not measured at the last step"
    if not min(row["loss_nats_per_char"] for row in validation) > 0:
        return "an evaluation reports a loss of 0, which scores nothing"
    return None


def _describe_minimum(validation: Sequence[Row]) -> dict[str, Any]:
    best = min(validation, key=lambda row: row["loss_nats_per_char"])
    return {"step": best["step"], "loss_nats_per_char": best["loss_nats_per_char"]}


def _describe_cost(run: StoredRun, arm: Arm, training: Sequence[Row]) -> dict[str, Any]:
    elapsed_s = training[-1]["elapsed_s"]
    return {
        "num_parameters": arm.sizes["num_parameters"],
        "training_flops": arm.sizes["training_flops"],
        "tokens_seen": training[-1]["tokens_seen"],
        "train_elapsed_s": elapsed_s,
        "wall_elapsed_s": run.events[-1].get("elapsed_time"),
        "tokens_per_s": training[-1]["tokens_seen"] / elapsed_s,
        "flops_per_s": arm.sizes["training_flops"] / elapsed_s,
        "peak_memory_bytes": run.record["peak_memory_bytes"],
    }


def _describe_titles_in_train(columns: dict[str, list[Any]]) -> dict[str, Any]:
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


def _describe_stability(training: Sequence[Row], validation: Sequence[Row]) -> dict[str, Any]:
    median_norm = median(row["grad_norm"] for row in training)
    rises = [after["loss_nats_per_char"] - before["loss_nats_per_char"] for before, after in pairwise(validation)]
    return {
        "num_steps": len(training),
        "median_grad_norm": median_norm,
        "max_grad_norm": max(row["grad_norm"] for row in training),
        "num_non_finite": sum(not math.isfinite(row[name]) for row in training for name in MEASURED_EACH_STEP),
        "gradient_spike_factor": GRADIENT_SPIKE_FACTOR,
        "num_gradient_spikes": sum(row["grad_norm"] > GRADIENT_SPIKE_FACTOR * median_norm for row in training),
        "largest_rise_nats_per_char": max([0.0, *rises]),
    }
