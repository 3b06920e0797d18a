"""Several runs in one source, by one rule for logs, tables and event files: the last is judged, the others are named.

A run begins anew with a configuration after steps, with the header of a table written again, and with a step at or
before the run's first one after later ones. What goes back less far is a run that was resumed; see `ordering`.
"""

from harness.formats import format_number_of
from harness.sources.elapsed import drop_other_times
from harness.sources.lines import LostStep
from harness.sources.one_run import OneRun
from harness.sources.ordering import LINES, Places, differ, list_some, put_in_order
from harness.sources.source_log import SourceLog
from harness.store.journals import HEADERS, Event
from mainrun.record.errors import RequestError

NO_PLAN = "the number of planned steps is not given"
"""A note that begins so says that the last step of the source was taken for the last one there is."""
MAX_KEPT = 1_000_000
"""Evaluations of one run, or steps of one that goes over itself again; more would not fit into memory."""


class Runs:
    """Takes the events of one source in the order in which they stand there."""

    def __init__(self, name: str, holder: str = "file", places: Places = LINES) -> None:
        """`holder` is what notes call the source."""
        self._name, self._holder, self._places = name, holder, places
        self._run = OneRun(1)
        self._runs = [self._run]
        self._origin: dict[str, str] = {}
        self._origins: set[tuple[str, str]] = set()
        self.repeated_headers: list[str] = []

    def begin(self, line: int) -> None:
        """A new run, where there is something of the one before."""
        if self._run.has_begun or self._run.headers:
            self._go_on_with(OneRun(line))

    def enter(self, event: Event, line: int, epoch: float | None) -> None:
        """Adds an event to the run it belongs to, or begins a new one with it.

        `RequestError` where steps are counted anew in each epoch, and where there are more than can be kept.
        """
        kind = event["event"]
        event["line"] = line
        if kind in HEADERS:
            self._enter_header(event, line)
            return
        self._turn(kind, event["step"], line, event, epoch)
        run = self._run
        run.add(event)
        if run.copied is not None and run.is_no_copy(event):
            self._go_on_with(run.split())
        if len(run.steps) > MAX_KEPT:
            raise RequestError(
                f"{self._name}: a run of more than {MAX_KEPT:,} evaluations is not read. Keep every tenth of them."
            )

    def lose(self, lost: LostStep, line: int) -> None:
        """Takes a step whose loss cannot be used; unless it is final, what comes after it decides what that means."""
        lost.line = line
        self._turn(lost.kind, lost.step, line, None, lost.epoch)
        if lost.is_final:
            self._run.broken = self._run.broken or lost
        else:
            self._run.lost.setdefault(lost.kind, lost)

    def come_from(self, origin: str, line: int, kind: str = "") -> None:
        """What the next event, or those of its `kind`, say of the program they are from: another one begins a new run.

        `RequestError` where the first one comes again: the source holds several runs line by line.
        """
        before = self._origin.get(kind)
        if origin == before:
            return
        if (kind, origin) in self._origins:
            raise RequestError(
                f"{self._name}, line {line:,}: lines of several programs stand among each other: "
                f"{list_some(sorted({name for _, name in self._origins}))}. Give each its own file."
            )
        if before is not None:
            self.begin(line)
            self._origin = {}
        self._origins.add((kind, origin))
        self._origin[kind] = origin

    def see(self, step: int) -> None:
        """Takes a step at which nothing was measured."""
        self._run.last_seen = step

    def fall_silent(self) -> None:
        """The newest steps have no loss, where each of those before had one."""
        self._run.is_silent = True

    @property
    def first_line(self) -> int:
        """Where the run that is judged begins."""
        return (self._chosen or self._run).first_line

    @property
    def can_be_judged(self) -> bool:
        """Whether the run that is judged has a validation loss, or says that it has none any more."""
        run = self._chosen
        return run is not None and (
            any(event["event"] == "validation_step" for event in run.steps)
            or run.broken is not None
            or any(lost.is_no_number for lost in run.lost.values())
        )

    def describe(self) -> list[str]:
        """Notes on the runs that are not judged."""
        begun = [self._places.show(run.first_line) for run in self._runs if run.has_begun]
        idle = [self._places.show(run.first_line) for run in self._runs if run.headers and not run.has_begun]
        notes = []
        if len(begun) > 1:
            notes.append(
                f"the {self._holder} holds {len(begun)} runs, which begin at the {self._places.noun}s "
                f"{list_some(begun)}; the last one is judged"
            )
        if idle:
            left_out = f"{format_number_of(len(idle), self._places.noun)} ({list_some(idle)})"
            notes.append(f"a configuration without a step after it, left out: {left_out}")
        return notes

    def conclude(self, notes: list[str]) -> SourceLog:
        """The run that is judged, its steps in order, and how it ended; `notes` come first among its own."""
        run = self._chosen or self._run
        if run.stride > 1:
            run.keep_to_stride()
            notes.append(
                f"of its training steps every {run.stride:,}th is kept, with the first two and the last: "
                f"{run.num_thinned:,} are left out"
            )
        training, validation, planned, order_notes = put_in_order(run.steps, self._places, is_thinned=run.stride > 1)
        notes = [*notes, *order_notes]
        last = filled = max([events[-1]["step"] for events in (training, validation) if events], default=0)
        if planned is None:
            last = max(last, run.last_seen)
        for event in (*training, *validation):
            event["max_steps"] = planned or last
        # Both are in order, which sorting makes use of; of one step the training comes first, as it stands first here.
        steps = sorted([*training, *validation], key=lambda event: int(event["step"]))
        notes += drop_other_times(steps)
        events = [*sorted(run.headers.values(), key=lambda event: int(event["line"])), *steps]
        lost = run.broken or min(run.lost.values(), key=lambda lost: lost.line, default=None)
        if lost is not None:
            return SourceLog(events, notes, "failed", self._explain(lost, run.steps))
        if not validation:
            return SourceLog(events, notes, "stopped", "no validation loss of it can be used")
        if not training:
            notes.append("no training step is in it")
        if planned is None:
            notes.append(f"{NO_PLAN}; step {last:,}, the last one here, is taken for it")
        silent_after = filled if run.is_silent and filled < last else None
        reason = _find_stop(validation[-1], last, planned, silent_after)
        if reason is not None:
            return SourceLog(events, notes, "stopped", reason)
        if (at := validation[-1]["step"]) < last:
            notes.append(f"the last step, {last:,}, was not evaluated; the last evaluation, at step {at:,}, is judged")
        return SourceLog(events, notes, "imported", None)

    @property
    def _chosen(self) -> OneRun | None:
        """The last run that has a step."""
        return next((run for run in reversed(self._runs) if run.has_begun), None)

    def _go_on_with(self, following: OneRun) -> OneRun:
        """What follows is of another run, which is returned."""
        if self._run.has_begun:
            for before in self._runs[:-1]:
                before.steps = []  # only where it began is said of it
        self._run = following
        self._runs.append(following)
        return following

    def _enter_header(self, event: Event, line: int) -> None:
        kind = event["event"]
        if kind == "hyperparameters_configured" and self._is_another(event):
            self._go_on_with(OneRun(line))
        elif kind in self._run.headers and differ(self._run.headers[kind], event):
            self.repeated_headers.append(f"{kind} (line {line:,})")
        self._run.headers[kind] = event

    def _is_another(self, configuration: Event) -> bool:
        """Whether a configuration is a new run's: after a step, or after the data or the model of another one."""
        run = self._run
        before = run.headers.get("hyperparameters_configured")
        told = not run.headers.keys().isdisjoint(("dataset_info", "model_info"))
        return run.has_begun or (before is not None and told and differ(before, configuration))

    def _turn(self, kind: str, step: int, line: int, event: Event | None, epoch: float | None) -> None:
        """Begins a new run where a step at or before the first one comes after later ones and is no copy of it."""
        run = self._run
        first, last = run.first.get(kind), run.last_step.get(kind, -1)
        self._refuse_steps_of_epochs(run, kind, step, line, epoch)
        begun_at = next(iter(run.first.values()), {"step": 0})["step"]
        # Where the steps never rose, as in a table that shows the newest first, going back begins nothing.
        if first is not None and last > first["step"] and step <= max(1, begun_at) and step < last:
            if event is not None and not differ(first, event):
                run.watch_copy()
            else:
                run = self._go_on_with(OneRun(line))
        run.last_step[kind] = max(run.last_step.get(kind, -1), step)
        run.last_seen = 0
        if epoch is not None:
            run.last_epoch[kind] = step, epoch

    def _refuse_steps_of_epochs(self, run: OneRun, kind: str, step: int, line: int, epoch: float | None) -> None:
        before = run.last_epoch.get(kind)
        if before is not None and epoch is not None and step < before[0] and epoch > before[1]:
            raise RequestError(
                f"{self._name}, line {line:,}: the step goes back from {before[0]:,} to {step:,} where the epoch goes "
                f"from {before[1]:g} to {epoch:g}: steps are counted anew in each epoch. Give them a column or field "
                "'global_step' that goes on."
            )

    def _explain(self, lost: LostStep, steps: list[Event]) -> str:
        """Why a run is not judged that has a step without a loss."""
        where = f"at step {lost.step:,} ({self._places.name(lost.line)})"
        evaluations = [event for event in steps if event["event"] == "validation_step" and event["line"] < lost.line]
        finite = "no finite validation loss stands before it"
        if evaluations:
            at, loss = evaluations[-1]["step"], evaluations[-1]["loss"]
            finite = f"the last finite validation loss before it is {loss:.6g}, at step {at:,}"
        what = f"the loss of {lost.kind} is {lost.found} {where}"
        if lost.is_no_number:
            return f"it diverged: {what}; {finite}"
        return f"{what}, which is no loss{'' if lost.is_final else ', and none comes after it'}; {finite}"


def _find_stop(evaluation: Event, last: int, planned: int | None, silent_after: int | None) -> str | None:
    """Why a run is not judged of which this is the last evaluation: it ended, or fell silent, before it was trained."""
    at = evaluation["step"]
    where = f"its last evaluation is at step {at:,}, {evaluation['loss']:.6g}"
    if silent_after is not None:
        return f"no loss is given after step {silent_after:,}; {where}"
    if planned is not None and last < planned:
        return f"the log ends at step {last:,} of {planned:,}; {where}"
    return f"its last evaluation is at step {at}, where nothing is trained yet" if at <= 1 else None
