"""A folder of TensorBoard event files of one run, or one such file, in our journal's words."""

from pathlib import Path

from harness.formats import quote
from harness.sources.columns import TRAINING, VALIDATION, Columns, choose_columns
from harness.sources.curves import enter_step, is_odd, make_training_step, make_validation_step
from harness.sources.event_folder import SPLITS, EventFile, claims_event_files, list_event_files
from harness.sources.lines import LostStep, read_time
from harness.sources.ordering import Places
from harness.sources.runs import Runs
from harness.sources.source_log import Importer, LossUnit, SourceLog
from harness.store.facts import MAX_STEPS
from harness.store.journals import Event
from harness.store.tensorboard import Scalar, load_scalars
from mainrun.record.errors import RequestError


def read_event_files(path: Path, name: str, unit: LossUnit | None) -> SourceLog:
    """Reads the scalars of event files; `RequestError` where none is a validation loss, or a record is damaged."""
    notes = ["TensorBoard keeps values in single precision: about seven digits"]
    points: list[tuple[str, Scalar]] = []
    begins: list[tuple[int, EventFile]] = []
    for file in list_event_files(path):
        scalars, file_notes = load_scalars(file.path, f"{name}, {file.label}")
        begins.append((len(points) + 1, file))
        notes += file_notes
        points += [(_name_series(file.folder, scalar.tag), scalar) for scalar in scalars]
    odd = next((scalar for _, scalar in points if not 0 <= scalar.step <= MAX_STEPS), None)
    if odd is not None:
        raise RequestError(f"{name} has the step {odd.step} under {odd.tag!r}, which is no count of steps.")
    columns = choose_columns(list(dict.fromkeys(series for series, _ in points)), unit, name)

    def place(line: int) -> str:
        begin, file = max((entry for entry in begins if entry[0] <= line), key=lambda entry: entry[0])
        return f"{line - begin + 1:,} of {file.label}"

    runs = Runs(name, "folder", Places("value", place))
    reading = _Reading(runs, columns)
    for line, (series, scalar) in enumerate(points, 1):
        reading.take(series, scalar, line)
    return runs.conclude([*notes, *columns.notes, *runs.describe()])


IMPORTER = Importer("tensorboard", "the event files", "source", claims_event_files, read_event_files)


class _Reading:
    """The values of event files on their way into runs; those of one step are written one by one."""

    def __init__(self, runs: Runs, columns: Columns) -> None:
        self._runs, self._columns = runs, columns
        self._full = _Companion("full_loss_nats_per_char")
        self._rate = _Companion("learning_rate")

    def take(self, series: str, scalar: Scalar, line: int) -> None:
        step, time = scalar.step, read_time(scalar.wall_time)
        if series == self._columns.validation:
            event = make_validation_step(step, scalar.value, None, self._columns.unit, time)
            enter_step(self._runs, event, line)
            self._full.join(event)
        elif series == self._columns.training:
            event = make_training_step(step, scalar.value, None, time)
            enter_step(self._runs, event, line)
            self._rate.join(event)
        elif series == self._columns.full:
            if is_odd(scalar.value):
                self._runs.lose(LostStep("validation_step", step, quote(scalar.value), True, is_final=True), line)
            self._full.add(step, scalar.value)
        elif series == self._columns.rate:
            self._rate.add(step, scalar.value)


class _Companion:
    """A value that is written beside a loss of the same step, before it or after it."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._events: dict[int, Event] = {}
        self._values: dict[int, float] = {}
        self._last_event = self._last_value = -1

    def join(self, event: Event) -> None:
        step = event["step"]
        if step <= self._last_event:  # the run has begun anew, or goes back
            self._events = {}
        self._last_event = step
        self._events[step] = event
        event[self._field] = self._values.pop(step, None)

    def add(self, step: int, value: float) -> None:
        if step <= self._last_value:
            self._values = {}
        self._last_value = step
        event = self._events.get(step)
        if event is None:
            self._values[step] = value
        elif event[self._field] is None:
            event[self._field] = value


def _name_series(folder: str, tag: str) -> str:
    """The name of a tag with the folder below the source's, as writers use folders for train and validation.

    `add_scalars("loss", {"val": …})` of PyTorch makes a folder `loss_val` with the tag `loss`.
    """
    last = folder.rsplit("/", 1)[-1]
    before = f"{tag.replace('/', '_')}_"
    if folder and last.startswith(before):
        return f"{last.removeprefix(before)}/{tag}"
    says_it_itself = tag.lower() in (*VALIDATION, *TRAINING) and last.lower() in SPLITS
    return tag if not folder or says_it_itself else f"{folder}/{tag}"
