"""From journals to `metrics.parquet`: where the two meanings of `loss` end."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from harness.store.journals import Event
from harness.store.rows import measure_foreign
from harness.store.runs import StoredComparison, StoredRun
from mainrun.record.errors import StoredResultsError
from mainrun.record.parquet import load_table, save_table

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
_ALWAYS = frozenset({"arm", "seed", "step", "max_steps", "epoch", "tokens_seen", "split", "elapsed_s"})
_REQUIRED = {
    "train": _ALWAYS | {"loss_nats_per_token", "learning_rate", "grad_norm"},
    "validation": _ALWAYS | {"loss_nats_per_char"},
}

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
    """The measurements of one run, in the journal's order.

    Raises `StoredResultsError` where a field is absent, and where a clock that only runs forward went back.
    """
    if run.is_foreign:
        yield from ({**dict.fromkeys(COLUMNS), **measured} for measured in measure_foreign(run))
        return
    config, sizes = run.record["config"], run.record["sizes"]
    tokens_per_step = config["model.block_size"] * config["training.batch_size"]
    previous_s = 0.0
    clocks_s = dict.fromkeys(CLOCKS, 0.0)
    for number, event in enumerate(run.events, 1):
        try:
            for clock in CLOCKS & event.keys():
                if event[clock] < clocks_s[clock]:
                    raise TypeError(f"'{clock}' goes back from {clocks_s[clock]} to {event[clock]}")
                clocks_s[clock] = event[clock]
            match event["event"]:
                case "training_step":
                    measured = _measure_training(event, tokens_per_step, previous_s)
                    previous_s = event["train_elapsed_s"]
                case "validation_step":
                    measured = _measure_validation(event)
                case _:
                    continue
            row = {
                "arm": run.arm,
                "seed": run.seed,
                "step": event["step"],
                "max_steps": event["max_steps"],
                "epoch": event["step"] / sizes["steps_per_epoch"],
                "tokens_seen": event["step"] * tokens_per_step,
                "elapsed_s": event["train_elapsed_s"],
                **measured,
            }
            _check_types(row)
            yield row
        except (KeyError, TypeError) as error:
            raise StoredResultsError(
                f"{run.folder / 'mainrun.log'}, line {number}: a field of '{event['event']}' is absent, "
                f"impossible or of the wrong type: {error}."
            ) from None


def compute_perplexity(loss_nats_per_token: float) -> float | None:
    """The exponential of the loss, per token; None where it is too large for a float."""
    try:
        return math.exp(loss_nats_per_token)
    except OverflowError:
        return None


def compute_full_loss_per_token(event: Event) -> float | None:
    """Nats per token of a `validation_step`, or None where the full loss was not measured at it."""
    full_loss, num_chars, num_tokens = (event[key] for key in ("full_loss_nats_per_char", "num_chars", "num_tokens"))
    return None if full_loss is None or not num_chars or not num_tokens else full_loss * num_chars / num_tokens


def _check_types(row: Row) -> None:
    """Raises `TypeError` for a value that is not of its column's type, or absent where it must not be."""
    required = _REQUIRED[row["split"]]
    for name, kind in COLUMNS.items():
        value = row[name]
        if value is None and name not in required:
            continue
        if isinstance(value, bool) or not isinstance(value, _PYTHON_TYPES[kind]):
            raise TypeError(f"{name} is {value!r}")


def _measure_training(event: Event, tokens_per_step: int, previous_s: float) -> Row:
    spent_s = event["train_elapsed_s"] - previous_s
    return {
        "split": "train",
        "loss_nats_per_token": event["loss"],
        "loss_nats_per_char": None,
        "full_loss_nats_per_char": None,
        "perplexity_per_token": compute_perplexity(event["loss"]),
        "learning_rate": event["learning_rate"],
        "grad_norm": event["grad_norm"],
        "tokens_per_s": tokens_per_step / spent_s if spent_s > 0 else None,
    }


def _measure_validation(event: Event) -> Row:
    loss_nats_per_token = compute_full_loss_per_token(event)
    return {
        "split": "validation",
        "loss_nats_per_token": loss_nats_per_token,
        "loss_nats_per_char": event["loss"],
        "full_loss_nats_per_char": event["full_loss_nats_per_char"],
        "perplexity_per_token": None if loss_nats_per_token is None else compute_perplexity(loss_nats_per_token),
        "learning_rate": None,
        "grad_norm": None,
        "tokens_per_s": None,
    }
