"""One line of somebody else's log: a JSON object or a line of a console, in the words of our own journal.

What public logs of the task look like is known, and what else they hold is not: a line is an event of ours, an event
that is not used, plain text, or an event that cannot be read, and whoever calls is told which.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from harness.formats import quote
from harness.store.facts import MAX_STEPS
from harness.store.journals import HEADERS, MAX_COUNT, Event

Kind = Literal["event", "unused", "text", "bad", "diverged"]
"""What a line is; `bad` is an event of ours that cannot be read, `diverged` one with a loss that no training has."""

RENAMED = {
    "train_step": "training_step",
    "train": "training_step",
    "val_step": "validation_step",
    "val": "validation_step",
    "eval_step": "validation_step",
    "validation": "validation_step",
    "hyperparameters": "hyperparameters_configured",
    "config": "hyperparameters_configured",
}
"""Other names of the events, as public logs have them."""
_EVENTS = {name: name for name in (*HEADERS, "training_step", "validation_step")} | RENAMED
_OTHER_LOSS = {
    "training_step": frozenset({"train_loss", "training_loss"}),
    "validation_step": frozenset({"val_loss", "validation_loss"}),
}
"""Other names of `loss`."""
_ELAPSED = ("elapsed_time", "elapsed", "time")
_RATE = ("learning_rate", "lr", "adamw_lr")
_MEASURED = {
    "full_loss_nats_per_char": (int, float),
    "num_spans": (int,),
    "num_tokens": (int,),
    "num_chars": (int,),
}
"""Fields of our own that a log of our own program has on a `validation_step`."""
_PERSONAL = frozenset({"host", "hostname", "user", "username", "cwd", "home"})
MAX_TEXT = 200
MAX_TIME_S = 1e11
"""A larger timestamp is in no seconds."""
MAX_LOSS = 1e6
"""A larger loss has diverged as one that is not finite has."""
_PLAIN_FIELDS = {"event", "timestamp", "step", "max_steps", "loss", "elapsed_time", "prnt"}
"""Of a training step as the task itself writes it."""
LINES_AT_ONCE = 500
"""JSON lines decoded in one call, which takes a quarter of the time; changes no result."""
_CONSOLE_STEP = re.compile(r"\[\s*(\d{1,15})\s*/\s*(\d{1,15})\]\s*(\w+):\s*(.*)")
_CONSOLE_HEADER = re.compile(rf"\s*({'|'.join(HEADERS)}):\s*(.*)")
_CONSOLE_PAIR = re.compile(r"(\w+)=(\[[^\]]*\]|[^\s,]+)")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def parse_lines(lines: Sequence[str], renamed: set[str]) -> Iterator[tuple[Kind, Any]]:
    """`parse_line` of each line, in order, and several times as fast on JSON lines."""
    for first in range(0, len(lines), LINES_AT_ONCE):
        batch = lines[first : first + LINES_AT_ONCE]
        for line, raw in zip(batch, _decode_batch(batch), strict=True):
            # As many keys as fields: nothing is nested in the line, and no field stands in it twice.
            if type(raw) is dict and type(raw.get("event")) is str and line.count('":') == len(raw):
                step = _read_plain_step(raw)
                yield normalize(raw["event"], raw, renamed) if step is None else ("event", step)
            else:
                yield parse_line(line, renamed)


def _read_plain_step(raw: dict[str, Any]) -> Event | None:
    """A training step of which nothing has to be looked at twice; None for anything else."""
    if raw["event"] != "training_step" or not raw.keys() <= _PLAIN_FIELDS:
        return None
    step, max_steps, loss = raw.get("step"), raw.get("max_steps"), raw.get("loss")
    elapsed, time = raw.get("elapsed_time"), raw.get("timestamp")
    if not (type(step) is type(max_steps) is int and type(loss) is type(elapsed) is type(time) is float):
        return None
    if not (
        0 <= step <= MAX_STEPS
        and 0 < max_steps <= MAX_STEPS
        and 0 <= loss <= MAX_LOSS
        and abs(elapsed) < MAX_TIME_S
        and 0 < time < MAX_TIME_S
    ):
        return None
    return {
        "event": "training_step",
        "timestamp": time,
        "step": step,
        "max_steps": max_steps,
        "loss": loss,
        "elapsed_time": elapsed,
        "learning_rate": None,
        "grad_norm": None,
        "train_elapsed_s": None,
    }


def _decode_batch(lines: Sequence[str]) -> Sequence[Any]:
    """The JSON value of each line, or None for all of them where one is not a JSON object."""
    try:
        values = json.loads(f"[{','.join(lines)}]")
    except (ValueError, RecursionError):
        return [None] * len(lines)
    whole = len(values) == len(lines) and all(line[:1] == "{" and line.rstrip()[-1:] == "}" for line in lines)
    return values if whole else [None] * len(lines)


def parse_line(line: str, renamed: set[str]) -> tuple[Kind, Any]:
    """What one line holds: a normalized event, or the name, or the reason that goes with its kind.

    `loss` keeps its two units: nats per token on a training step, nats per character on a validation step. Names of
    events that are read as ours are added to `renamed`.
    """
    text = line.strip()
    if text.startswith("{"):
        return _parse_json(text, renamed)
    parts = [part for part in _ANSI.sub("", text).split("\r") if part.strip()]
    found = [entry for entry in (_parse_console(part, renamed) for part in parts) if entry[0] != "text"]
    return found[-1] if found else ("text", None)


def _parse_json(text: str, renamed: set[str]) -> tuple[Kind, Any]:
    try:
        raw = json.loads(text, object_pairs_hook=_refuse_repeats)
    except (ValueError, RecursionError) as error:
        return "bad", f"it is no JSON object ({getattr(error, 'msg', None) or error})"
    name = raw.get("event")
    if not isinstance(name, str):
        return "bad", "it has no 'event'"
    return normalize(name, raw, renamed)


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a field stands in it twice")
    return values


def normalize(name: str, raw: dict[str, Any], renamed: set[str]) -> tuple[Kind, Any]:
    """An event of ours from the fields a log gave it."""
    event = _EVENTS.get(name)
    if event is None:
        return "unused", name
    if name in RENAMED:
        renamed.add(name)
    if event in HEADERS:
        return "event", {"event": event, "timestamp": read_time(raw.get("timestamp")), **_keep_header(raw)}
    step, max_steps = raw.get("step"), raw.get("max_steps")
    if type(step) is not int or not 0 <= step <= MAX_STEPS:
        return "bad", f"its step is {quote(step)}"
    if max_steps is not None and (type(max_steps) is not int or not 1 <= max_steps <= MAX_STEPS):
        return "bad", f"its max_steps is {quote(max_steps)}"
    loss: Any = raw.get("loss")
    for other in () if raw.keys().isdisjoint(_OTHER_LOSS[event]) else raw.keys() & _OTHER_LOSS[event]:
        if loss is not None and raw[other] != loss:
            return "bad", f"its loss and its {other} differ"
        loss = raw[other]
    if type(loss) not in (int, float):
        return "bad", f"its loss is {quote(loss)}"
    if not -math.inf < loss <= MAX_LOSS:
        return "diverged", f"the loss of {event} is {quote(loss)} at step {step}"
    if loss < 0:
        return "bad", f"its loss is {quote(loss)}"
    values: Event = {
        "event": event,
        "timestamp": read_time(raw.get("timestamp")),
        "step": step,
        "max_steps": max_steps,
        "loss": float(loss),
        "elapsed_time": _read_elapsed(_find_first(raw, _ELAPSED)),
    }
    if event == "training_step":
        values["learning_rate"] = _read_number(_find_first(raw, _RATE))
        values["grad_norm"] = _read_number(raw.get("grad_norm"))
    else:
        for field, kinds in _MEASURED.items():
            value = raw.get(field)
            if value is not None and (type(value) not in kinds or not 0 <= value < MAX_COUNT):
                return "bad", f"its {field} is {quote(value)}"
            values[field] = value
        if raw.get("ema") is True:
            values["is_averaged"] = True
    values["train_elapsed_s"] = _read_elapsed(raw.get("train_elapsed_s"))
    return "event", values


def _find_first(raw: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The value under the first of several names that is there, or None."""
    for name in names:
        if name in raw:
            return raw[name]
    return None


