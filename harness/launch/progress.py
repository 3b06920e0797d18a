"""Live progress of runs: bars that are drawn anew on a terminal, a plain line an evaluation elsewhere.

On a terminal there is a bar for every run that goes on and one for the whole; a narrow one shows less. Where several
runs go on at once, each plain line names its run.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Mapping

from harness.formats import format_count, format_duration, format_loss
from harness.launch.bars import PLAIN_STYLE, Style, fit
from harness.launch.estimate import Speed, Work, estimate_run_s, measure_speed
from harness.store.journals import Event
from mainrun.record.inert import make_inert

Write = Callable[[str], None]
"""Takes text as it is to appear, line ends and, on a terminal, the control sequences of this module included."""
MAX_EVENTS = 60
"""Of a run's beginning, from which its speed is told before it has shown it over a longer time."""
BAR_SHARE = 4
"""A bar takes so many-th of the terminal's width."""
MIN_NAME = 8
"""Letters of a name; with less room it is left out."""
UP, CLEAR = "\x1b[1A", "\x1b[J"


class ProgressDisplay:
    """What is shown of all runs."""

    def __init__(
        self, write: Write, style: Style = PLAIN_STYLE, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._style, self._clock = write, style, clock
        self._going_on: list[RunProgress] = []
        self._num_lines = 0
        self._expected: dict[str, Work | None] = {}
        self._num_at_once = 1
        self._ended: set[str] = set()
        self._speed: Speed | None = None
        self._is_foretold = False
        self._began: float | None = None
        self._done_before = 0.0

    def expect(self, works: Mapping[str, Work | None], num_at_once: int = 1) -> None:
        """Says which runs there will be, by name, so that the whole can be shown; None where one's work is unknown.

        `num_at_once` of them go on at the same time.
        """
        self._expected, self._num_at_once = dict(works), max(1, min(num_at_once, len(works)))

    def begin(self, name: str, place: str, tokens_per_step: int = 0) -> "RunProgress":
        """Begins to show a run; `place` says which of how many."""
        self.say(f"{place} {name}")
        progress = RunProgress(self, name, tokens_per_step)
        self._going_on.append(progress)
        return progress

    def note(self, name: str, message: str) -> None:
        """Says something about a run."""
        self.say(f"  {name}: {message}")

    def end(self, run: "RunProgress") -> None:
        """Shows a run no longer."""
        self._going_on.remove(run)
        self._ended.add(run.name)

    def show_evaluation(self, run: "RunProgress") -> None:
        """Shows where a run is that has made an evaluation: one plain line each."""
        if not self._style.is_terminal:
            self.say(f"  {run.name}{run.describe()}" if len(self._going_on) > 1 else run.describe())

    def show_step(self, run: "RunProgress") -> None:
        """Shows where the runs are, one of which has made a step."""
        if self._began is None:
            self._began, self._done_before = self._clock(), self._compute_done()
        self._foretell(run)
        if self._style.is_terminal:
            width = shutil.get_terminal_size().columns - 1
            shown = [other for other in self._going_on if other.has_begun]
            lines = [line for run in shown for line in self._draw_run(run, width, is_alone=len(shown) == 1)]
            if len(self._expected) > 1:
                num_done = len(self._ended & self._expected.keys())
                parts = [f"{num_done} of {len(self._expected)} runs", *self._find_time_left()]
                lines.append(self._draw(self._compute_share(), "all", parts, width))
            self._erase()
            self._write("\n".join(lines))
            self._num_lines = len(lines)

    def _draw_run(self, run: "RunProgress", width: int, *, is_alone: bool) -> list[str]:
        """The bar of a run; of one that goes on alone a second line says the rest."""
        parts, left = run.find_parts()
        if not is_alone:
            return [self._draw(run.share, run.name, [*parts, left], width)]
        return [self._draw(run.share, run.name, [left], width), fit(["", *parts], width)]

    def _draw(self, share: float, name: str, parts: list[str], width: int) -> str:
        """A bar with as many of the parts as there is room for, of which the last, the time left, matters most."""
        bar_width = max(6, width // BAR_SHARE)
        percent = f" {100 * share:3.0f} %  "
        room = width - bar_width - len(percent)
        time_left = parts[-1][:room]
        others = fit(parts[:-1], room - len(time_left) - 2)
        said = "  ".join(filter(None, [others, time_left]))
        name, room = make_inert(name), room - len(said) - 2
        if len(name) > room:
            name = f"{name[: room - 1]}…" if room >= MIN_NAME else ""
        return self._style.draw_bar(share, bar_width) + percent + "  ".join(filter(None, [name, said]))

    def _foretell(self, run: "RunProgress") -> None:
        """Says once how long all will take, from the first steps."""
        work = self._expected.get(run.name)
        if self._is_foretold or work is None or None in self._expected.values():
            return
        self._speed = measure_speed(work, run.beginning)
        if self._speed is None:
            return
        self._is_foretold = True
        total = sum(estimate_run_s(work, self._speed) for name, work in self._expected.items() if work)
        what = f"all {len(self._expected)} runs" if len(self._expected) > 1 else "the run"
        self.say(f"  about {format_duration(total / self._num_at_once)} for {what}, by the first steps of {run.name}")

    def _weigh(self, name: str) -> float:
        """How much of the whole a run is."""
        known = [work.training_flops for work in self._expected.values() if work]
        typical = sum(known) / len(known) if known else 1.0
        work = self._expected.get(name)
        return work.training_flops if work else typical

    def _compute_done(self) -> float:
        shares = {run.name: run.share for run in self._going_on} | dict.fromkeys(self._ended, 1.0)
        return sum(self._weigh(name) * shares.get(name, 0.0) for name in self._expected)

    def _compute_share(self) -> float:
        return self._compute_done() / sum(map(self._weigh, self._expected))

    def _find_time_left(self) -> list[str]:
        """Of the whole, as fast as it went since the first step that was seen."""
        done = self._compute_done() - self._done_before
        elapsed = self._clock() - (self._began or 0.0)
        if done <= 0 or elapsed <= 0:
            return []
        left = sum(map(self._weigh, self._expected)) - self._done_before - done
        return [f"{format_duration(elapsed * left / done)} left"]

    def _erase(self) -> None:
        if self._num_lines:
            self._write(f"\r{UP * (self._num_lines - 1)}{CLEAR}")
            self._num_lines = 0

    def say(self, line: str) -> None:
        """Shows a line above what is shown."""
        self._erase()
        self._write(f"{make_inert(line)}\n")


class RunProgress:
    """What is shown of one run."""

    def __init__(self, display: ProgressDisplay, name: str, tokens_per_step: int) -> None:
        self.name = name
        self.beginning: list[Event] = []
        """Its first events."""
        self._display, self._tokens_per_step = display, tokens_per_step
        self._losses: dict[str, tuple[int, float]] = {}
        self._first: Event | None = None
        self._latest: Event | None = None

    @property
    def has_begun(self) -> bool:
        return self._latest is not None

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        if self._latest is None:
            return 0.0
        step = self._latest["step"]
        return float(step / (self._latest["max_steps"] or step or 1))  # other programs may begin at 0

    def show(self, events: Iterable[Event]) -> None:
        """Shows the newest state after some more of the journal."""
        shown = self._latest
        for event in events:
            if len(self.beginning) < MAX_EVENTS:
                self.beginning.append(event)
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

    def describe(self) -> str:
        """How far the run is, with its losses, its speed and the time that is left."""
        parts, left = self.find_parts()
        return "  ".join(["", *parts, *filter(None, [left])])

    def find_parts(self) -> tuple[list[str], str]:
        """The same in parts, and the time that is left; '' where that is not known."""
        assert self._latest is not None and self._first is not None
        event, first, left = self._latest, self._first, ""
        step, max_steps = event["step"], event["max_steps"] or event["step"]
        parts = [f"step {step:>{len(str(max_steps))}}/{max_steps}"]
        for name, (measured_at, loss) in self._losses.items():
            parts.append(f"{name} {format_loss(loss)}{'' if measured_at == step else f' at {measured_at}'}")
        num_steps = step - first["step"]
        if num_steps > 0 and None not in (event["elapsed_time"], first["elapsed_time"]):
            train_s = (event["train_elapsed_s"] or 0.0) - (first["train_elapsed_s"] or 0.0)
            if train_s > 0:
                parts.append(f"{format_count(num_steps * self._tokens_per_step / train_s)} tokens/s")
            wall_s = event["elapsed_time"] - first["elapsed_time"]
            left = f"{format_duration(wall_s / num_steps * (max_steps - step))} left"
        return parts, left
