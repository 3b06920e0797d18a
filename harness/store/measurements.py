"""From journals to `metrics.parquet`: where the two meanings of `loss` end."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from harness.store.journals import Event
from harness.store.runs import StoredComparison, StoredRun
from mainrun.record.errors import StoredResultsError
from mainrun.record.parquet import load_table, save_table
from mainrun.record.run_record import JOURNAL_NAME

SCHEMA_VERSION = 1
FILE_NAME = "metrics.parquet"
COLUMNS = {
    "arm": "string",
    "seed": "int64",
    "step": "int64",
    "max_steps": "int64",
    "epoch": "float64",
    "tokens_seen": "int64",
    "split": "string",
    "loss_nats_per_token": "float64",
    "loss_nats_per_char": "float64",
    "full_loss_nats_per_char": "float64",
    "perplexity_per_token": "float64",
    "learning_rate": "float64",
    "grad_norm": "float64",
    "tokens_per_s": "float64",
    "elapsed_s": "float64",
}
"""One row a measurement; the unit is the last part of a name. A training row's loss is the batch's, a validation row's
loss per token the full loss; `tokens_per_s` is since the row before, `elapsed_s` stops for evaluations."""

CLOCKS = frozenset({"elapsed_time", "train_elapsed_s"})
"""Of the journal, in seconds of a run; unlike its timestamps, which follow the machine's clock when that is set."""

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "int64": (int,), "float64": (int, float)}
_ALWAYS = frozenset({"arm", "seed", "step", "max_steps", "split"})
_TRAINED = _ALWAYS | {"epoch", "tokens_seen", "elapsed_s"}
_REQUIRED = {
    "train": _TRAINED | {"loss_nats_per_token", "learning_rate", "grad_norm"},
    "validation": _TRAINED | {"loss_nats_per_char"},
}
"""What a journal of the training program leaves out only where it is damaged."""

Row = dict[str, Any]


def collect(comparison: StoredComparison) -> Path:
    """Writes `metrics.parquet` from the journals of all runs, in the plan's order."""
    rows = [row for run in comparison.runs.values() for row in build_rows(run)]
    path = comparison.folder / FILE_NAME
    save_rows(path, rows)
    return path


def save_rows(path: Path, rows: Sequence[Row]) -> None:
    """Writes measurements as parquet."""
    save_table(path, COLUMNS, {name: [row[name] for row in rows] for name in COLUMNS}, schema_version=SCHEMA_VERSION)


def load_metrics(folder: Path) -> list[Row]:
    """The rows of a comparison's `metrics.parquet`, in order."""
    return load_rows(folder / FILE_NAME)


def load_rows(source: Path | BinaryIO) -> list[Row]:
    """The rows of a parquet file of measurements, in order."""
    columns = load_table(source, COLUMNS, schema_version=SCHEMA_VERSION)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def build_rows(run: StoredRun) -> Iterator[Row]:
    """The measurements of one run, in the journal's order; a cell that is not known is null.

    Raises `StoredResultsError` where a field is absent, and where a clock that only runs forward went back.
    """
    facts, previous_s = run.facts, 0.0
    clocks_s = dict.fromkeys(CLOCKS, 0.0)
    for number, event in enumerate(run.events, 1):
        try:
            if not run.is_read:  # a log's clock may pause and begin again, which is said of it
                _check_clocks(event, clocks_s)
            if event["event"] == "training_step":
                measured = _measure_training(event, facts.tokens_per_step, previous_s, is_plain=not run.is_read)
                previous_s = event["train_elapsed_s"] or 0.0
            elif event["event"] == "validation_step":
                measured = _measure_validation(event)
            else:
                continue
            row = {
                **dict.fromkeys(COLUMNS),
                "arm": run.arm,
                "seed": run.seed,
                "step": event["step"],
                "max_steps": event["max_steps"],
                "epoch": event["step"] / facts.steps_per_epoch if facts.steps_per_epoch else None,
                "tokens_seen": event["step"] * facts.tokens_per_step if facts.tokens_per_step else None,
                "elapsed_s": event["train_elapsed_s"],
                **measured,
            }
            _check_types(row, _ALWAYS if run.is_read else _REQUIRED[row["split"]])
            yield row
        except (KeyError, TypeError) as error:
            raise StoredResultsError(
                f"{run.folder / JOURNAL_NAME}, line {number}: a field of '{event['event']}' is absent, "
                f"impossible or of the wrong type: {error}."
            ) from None


def _check_clocks(event: Event, clocks_s: dict[str, float]) -> None:
    """Raises `TypeError` where a clock stands before its last time in `clocks_s`, which goes on to this one."""
    for clock in CLOCKS & event.keys():
        if event[clock] < clocks_s[clock]:
            raise TypeError(f"'{clock}' goes back from {clocks_s[clock]} to {event[clock]}")
        clocks_s[clock] = event[clock]


def compute_perplexity(loss_nats_per_token: float | None) -> float | None:
    """The exponential of the loss, per token; None where it is too large for a float, or the loss is not known."""
    try:
        return None if loss_nats_per_token is None else math.exp(loss_nats_per_token)
    except OverflowError:
        return None


def compute_full_loss_per_token(event: Event) -> float | None:
    """Nats per token of a `validation_step`, or None where the full loss was not measured at it."""
    full_loss, num_chars, num_tokens = (event[key] for key in ("full_loss_nats_per_char", "num_chars", "num_tokens"))
    return None if full_loss is None or not num_chars or not num_tokens else full_loss * num_chars / num_tokens


def _check_types(row: Row, required: frozenset[str]) -> None:
    """Raises `TypeError` for a value that is not of its column's type, or absent though `required`."""
    for name, kind in COLUMNS.items():
        value = row[name]
        if value is None and name not in required:
            continue
        if isinstance(value, bool) or not isinstance(value, _PYTHON_TYPES[kind]):
            raise TypeError(f"{name} is {value!r}")


def _measure_training(event: Event, tokens_per_step: int | None, previous_s: float, *, is_plain: bool) -> Row:
    """A perplexity only of a plain cross-entropy: the losses of a log may hold other terms."""
    spent_s = (event["train_elapsed_s"] or 0.0) - previous_s
    return {
        "split": "train",
        "loss_nats_per_token": event["loss"],
        "perplexity_per_token": compute_perplexity(event["loss"]) if is_plain else None,
        "learning_rate": event["learning_rate"],
        "grad_norm": event["grad_norm"],
        "tokens_per_s": tokens_per_step / spent_s if tokens_per_step and spent_s > 0 else None,
    }


def _measure_validation(event: Event) -> Row:
    if event.get("loss_unit") == "nats_per_token":
        return {"split": "validation", "loss_nats_per_token": event["loss"],
                "full_loss_nats_per_char": event["full_loss_nats_per_char"]}  # fmt: skip
    loss_nats_per_token = compute_full_loss_per_token(event)
    return {
        "split": "validation",
        "loss_nats_per_token": loss_nats_per_token,
        "loss_nats_per_char": event["loss"],
        "full_loss_nats_per_char": event["full_loss_nats_per_char"],
        "perplexity_per_token": compute_perplexity(loss_nats_per_token),
    }
