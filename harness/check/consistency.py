"""What a journal says of its run, against the run's record, the planned sizes and itself.

Like the checks that use it, this module imports nothing of what it checks: the formulas of the contract stand here
again. Each function gives what is wrong, or None.
"""

import math
from typing import Any

from harness.check.registry import ROUNDING_TOLERANCE
from harness.formats import quote
from harness.store.runs import StoredRun

_OF_THE_MACHINE = ("device", "precision", "num_threads", "cpu_capability")
"""Not its name: a run may go on on a machine of the same kind."""
_FIRST_SETTINGS = frozenset({
    "num_titles", "vocab_size", "val_fraction", "n_layer", "n_head", "d_model", "block_size", "dropout", "optimizer",
    "learning_rate", "momentum", "weight_decay", "beta1", "beta2", "eps", "schedule", "warmup_fraction", "batch_size",
    "epochs", "grad_clip", "evals_per_epoch",
})  # fmt: skip
"""What the first release had as settings, by today's short names."""
_KNOWN = {
    "model.mlp": ("gelu", "relu2", "swiglu"),
    "optimizer.name": ("sgd", "adamw", "muon"),
    "schedule.name": ("cosine", "wsd"),
}
"""Choices whose formulas stand here; one more is a formula more, and its name."""
_TOKENIZER_TITLES = "training and validation titles"
"""Of which the task makes every tokenizer; no released program says otherwise."""
_CLOCK_TOLERANCE_S = 0.1
"""What two clocks of one process may differ by, beside a hundredth."""


def find_unknown_choice(run: StoredRun) -> str | None:
    """A setting of which no formula here says what follows from it: operations or learning rates."""
    for key, names in _KNOWN.items():
        if run.record["config"][key] not in names:
            return f"what follows from {key} {quote(run.record['config'][key])} is not known to the checker"
    return None


def find_other_header(run: StoredRun, sizes: dict[str, Any]) -> str | None:
    """The journal's first events against the record's settings and machine and the planned counts."""
    record, corpus = run.record, run.record["corpus"]
    due = {
        "hyperparameters_configured": _find_due_settings(record["config"], run.select("hyperparameters_configured")[0]),
        "device_info": {key: record["machine"][key] for key in _OF_THE_MACHINE},
        "dataset_info": {
            "titles_count": corpus["num_train_titles"],
            "tokens_per_epoch": sizes["num_train_tokens"],
            "batches_per_epoch": sizes["num_train_tokens"] // _count_step_tokens(run),
            "num_validation_tokens": sizes["num_validation_tokens"],
            "num_validation_chars": sizes["num_validation_chars"],
            "tokenizer_trained_on": _TOKENIZER_TITLES,
        },
    }
    for event, fields in due.items():
        header = run.select(event)[0]
        for key, value in fields.items():
            if header[key] != value:
                return f"its journal says {key} {header[key]!r}, its record or plan {value!r}"
    num_titles = corpus["num_train_titles"] + corpus["num_validation_titles"]
    if record["config"]["data.num_titles"] != num_titles:
        return f"it was to train on {record['config']['data.num_titles']:,} titles, its corpus has {num_titles:,}"
    return None


def find_other_sizes(run: StoredRun, sizes: dict[str, Any]) -> str | None:
    """The planned sizes against those that follow from the counts of tokens."""
    config, step_tokens = run.record["config"], _count_step_tokens(run)
    steps_per_epoch = sizes["num_train_tokens"] // step_tokens
    max_steps = config["training.epochs"] * steps_per_epoch
    num_spans = sizes["num_validation_tokens"] // (step_tokens + 1)
    due = {
        "steps_per_epoch": steps_per_epoch,
        "max_steps": max_steps,
        "num_spans": num_spans,
        "coverage": num_spans * step_tokens / sizes["num_validation_tokens"],
    }
    step_flops = compute_step_flops(config)
    if step_flops is not None:
        due["training_flops"] = step_flops * max_steps
    wrong = [key for key, value in due.items() if not math.isclose(sizes[key], value, rel_tol=ROUNDING_TOLERANCE)]
    return f"its planned {wrong[0]} is {sizes[wrong[0]]}, not {due[wrong[0]]}" if wrong else None


