"""Live progress of runs: one line that is rewritten on a terminal, a plain line an evaluation elsewhere.

Where several runs go on at once, the line on the terminal is of all of them, and each plain line names its run.
"""

import shutil
from collections.abc import Callable, Iterable

from harness.formats import format_count, format_duration, format_loss
from harness.store.journals import Event

Write = Callable[[str], None]
"""Takes text as it is to appear, line ends included."""


class ProgressDisplay:
    """What is shown of all runs."""

    def __init__(self, write: Write, *, is_terminal: bool) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._going_on: list[RunProgress] = []
        self._is_line_open = False

    def begin(self, name: str, place: str, tokens_per_step: int = 0) -> "RunProgress":
        """Begins to show a run; `place` says which of how many."""
        self.say(f"{place} {name}")
        progress = RunProgress(self, name, tokens_per_step)
        self._going_on.append(progress)
        return progress

    def say(self, line: str) -> None:
        """Shows a line below what is shown."""
        if self._is_line_open:
            self._write("\n")
            self._is_line_open = False
        self._write(f"{line}\n")

    def note(self, name: str, message: str) -> None:
        """Says something about a run."""
        self.say(f"  {name}: {message}")

    def end(self, run: "RunProgress") -> None:
        """Shows a run no longer."""
        self._going_on.remove(run)

    def show_evaluation(self, run: "RunProgress") -> None:
        """Shows where a run is that has made an evaluation: one plain line each."""
        if not self._is_terminal:
            self.say(f"  {run.name}{run.describe()}" if len(self._going_on) > 1 else run.describe())

    def show_step(self, run: "RunProgress") -> None:
        """Shows where a run is that has made a step: the terminal's line is of all that go on."""
        if self._is_terminal:
            shown = [other.describe_shortly() for other in self._going_on if other.has_begun]
            text = run.describe() if len(shown) == 1 else f"  {'  '.join(shown)}"
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r{text[:width]:<{width}}")
            self._is_line_open = True


class RunProgress:
    """What is shown of one run."""

    def __init__(self, display: ProgressDisplay, name: str, tokens_per_step: int) -> None:
        self.name = name
        self._display, self._tokens_per_step = display, tokens_per_step
        self._losses: dict[str, tuple[int, float]] = {}
        self._first: Event | None = None
        self._latest: Event | None = None

    @property
    def has_begun(self) -> bool:
        return self._latest is not None

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
                    if self._latest:
                        self._display.show_evaluation(self)
        if self._latest and self._latest is not shown:
            self._display.show_step(self)

    def note(self, message: str) -> None:
        """Says something about the run, which goes on."""
        self._display.note(self.name, message)

    def finish(self, message: str) -> None:
        """Ends a run with how it went."""
        self._display.end(self)
        self.note(message)

    def describe_shortly(self) -> str:
        """How far the run is, in a few words."""
        assert self._latest is not None
        step, max_steps = self._latest["step"], self._latest["max_steps"] or self._latest["step"]
        losses = [format_loss(loss) for _, loss in list(self._losses.values())[:1]]
        return " ".join([self.name, f"{step}/{max_steps}", *losses])

    def describe(self) -> str:
        """How far the run is, with its losses, its speed and the time that is left."""
        assert self._latest is not None
        event = self._latest
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