def read_time(value: Any) -> float | None:
    """Unix seconds of a time that is written as a number or as ISO 8601 (UTC where no zone is given), or None."""
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
            value = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    return float(value) if type(value) in (int, float) and 0 < value < MAX_TIME_S else None


def _read_number(value: Any) -> float | None:
    if type(value) is float:
        return value if math.isfinite(value) else None
    return float(value) if type(value) is int and abs(value) < MAX_COUNT else None


def _read_elapsed(value: Any) -> float | None:
    number = _read_number(value)
    return number if number is None or abs(number) < MAX_TIME_S else None


def _keep_header(raw: dict[str, Any]) -> dict[str, Any]:
    """Plain values of a header event, without what names a person or a place on a machine."""
    kept: dict[str, Any] = {}
    for name, value in raw.items():
        key = _make_text(name)
        if key in ("event", "timestamp", "prnt") or key.lower() in _PERSONAL:
            continue
        if isinstance(value, str):
            kept[key] = _shorten(value)
        elif isinstance(value, int) and abs(value) >= MAX_COUNT:
            kept[key] = quote(value)
        elif (
            isinstance(value, bool | int)
            or value is None
            or (isinstance(value, float) and math.isfinite(value))
            or (isinstance(value, list) and len(value) <= 100 and all(map(_is_count, value)))
        ):
            kept[key] = value
    return kept


def _is_count(value: Any) -> bool:
    return type(value) is int and abs(value) < MAX_COUNT


def _shorten(text: str) -> str:
    """Without the folders of an absolute path, and not longer than a line."""
    if text.startswith(("/", "~", "\\\\")) or text[1:3] in (":\\", ":/"):
        text = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    return _make_text(text)


def _make_text(text: str) -> str:
    """Without surrogates, and not longer than a line."""
    return text.encode("utf-8", "replace").decode()[:MAX_TEXT]


def _parse_console(text: str, renamed: set[str]) -> tuple[Kind, Any]:
    step = _CONSOLE_STEP.search(text)
    if step and step[3] in _EVENTS:
        fields = {key: _read_console(value.removesuffix("s")) for key, value in _CONSOLE_PAIR.findall(step[4])}
        return normalize(step[3], {**fields, "step": int(step[1]), "max_steps": int(step[2])}, renamed)
    header = _CONSOLE_HEADER.match(text)
    if header:
        return normalize(
            header[1], {key: _read_console(value) for key, value in _CONSOLE_PAIR.findall(header[2])}, renamed
        )
    return "text", None


def _read_console(text: str) -> Any:
    try:
        return json.loads(text.replace("nan", "NaN").replace("inf", "Infinity"))
    except (ValueError, RecursionError):
        return {"True": True, "False": False, "None": None}.get(text, text)
