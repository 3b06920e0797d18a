"""Fields that somebody else's log gave an event, in the words of our own journal.

What public logs of the task look like is known, and what else they hold is not: a line is an event of ours, an event
that is not used, plain text, or an event that cannot be read, and whoever calls is told which.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from harness.formats import quote
from harness.sources.cells import read_count, read_number
from harness.store.facts import MAX_STEPS
from harness.store.journals import HEADERS, MAX_COUNT

Kind = Literal["event", "unused", "text", "bad", "lost"]
"""What a line is; `bad` is an event of ours that cannot be read, `lost` a step without a loss that can be used."""


@dataclass
class LostStep:
    """A step whose loss cannot be used."""

    kind: str
    """`training_step` or `validation_step`."""
    step: int
    found: str
    """What stands in the place of the loss."""
    is_no_number: bool
    """Whether programs write that where a loss is no number any more."""
    epoch: float | None = None
    is_final: bool = False
    """Whether no training has such a loss: the run has failed, whatever comes after it."""
    line: int = 0
    """Where it stands, once it is known."""

    @property
    def reason(self) -> str:
        return f"the loss of {self.kind} is {self.found} at step {self.step}"


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
EVENTS = {name: name for name in (*HEADERS, "training_step", "validation_step")} | RENAMED
"""Our name of each event by its name in a log."""
RENAMED_FIELDS = {"global_step": "step", "iteration": "step", "iter": "step"}
TEXT_NUMBERS = "numbers in quotes"
"""Among the renamed: steps or losses were written as text."""
UNIT_FIELDS = ("loss_unit", "unit")
"""Fields of an evaluation that say in what its loss is."""
_OTHER_LOSS = {
    "training_step": frozenset({"train_loss", "training_loss"}),
    "validation_step": frozenset({"val_loss", "validation_loss"}),
}
"""Other names of `loss`."""
_STEP = ("global_step", "step", "iteration", "iter")
"""The first that is there counts; `step` begins anew in each epoch where `global_step` stands beside it."""
_ORIGIN = ("run_id", "run_name", "run", "rank")
"""Fields that tell the lines of several programs apart."""
NO_NUMBER = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
"""What programs write where a loss is no number any more."""
_ELAPSED = ("elapsed_time", "elapsed", "time")
_RATE = ("learning_rate", "lr", "adamw_lr")
_MEASURED = {"full_loss_nats_per_char": (int, float)} | dict.fromkeys(("num_spans", "num_tokens", "num_chars"), (int,))
"""Fields of our own that a log of our own program has on a `validation_step`."""
_PERSONAL = frozenset({"host", "hostname", "user", "username", "cwd", "home"})
MAX_TEXT = 200
MAX_TIME_S = 1e11
"""A larger timestamp is in no seconds."""
MAX_ELAPSED_S = 1e9
"""A larger time is a date."""
MAX_LOSS = 1e6
"""A larger loss has diverged as one that is not finite has."""


def normalize(name: str, raw: dict[str, Any], renamed: set[str]) -> tuple[Kind, Any]:
    """An event of ours from the fields a log gave it.

    `loss` keeps its two units: nats per token on a training step, nats per character on a validation step. Names that
    are read as ours are added to `renamed`. A step has `epoch`, `origin` and `unit_said` beside what a journal keeps,
    where given.
    """
    event = EVENTS.get(name)
    if event is None:
        return "unused", name
    if name in RENAMED:
        renamed.add(name)
    if event in HEADERS:
        return "event", {"event": event, "timestamp": read_time(raw.get("timestamp")), **_keep_header(raw)}
    return _normalize_step(event, raw, renamed)


def _normalize_step(event: str, raw: dict[str, Any], renamed: set[str]) -> tuple[Kind, Any]:
    """A step: `bad` where it has no number or contradicts itself, `lost` where its loss cannot be used."""
    place = next((field for field in _STEP if raw.get(field) is not None), "step")
    if place in RENAMED_FIELDS:
        renamed.add(place)
    step, max_steps = _read_whole(raw.get(place), renamed), _read_whole(raw.get("max_steps"), renamed)
    if type(step) is not int or not 0 <= step <= MAX_STEPS:
        return "bad", f"its {place} is {quote(step)}"
    if max_steps is not None and (type(max_steps) is not int or not 1 <= max_steps <= MAX_STEPS):
        return "bad", f"its max_steps is {quote(max_steps)}"
    epoch = _read_number(raw.get("epoch"))
    loss: Any = raw.get("loss")
    for other in raw.keys() & _OTHER_LOSS[event]:
        if loss is not None and raw[other] != loss:
            return "bad", f"its loss and its {other} differ"
        loss = raw[other]
    if isinstance(loss, str):
        loss = _read_text(loss, renamed)
    if type(loss) not in (int, float) or -math.inf < loss < 0:
        return "lost", LostStep(event, step, "null" if loss is None else quote(loss), loss is None, epoch)
    if not -math.inf < loss <= MAX_LOSS:
        return "lost", LostStep(event, step, quote(loss), True, epoch, is_final=True)
    if event == "training_step":
        measured = {
            "learning_rate": _read_number(_find_first(raw, _RATE)),
            "grad_norm": _read_number(raw.get("grad_norm")),
        }
    else:
        for field, kinds in _MEASURED.items():
            value = raw.get(field)
            if value is not None and (type(value) not in kinds or not 0 <= value < MAX_COUNT):
                return "bad", f"its {field} is {quote(value)}"
        measured = _select_measured(raw)
    origin = [f"{field} {quote(raw[field])}" for field in _ORIGIN if raw.get(field) is not None]
    return "event", {
        "event": event,
        "timestamp": read_time(raw.get("timestamp")),
        "step": step,
        "max_steps": max_steps,
        "loss": float(loss),
        "elapsed_time": _read_elapsed(_find_first(raw, _ELAPSED)),
        **measured,
        "train_elapsed_s": _read_elapsed(raw.get("train_elapsed_s")),
        **({} if epoch is None else {"epoch": epoch}),
        **({"origin": ", ".join(origin)} if origin else {}),
    }


def _select_measured(raw: dict[str, Any]) -> dict[str, Any]:
    """What an evaluation says beside its loss: counts and the full loss, the unit, and whether weights are averaged."""
    said = [raw[field] for field in UNIT_FIELDS if isinstance(raw.get(field), str)]
    return {
        **{field: raw.get(field) for field in _MEASURED},
        **({"unit_said": said[0]} if said else {}),
        **({"is_averaged": True} if raw.get("ema") is True else {}),
    }


def _read_whole(value: Any, renamed: set[str]) -> Any:
    """A count that is written as one, as `44.0` or as text, as tables have them; anything else as it is."""
    if type(value) is float and value.is_integer():
        return int(value)
    count = read_count(value.strip()) if isinstance(value, str) else None
    if count is None:
        return value
    renamed.add(TEXT_NUMBERS)
    return count


def _read_text(text: str, renamed: set[str]) -> float | str:
    """The number of a text, or what programs write where there is none; any other text as it is."""
    if NO_NUMBER.fullmatch(text.strip()):
        return float(text)
    number = read_number(text.strip(), comma=False)
    if number is None:
        return text
    renamed.add(TEXT_NUMBERS)
    return number


def _find_first(raw: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The value under the first of several names that is there, or None."""
    return next((raw[name] for name in names if name in raw), None)


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
    return number if number is None or abs(number) < MAX_ELAPSED_S else None


def _keep_header(raw: dict[str, Any]) -> dict[str, Any]:
    """Plain values of a header event, without what names a person or a place on a machine."""
    kept: dict[str, Any] = {}
    for name, value in raw.items():
        key = _make_text(name)
        if key in ("event", "timestamp", "prnt", *_ELAPSED) or key.lower() in _PERSONAL:
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
