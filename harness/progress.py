"""Live progress of runs: one line that is rewritten on a terminal, a plain line an evaluation elsewhere."""

import shutil
from collections.abc import Callable, Iterable

from harness.formats import format_count, format_duration, format_loss
from harness.journals import Event
from harness.plan import PlannedRun

Write = Callable[[str], None]
"""Takes text as it is to appear, line ends included."""


class ProgressDisplay:
    """Follows one run after the other."""

    def __init__(self, write: Write, *, is_terminal: bool) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._name = ""
        self._tokens_per_step = 0
        self._frozen: float | None = None
        self._full: float | None = None
        self._first: Event | None = None
        self._latest: Event | None = None

    def start(self, run: PlannedRun, place: str, tokens_per_step: int) -> None:
        """Begins a run; `place` says which of how many."""
        self._name, self._tokens_per_step = run.folder_name, tokens_per_step
        self._frozen = self._full = self._first = self._latest = None
        self._write(f"{place} {run.folder_name}\n")

    def show(self, events: Iterable[Event]) -> None:
        """Shows the newest state after some more of the journal."""
        shown = self._latest
        for event in events:
            match event["event"]:
                case "training_step":
                    self._first = self._first or event
                    self._latest = event
                case "validation_step":
                    self._frozen = event["loss"]
                    self._full = event.get("full_loss_nats_per_char") or self._full
                    if self._latest and not self._is_terminal:
                        self._write(f"{self._describe(self._latest)}\n")
        if self._is_terminal and self._latest and self._latest is not shown:
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r{self._describe(self._latest)[:width]:<{width}}")

    def finish(self, message: str) -> None:
        """Ends a run with how it went."""
        if self._is_terminal and self._first:
            self._write("\n")
        self._write(f"  {self._name}: {message}\n")

    def _describe(self, event: Event) -> str:
        step, max_steps = event["step"], event["max_steps"] or event["step"]
        text = f"  step {step:>{len(str(max_steps))}}/{max_steps}  frozen {format_loss(self._frozen)}"
        if self._full is not None:
            text += f"  full {format_loss(self._full)}"
        if self._first and step > self._first["step"]:
            num_steps = step - self._first["step"]
            if None in (event["elapsed_time"], self._first["elapsed_time"]):
                return text
            train_s = (event["train_elapsed_s"] or 0.0) - (self._first["train_elapsed_s"] or 0.0)
            wall_s = event["elapsed_time"] - self._first["elapsed_time"]
            if train_s > 0:
                text += f"  {format_count(num_steps * self._tokens_per_step / train_s)} tokens/s"
            text += f"  {format_duration(wall_s / num_steps * (max_steps - step))} left"
        return text