def find_other_course(run: StoredRun, sizes: dict[str, Any]) -> str | None:
    """Step by step: what was scored, the learning rate, the clocks, and losses that no model can have."""
    last_step = run.select("training_step")[-1]["step"]
    trained = 0
    for event in run.events:
        if event["event"] not in ("training_step", "validation_step"):
            continue
        step, where = event["step"], f"step {event['step']}"
        if event["max_steps"] != last_step:
            return f"{where} says {event['max_steps']} steps in all, the last is {last_step}"
        if not event["train_elapsed_s"] <= 1.01 * event["elapsed_time"] + _CLOCK_TOLERANCE_S:
            return f"{where} was trained for {event['train_elapsed_s']} s of {event['elapsed_time']} s"
        if event["loss"] < 0:
            return f"{where} has a loss of {event['loss']}"
        if event["event"] == "training_step":
            trained, rate = step, compute_learning_rate(run.record["config"], step, last_step)
            if rate is not None and not math.isclose(event["learning_rate"], rate, rel_tol=1e-9, abs_tol=1e-15):
                return f"{where} has the learning rate {event['learning_rate']}, its schedule gives {rate}"
            continue
        if step != trained:
            return f"{where} was evaluated after step {trained}"
        for key in ("num_tokens", "num_chars"):
            if event[key] != sizes[f"num_validation_{key.removeprefix('num_')}"]:
                return f"{where} was evaluated on {event[key]:,} {key.removeprefix('num_')}, not on those planned"
    measured = [
        event["step"] for event in run.select("validation_step") if event["full_loss_nats_per_char"] is not None
    ]
    if measured != sizes["full_loss_steps"]:
        return f"its full loss was measured at the steps {measured}, not at {sizes['full_loss_steps']}"
    title_losses, num_titles = run.load_title_losses()["loss_nats"], run.record["corpus"]["num_validation_titles"]
    if len(title_losses) != num_titles:
        return f"it has losses of {len(title_losses):,} titles, {num_titles:,} are held out"
    if min(title_losses) < 0:
        return "a title has a negative loss"
    return None if run.record["peak_memory_bytes"] > 0 else "its peak memory is none"


def compute_step_flops(config: dict[str, Any]) -> int | None:
    """FLOPs of one training step by the contract: products of weights three times over, attention, Newton–Schulz.

    None for a block or an optimizer that it does not know.
    """
    if not all(config[key] in _KNOWN[key] for key in ("model.mlp", "optimizer.name")):
        return None
    width, num_layers, tokens = config["model.d_model"], config["model.n_layer"], config["model.block_size"]
    is_gated = config["model.mlp"] == "swiglu"
    hidden = 8 * math.ceil(width / 3) if is_gated else 4 * width
    matrices = [(width, width)] * 4 + [(hidden, width)] * (3 if is_gated else 2)
    products = num_layers * sum(rows * columns for rows, columns in matrices) + config["data.vocab_size"] * width
    flops = 6 * (products + num_layers * width * tokens) * tokens * config["training.batch_size"]
    flops *= 2 if config["training.rdrop"] else 1
    if config["optimizer.name"] == "muon":
        iterations = num_layers * config["optimizer.num_iterations"]
        pairs = [(min(shape), max(shape)) for shape in matrices]
        flops += iterations * sum(4 * small * small * large + 2 * small**3 for small, large in pairs)
    return int(flops)


def compute_learning_rate(config: dict[str, Any], step: int, last_step: int) -> float | None:
    """The learning rate of a step, 1 to `last_step`, by the contract; None for a schedule it does not know."""
    if config["schedule.name"] not in _KNOWN["schedule.name"]:
        return None
    warmup = round(last_step * float(config["schedule.warmup_fraction"]))
    peak = float(config["optimizer.learning_rate"])
    if step <= warmup:
        return peak * (step - 1) / warmup
    if config["schedule.name"] == "wsd":
        decay = round(last_step * float(config["schedule.decay_fraction"]))
        return peak * (1 - math.sqrt(max(0, step - 1 - last_step + decay) / max(1, decay)))
    return 0.5 * peak * (1 + math.cos(math.pi * (step - 1 - warmup) / (last_step - warmup)))


def _find_due_settings(config: dict[str, Any], header: dict[str, Any]) -> dict[str, Any]:
    """What the journal's first event must say of the record's settings: by full name, and by the public short ones.

    Journals of the first release have short names alone, those of AdamW's own settings with `adam_` before them.
    """
    short = {key: key.removesuffix(".name").rpartition(".")[2] for key in config}
    is_first = "config" not in header
    due = {} if is_first else {"config": config}
    for key, name in short.items():
        if name in _FIRST_SETTINGS if is_first else list(short.values()).count(name) == 1:
            due[f"adam_{name}" if f"adam_{name}" in header else name] = config[key]
    return due


def _count_step_tokens(run: StoredRun) -> int:
    config = run.record["config"]
    return int(config["model.block_size"] * config["training.batch_size"])
