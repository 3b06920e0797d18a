"""Logs in the shapes that other people's programs write, generated: no public log is copied."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.analyse.coverage import (
    OFFICIAL_NUM_TRAIN_TOKENS,
    OFFICIAL_NUM_VALIDATION_CHARS,
    OFFICIAL_NUM_VALIDATION_TOKENS,
)

EPOCHS = 7
Lines = list[dict[str, Any]]


@dataclass
class Shape:
    """A run of the task by some program: what it is, and how its log is written."""

    final: float = 1.7533
    """Frozen loss at the last evaluation, nats per character."""
    block_size: int = 128
    batch_size: int = 64
    vocab_size: int = 16_000
    num_train_tokens: int = OFFICIAL_NUM_TRAIN_TOKENS
    first_training_loss: float = 9.774
    evals_per_epoch: int = 3
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    started_at: float = 1_767_225_600.0

    @property
    def steps_per_epoch(self) -> int:
        return self.num_train_tokens // (self.block_size * self.batch_size)

    @property
    def max_steps(self) -> int:
        return EPOCHS * self.steps_per_epoch

    @property
    def first_loss(self) -> float:
        """What a fresh model's evaluation reports: whole spans over all characters."""
        scored = self.block_size * self.batch_size
        spans = OFFICIAL_NUM_VALIDATION_TOKENS // (scored + 1)
        return spans * scored * self.first_training_loss / OFFICIAL_NUM_VALIDATION_CHARS

    def compute_loss(self, step: int) -> float:
        """The validation loss after a step: from the first to the final one, and there exactly."""
        share = (step - 1) / max(1, self.max_steps - 1)
        fall = (math.exp(-4 * share) - math.exp(-4)) / (1 - math.exp(-4))
        return self.final + (self.first_loss - self.final) * fall

    def build(self) -> Lines:
        """The events in order, as the task's own program would write them."""
        max_steps, interval = self.max_steps, max(1, self.steps_per_epoch // self.evals_per_epoch)
        evaluated = {1, *range(interval, max_steps + 1, interval), max_steps}
        lines: Lines = [
            {
                "event": "hyperparameters_configured",
                "block_size": self.block_size,
                "batch_size": self.batch_size,
                "vocab_size": self.vocab_size,
                "n_layer": 6,
                "n_head": 8,
                "d_model": 512,
                "dropout": 0.1,
                "lr": 0.006,
                "weight_decay": 0.0,
                "evals_per_epoch": self.evals_per_epoch,
                "epochs": EPOCHS,
                "seed": 1337,
                "num_titles": 100_000,
                "val_frac": 0.1,
                "log_file": "./logs/mainrun.log",
                **self.hyperparameters,
            },
            {"event": "device_info", "device": "cuda"},
            {
                "event": "dataset_info",
                "titles_count": 90_000,
                "epochs": EPOCHS,
                "batches_per_epoch": self.steps_per_epoch,
                "tokens_per_epoch": self.num_train_tokens,
                "vocab_size": self.vocab_size,
            },
            {"event": "model_info", "parameters_count": 27_172_864},
        ]
        for step in range(1, max_steps + 1):
            common = {"step": step, "max_steps": max_steps}
            loss = self.first_training_loss * self.compute_loss(step) / self.first_loss
            lines.append({"event": "training_step", **common, "loss": loss, "elapsed_time": 0.9 * step, "prnt": False})
            if step in evaluated:
                lines.append({"event": "validation_step", **common, "loss": self.compute_loss(step),
                              "elapsed_time": 0.9 * step + 0.1})  # fmt: skip
        return [{**line, "timestamp": self.started_at + line.get("elapsed_time", 0.0)} for line in lines]


BASELINE = Shape()
LARGE_BATCH = Shape(final=1.067, batch_size=256)
SAME_COVERAGE = Shape(final=1.328)


def write_json(lines: Sequence[dict[str, Any]], end: str = "\n") -> bytes:
    """JSON lines."""
    return "".join(f"{json.dumps(line)}{end}" for line in lines).encode()


def write_console(lines: Sequence[dict[str, Any]]) -> bytes:
    """What the same program shows on a terminal, progress bars included."""
    text = []
    for line in lines:
        if line["event"] == "training_step":
            text.append(
                f"\rtraining: {line['step'] / line['max_steps']:4.0%}|####  | {line['step']}/{line['max_steps']}"
            )
        elif line["event"] == "validation_step":
            text.append(
                f"\r\x1b[K[{line['step']:>5}/{line['max_steps']}] validation_step: loss={line['loss']:.6f} "
                f"time={line['elapsed_time']:.2f}s\n"
            )
        else:
            fields = ", ".join(f"{key}={value}" for key, value in line.items() if key not in ("event", "timestamp"))
            text.append(f"{line['event']}: {fields}\n")
    return "".join(text).encode()
