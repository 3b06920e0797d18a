"""Real trainings small enough for tests: about 220 steps of a one-layer model on 300 synthetic titles."""

import json
from pathlib import Path
from typing import Any

from mainrun.data.synthetic import generate_headlines
from mainrun.train import main

SETTINGS = {"num_titles": "300", "vocab_size": "300", "n_layer": "1", "n_head": "2", "d_model": "16",
            "block_size": "16", "batch_size": "16"}  # fmt: skip
NUM_TITLES = 300


def save_titles(folder: Path) -> Path:
    """A text file with one title a line."""
    path = folder / "titles.txt"
    path.write_text("".join(f"{title}\n" for title in generate_headlines(NUM_TITLES)))
    return path


def build_arguments(titles: Path, out: Path, *more: str, recipe: str = "optimized", **settings: str) -> list[str]:
    given = [f"--set={key}={value}" for key, value in (SETTINGS | settings).items()]
    return ["--recipe", recipe, "--data", str(titles), "--device", "cpu", "--out", str(out), *given, *more]


def train_tiny(titles: Path, out: Path, *more: str, recipe: str = "optimized", **settings: str) -> int:
    """The exit code of one training in this process."""
    return main(build_arguments(titles, out, *more, recipe=recipe, **settings))


def load_record(out: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((out / "run.json").read_text())
    return record


def load_events(out: Path, name: str = "") -> list[dict[str, Any]]:
    events = [json.loads(line) for line in (out / "mainrun.log").read_text().splitlines()]
    return [event for event in events if name in ("", event["event"])]


def list_losses(out: Path) -> list[tuple[Any, ...]]:
    """Everything measured that does not tell the time, in the order of the journal."""
    keys = ("event", "step", "loss", "learning_rate", "grad_norm", "span_loss_nats", "full_loss_nats_per_char")
    return [tuple(event.get(key) for key in keys) for event in load_events(out) if event["event"].endswith("_step")]


def read_all(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
