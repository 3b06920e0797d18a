"""A plain reading of a log, beside the importer's and without its code: which losses stand on which lines."""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

TRAINING, VALIDATION = "training_step", "validation_step"
KINDS = {"train_step": TRAINING, TRAINING: TRAINING, "val_step": VALIDATION, VALIDATION: VALIDATION}
HEADERS = ("hyperparameters_configured", "dataset_info", "model_info")
LOSSES = {TRAINING: ("loss", "train_loss"), VALIDATION: ("loss", "val_loss")}
MAX_LOSS, MAX_STEPS = 1e6, 10**12
CONSOLE = re.compile(r"\[\s*(\d+)/(\d+)\] (\w+): loss=(\S+)")


@dataclass
class Plain:
    """The last run of a file; where a step stands there twice, the later line."""

    losses: dict[str, dict[int, float]] = field(default_factory=lambda: {TRAINING: {}, VALIDATION: {}})
    headers: dict[str, list[Any]] = field(default_factory=dict)
    """All values that are given under a key."""
    configuration: dict[str, Any] | None = None
    max_steps: Counter[int] = field(default_factory=Counter)
    is_finite: bool = True
    steps: dict[str, set[int]] = field(default_factory=lambda: {TRAINING: set(), VALIDATION: set()})
    """All that are named, with a loss or without."""
    first: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The first step of each kind."""

    def get_losses(self, kind: str) -> dict[int, float]:
        """Loss by step, in order, up to the last step planned."""
        planned = self.max_steps.most_common(1)[0][0] if self.max_steps else MAX_STEPS
        return {step: loss for step, loss in sorted(self.losses[kind].items()) if step <= planned}

    def begins_anew(self, kind: str, values: dict[str, Any]) -> bool:
        if kind == "hyperparameters_configured":
            told = {"dataset_info", "model_info"} & {*self.headers.get("event", [])}
            return bool(self.first) or bool(told and self.configuration not in (None, {**values, "timestamp": 0}))
        if kind not in self.first:
            return False
        begun, begun_kind = next(iter(self.first.values()))["step"], self.first[kind]["step"]
        again = values["step"] <= max(1, begun) and values["step"] < max(self.steps[kind]) > begun_kind
        return again and {**values, "timestamp": 0} != {**self.first[kind], "timestamp": 0}


def read_plainly(content: bytes) -> Plain:
    """The last run of a log that has a step; a configuration after the steps, data or model of another one begins a
    run, and so does a first step after later ones.
    """
    plain = Plain()
    begun = plain
    for line in content.decode("utf-8-sig", "replace").split("\n"):
        values = read_line(line)
        kind = KINDS.get(str(values.get("event")), str(values.get("event")))
        if kind in HEADERS:
            plain = Plain() if plain.begins_anew(kind, values) else plain
            if kind == HEADERS[0]:
                plain.configuration = {**values, "timestamp": 0}
            for key, value in values.items():
                plain.headers.setdefault(key, []).append(value)
        elif kind in LOSSES and is_step(values):
            loss = next((values[name] for name in LOSSES[kind] if name in values), None)
            plain = begun = Plain() if plain.begins_anew(kind, values) else plain
            plain.steps[kind].add(values["step"])
            if isinstance(loss, str) and re.fullmatch(r"\d+(\.\d+)?", loss, re.ASCII):
                loss = float(loss)
            if isinstance(loss, bool) or not isinstance(loss, int | float) or -math.inf < loss < 0:
                continue
            if not 0 <= loss <= MAX_LOSS:
                plain.is_finite = False
                continue
            plain.first.setdefault(kind, values)
            plain.losses[kind][values["step"]] = float(loss)
            plain.max_steps.update([values["max_steps"]] if values.get("max_steps") is not None else [])
    return begun


def is_step(values: dict[str, Any]) -> bool:
    """Whether step and planned steps are counts."""
    step, planned = values.get("step"), values.get("max_steps")
    planned_is_one = planned is None or (type(planned) is int and 1 <= planned <= MAX_STEPS)
    return type(step) is int and 0 <= step <= MAX_STEPS and planned_is_one


def read_line(line: str) -> dict[str, Any]:
    """The fields of a JSON line with one loss, or of a console line; none of any other."""
    found = CONSOLE.search(line)
    if found and not line.startswith("{"):
        step, last, event, loss = found.groups()
        return {"event": event, "step": int(step), "max_steps": int(last), "loss": float(loss)}
    if line.count('"loss"') > 1:
        return {}
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
