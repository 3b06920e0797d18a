"""Live progress of runs: one line that is rewritten on a terminal, a plain line an evaluation elsewhere."""

import shutil
from collections.abc import Callable, Iterable

from harness.formats import format_count, format_duration, format_loss
from harness.store.journals import Event

Write = Callable[[str], None]
"""Takes text as it is to appear, line ends included."""


class ProgressDisplay:
    """What is shown of all runs."""

    def __init__(self, write: Write, *, is_terminal: bool) -> None:
        self.write = write
        self.is_terminal = is_terminal

    def begin(self, name: str, place: str, tokens_per_step: int = 0) -> "RunProgress":
        """Begins to show a run; `place` says which of how many."""
        self.write(f"{place} {name}\n")
        return RunProgress(self, name, tokens_per_step)

    def note(self, name: str, message: str) -> None:
        """Says something about a run."""
        self.write(f"  {name}: {message}\n")


class RunProgress:
    """What is shown of one run."""

    def __init__(self, display: ProgressDisplay, name: str, tokens_per_step: int) -> None:
        self._display, self._name, self._tokens_per_step = display, name, tokens_per_step
        self._losses: dict[str, tuple[int, float]] = {}
        self._first: Event | None = None
        self._latest: Event | None = None

    def show(self, events: Iterable[Event]) -> None:
        """Shows the newest state after some more of the journal."""
        shown = self._latest
        for event in events:
            match event["event"]:
                case "training_step":
                    self._first = self._first or event
                    self._latest = event
                case "validation_step":
                    for name, key in (("frozen", "loss"), ("full", "full_loss_nats_per_char")):
                        if event.get(key) is not None:
                            self._losses[name] = event["step"], event[key]
                    if self._latest and not self._display.is_terminal:
                        self._display.write(f"{self._describe(self._latest)}\n")
        if self._display.is_terminal and self._latest and self._latest is not shown:
            width = shutil.get_terminal_size().columns - 1
            self._display.write(f"\r{self._describe(self._latest)[:width]:<{width}}")

    def finish(self, message: str) -> None:
        """Ends a run with how it went."""
        if self._display.is_terminal and self._first:
            self._display.write("\n")
        self._display.note(self._name, message)

    def _describe(self, event: Event) -> str:
        step, max_steps = event["step"], event["max_steps"] or event["step"]
        text = f"  step {step:>{len(str(max_steps))}}/{max_steps}"
        for name, (measured_at, loss) in self._losses.items():
            text += f"  {name} {format_loss(loss)}{'' if measured_at == step else f' at {measured_at}'}"
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
