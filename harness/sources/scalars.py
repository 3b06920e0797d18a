"""Curves without a log: a table (CSV or JSON lines) or a folder of TensorBoard event files, in our journal's words.

Neither says its unit, so `--loss-unit` does: a validation loss per character is the task's frozen loss; one per token
compares between equal tokenizers only.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.formats import quote
from harness.sources.lines import MAX_LOSS, read_time
from harness.sources.log import ForeignLog, conclude_steps
from harness.store.facts import MAX_STEPS
from harness.store.journals import Event
from harness.store.tensorboard import load_scalars
from mainrun.record.errors import RequestError

LossUnit = Literal["nats_per_char", "nats_per_token"]
LOSS_UNITS: tuple[LossUnit, ...] = ("nats_per_char", "nats_per_token")
_STEP = ("step", "global_step", "iteration", "iter")
_TRAINING = ("train/loss_nats_per_token", "train/loss", "loss/train", "train_loss", "training_loss", "loss_train")
_VALIDATION = (
    *("validation/frozen_loss_nats_per_char", "validation/loss", "val/loss", "loss/val", "loss/validation"),
    *("eval/loss", "loss/eval", "val_loss", "validation_loss", "eval_loss", "loss_val", "val"),
)
_FULL = ("validation/full_loss_nats_per_char",)
_RATE = ("train/learning_rate", "learning_rate", "lr", "train/lr")
MAX_NAMES = 20
"""Of so many columns or tags a message gives the names."""
Point = tuple[int, float, float | None]
"""Step, value, and Unix seconds where known."""


def is_json_table(beginning: bytes) -> bool:
    """Whether a file that begins so is a table of JSON lines: no events, but steps."""
    try:
        first = json.loads(beginning.decode("utf-8-sig").split("\n", 1)[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "event" not in first and not {key.lower() for key in first}.isdisjoint(_STEP)


def read_table(content: bytes, name: str, unit: LossUnit | None) -> ForeignLog:
    """Reads a table with one row a step; `RequestError` with file and line for what is no such table."""
    text = content.decode("utf-8-sig", "replace")
    is_json = is_json_table(content)
    try:
        rows = _read_json_rows(text, name) if is_json else list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise RequestError(f"{name} is no table: {error}.") from None
    header = [cell.strip() for cell in rows[0]] if rows else []
    lowered = [cell.lower() for cell in header]
    step_column = next((lowered.index(key) for key in _STEP if key in lowered), None)
    if step_column is None:
        raise RequestError(f"{name}, line 1: no column named step. It has: {_list_names(header)}.")
    twice = next((key for key in lowered if key and lowered.count(key) > 1), None)
    if twice is not None:
        raise RequestError(f"{name}, line 1: the column {quote(twice)} stands twice.")
    series: dict[str, list[Point]] = {}
    notes: list[str] = []
    for number, row in enumerate(rows[1:], 1 if is_json else 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise RequestError(f"{name}, line {number}: {len(row)} cells where the header has {len(header)}.")
        step = _read_cell(row[step_column])
        if step is None or not 0 <= step <= MAX_STEPS or not step.is_integer():
            raise RequestError(f"{name}, line {number}: the step is {quote(row[step_column])}, no whole number.")
        for key, cell in zip(lowered, row, strict=True):
            value = _read_cell(cell)
            if value is not None and key not in _STEP:
                series.setdefault(key, []).append((int(step), value, None))
            elif value is None and cell.strip() and key in (*_TRAINING, *_VALIDATION, *_FULL):
                notes.append(f"line {number}, column {key}: {quote(cell)} is no number and is left out")
    return _build(series, name, unit, notes)


def _read_json_rows(text: str, name: str) -> list[list[str]]:
    """The rows of JSON lines as those of a CSV table: the names, and then a row for each line."""
    found: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            row = json.loads(line) if line.strip() else {}
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise RequestError(f"{name}, line {number}: it is no JSON object.")
        found.append(row)
    names = list(dict.fromkeys(key for row in found for key in row))
    cells = [["" if row.get(key) is None else str(row[key]) for key in names] for row in found]
    return [names, *cells]


def read_event_files(folder: Path, name: str, unit: LossUnit | None) -> ForeignLog:
    """Reads the scalars of a folder of event files; `RequestError` where none is a validation loss."""
    notes = ["TensorBoard keeps values in single precision: about seven digits"]
    series = {tag.lower(): points for tag, points in load_scalars(folder).items()}
    if any(not 0 <= step <= MAX_STEPS for points in series.values() for step, _, _ in points):
        raise RequestError(f"{name} has a value at a step that is no count of steps.")
    return _build(series, name, unit, notes)


def _list_names(names: Sequence[str]) -> str:
    shown = ", ".join(map(quote, names[:MAX_NAMES]))
    return f"{shown}{' and more' * (len(names) > MAX_NAMES)}" or "nothing"


def _read_cell(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _build(
    series: dict[str, list[Point]], name: str, unit: LossUnit | None, notes: Sequence[str]
) -> ForeignLog:  # fmt: skip
    notes = list(notes)
    validation = _choose(series, _VALIDATION, "validation loss", notes)
    if validation is None:
        raise RequestError(
            f"{name} has no validation loss: a column or tag named one of {', '.join(_VALIDATION)}. "
            f"It has: {_list_names(sorted(series))}."
        )
    if validation.endswith("nats_per_char"):
        unit = "nats_per_char"
    if unit is None:
        raise RequestError(f"{name} does not say the unit of its losses. Give --loss-unit {' or '.join(LOSS_UNITS)}.")
    training = _choose(series, _TRAINING, "training loss", notes)
    rate_points = series.get(_choose(series, _RATE, "learning rate", notes) or "", [])
    rates = {step: value for step, value, _ in rate_points if math.isfinite(value)}
    full = {step: value for step, value, _ in series.get(_FULL[0], [])}
    used = {validation, training, *_RATE, *_FULL}
    others = sorted(set(series) - used)
    if others:
        notes.append(f"columns or tags that are not used: {_list_names(others)}")
    steps = [
        *_make_steps("training_step", series.get(training or "", []), lambda step: {"learning_rate": rates.get(step)}),
        *_make_steps(
            "validation_step",
            series[validation],
            lambda step: {"full_loss_nats_per_char": full.get(step), "loss_unit": unit},
        ),
    ]
    log = conclude_steps([], [event for event in steps if _find_odd_loss(event) is None], notes)
    odd = next((event for event in steps if _find_odd_loss(event) is not None), None)
    if odd:
        reason = f"the loss of {odd['event']} is {_find_odd_loss(odd)!r} at step {odd['step']}"
        return ForeignLog(log.events, log.notes, "failed", reason)
    return log


def _find_odd_loss(event: Event) -> float | None:
    """A loss of the step that no training has, or None."""
    losses = (event["loss"], event["full_loss_nats_per_char"])
    return next((loss for loss in losses if loss is not None and not 0 <= loss <= MAX_LOSS), None)


def _choose(series: dict[str, list[Point]], names: Iterable[str], what: str, notes: list[str]) -> str | None:
    there = [name for name in names if name in series]
    if len(there) > 1:
        notes.append(f"more than one {what}: {', '.join(there)}; {there[0]} is taken")
    return there[0] if there else None


def _make_steps(event: str, points: Sequence[Point], more: Any) -> Iterable[Event]:
    for line, (step, value, time) in enumerate(points, 1):
        yield {
            "event": event,
            "timestamp": read_time(time),
            "step": step,
            "max_steps": None,
            "loss": value,
            "elapsed_time": None,
            "train_elapsed_s": None,
            "grad_norm": None,
            **dict.fromkeys(("full_loss_nats_per_char", "num_spans", "num_tokens", "num_chars")),
            **more(step),
            "line": line,
        }
