"""A folder of TensorBoard event files of one run, or one such file, in our journal's words.

One run's are the files of a folder, and of the folders in it that writers make for its parts.
"""

import re
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.sources.columns import TRAINING, VALIDATION, Columns, choose_columns, fold_name, list_names
from harness.sources.lines import read_time
from harness.sources.ordering import Places
from harness.sources.runs import Runs
from harness.sources.source_log import Importer, LossUnit, SourceLog
from harness.sources.steps import enter_step, is_odd, make_lost, make_training_step, make_validation_step
from harness.sources.text import open_regular
from harness.store.facts import MAX_STEPS
from harness.store.journals import Event
from harness.store.tensorboard import Scalar, load_scalars
from mainrun.record.errors import RequestError

SPLITS = ("train", "training", "val", "valid", "validation", "eval", "evaluation", "test")
"""Folders of one run's parts, as Keras makes them."""
_FILE = re.compile(r"events\.out\.tfevents\.(\d+)(\..*)?")
_COPY = re.compile(r".*(\.(bak|old|orig|copy|tmp|swp|gz|zip)|~)", re.IGNORECASE)
MAX_DEPTH = 4
HEAD_BYTES = 24
FIRST_RECORD_BYTES = 256
"""A record that says a version is not longer."""


@dataclass(frozen=True)
class EventFile:
    """One event file of a source."""

    path: Path
    folder: str
    """Below the source's own; empty for a file in it."""
    stored_name: str
    """Below the stored source: without the machine's name, which writers put into a file's."""
    label: str
    """As notes and messages call it."""


def read_event_files(path: Path, name: str, unit: LossUnit | None) -> SourceLog:
    """Reads the scalars of event files; `RequestError` where none is a validation loss, or a record is damaged."""
    notes = ["TensorBoard keeps values in single precision: about seven digits"]
    points: list[tuple[str, Scalar]] = []
    files = list_event_files(path)
    begins: list[int] = []
    for file in files:
        scalars, file_notes = load_scalars(file.path, f"{name}, {file.label}")
        begins.append(len(points) + 1)
        notes += file_notes
        points += [(_name_series(file.folder, scalar.tag), scalar) for scalar in scalars]
    odd = next((scalar for _, scalar in points if not 0 <= scalar.step <= MAX_STEPS), None)
    if odd is not None:
        raise RequestError(f"{name} has the step {odd.step} under {odd.tag!r}, which is no count of steps.")
    names = list(dict.fromkeys(series for series, _ in points))
    try:
        columns = choose_columns(names, unit, name)
    except RequestError as error:
        raise RequestError(f"{error}{_advise_folders(names)}") from None

    def place(line: int) -> str:
        number = bisect_right(begins, line) - 1
        return f"{line - begins[number] + 1:,} of {files[number].label}"

    runs = Runs(name, "folder", Places("value", place))
    _enter_values(points, columns, runs)
    return runs.conclude([*notes, *columns.notes, *runs.describe()])


def list_event_files(path: Path) -> list[EventFile]:
    """The event files of a source in the order in which they were begun; links and copies are left out."""
    found = [(path, "")] if path.is_file() else _walk(path, "", 0)
    found.sort(key=lambda entry: (_read_time(entry[0]), entry[1], entry[0].name))
    files = []
    for number, (file, folder) in enumerate(found, 1):
        name = f"{folder}/events.out.tfevents.{_read_time(file)}".lstrip("/")
        label = f"{name} (file {number} of {len(found)})" if len(found) > 1 else name
        files.append(EventFile(file, folder, f"{name}.{number:04}", label))
    return files


def claims_event_files(path: Path) -> bool:
    """Whether a folder is that of one run's event files, or a file is one by its first record."""
    if path.is_file():
        return _is_event_file(path) or _is_named_so(path)
    parts = [folder for folder in path.iterdir() if folder.name.lower() in SPLITS and not folder.is_symlink()]
    return any(map(_is_named_so, path.iterdir())) or any(_walk(part, "", 1) for part in parts if part.is_dir())


IMPORTER = Importer("tensorboard", "the event files", "source", claims_event_files, read_event_files)


def _enter_values(points: Sequence[tuple[str, Scalar]], columns: Columns, runs: Runs) -> None:
    """Enters the values by the names of their series; those of one step are written one by one."""
    full, rate = _Companion("full_loss_nats_per_char"), _Companion("learning_rate")
    for line, (series, scalar) in enumerate(points, 1):
        step, time = scalar.step, read_time(scalar.wall_time)
        if series == columns.validation:
            event = make_validation_step(step, scalar.value, None, columns.unit, time)
            enter_step(runs, event, line)
            full.join(event)
        elif series == columns.training:
            event = make_training_step(step, scalar.value, None, time)
            enter_step(runs, event, line)
            rate.join(event)
        elif series == columns.full:
            if is_odd(scalar.value):
                runs.lose(make_lost("validation_step", step, scalar.value), line)
            full.add(step, scalar.value)
        elif series == columns.rate:
            rate.add(step, scalar.value)


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


def _advise_folders(names: Sequence[str]) -> str:
    """Which folders in a source hold runs of their own, in a sentence behind a message; empty without one."""
    measured = [
        (folder, fold_name(series.removeprefix(f"{folder}/"))) for series in names for folder in _list_above(series)
    ]
    inner = sorted({folder for folder, series in measured if folder.lower() not in SPLITS and series in VALIDATION})
    return f" Its folders {list_names(inner)} have one: give each by its own path." if inner else ""


def _list_above(series: str) -> list[str]:
    """The folders, from the outermost on, that the beginning of a series' name may stand for."""
    parts = series.split("/")
    return ["/".join(parts[:number]) for number in range(1, len(parts))]


def _walk(folder: Path, below: str, depth: int) -> list[tuple[Path, str]]:
    found = [(file, below) for file in folder.iterdir() if _is_named_so(file)]
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink() and depth < MAX_DEPTH:
            name = re.sub(r"[^\w ._-]+", "_", inner.name).strip(". ") or "_"
            found += _walk(inner, f"{below}/{name}".lstrip("/"), depth + 1)
    return found


def _is_named_so(file: Path) -> bool:
    named = _FILE.fullmatch(file.name) is not None and _COPY.fullmatch(file.name) is None
    return named and file.is_file() and not file.is_symlink()


def _read_time(file: Path) -> int:
    """When a file was begun, as its name says."""
    match = _FILE.fullmatch(file.name)
    return int(match[1]) if match else 0


def _is_event_file(path: Path) -> bool:
    """Whether a file begins with the record that says the version of event files."""
    with open_regular(path) as file:
        head = file.read(FIRST_RECORD_BYTES)
    if len(head) < HEAD_BYTES:
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return 0 < length < FIRST_RECORD_BYTES and b"brain.Event:" in head
