"""What `compare --from` was given: logs, tables, event files, runs, whole comparisons; and what arms are called."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.plan.plan import FILE_NAME as PLAN_NAME
from harness.plan.plan import load_plan
from harness.sources.log import ForeignLog, read_log
from harness.sources.scalars import LossUnit, is_json_table, read_event_files, read_table
from harness.store.facts import read_facts
from harness.store.runs import get_run_folder, load_run
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import JOURNAL_NAME

Kind = Literal["log", "csv", "tensorboard", "run"]
STORED_NAMES = {"log": "source.log", "csv": "source.csv", "tensorboard": "source"}
"""Under which name the bytes of a source are kept in its run's folder; event files are a folder."""
EVENT_FILES = "events.out.tfevents.*"
DEFAULT_SEED = 1337
MAX_NAME = 60
MAX_LINE = 100_000
"""A first line of more bytes is no table's."""


@dataclass(frozen=True)
class Source:
    """One thing to be judged: one run."""

    kind: Kind
    path: Path
    """A file; of event files and of our own runs the folder."""
    name: str
    """As it is shown: no folder of the machine, and nothing that cannot be printed."""
    arm: str
    """The wish for an arm's name: the file's own, or that of our own run."""
    loss_unit: LossUnit | None = None


def find_sources(paths: Sequence[Path], loss_unit: LossUnit | None) -> list[Source]:
    """The runs that paths lead to, in order; a comparison gives all of its runs. `RequestError` for anything else."""
    return [source for path in paths for source in _find(path, loss_unit)]


def _find(path: Path, loss_unit: LossUnit | None) -> Iterator[Source]:
    name = make_printable(path.resolve().name)
    if not path.exists():
        raise RequestError(f"--from: there is no {path}.")
    if path.is_file():
        if path.match(EVENT_FILES):
            raise RequestError(f"--from: {path} is one event file; give the folder it is in.")
        yield Source("csv" if _is_table(path) else "log", path, name, make_arm_name(path.stem), loss_unit)
    elif (path / PLAN_NAME).exists():
        for run in load_plan(path).runs:
            folder = get_run_folder(path, run)
            if not (folder / RECORD_NAME).exists():
                raise StoredResultsError(f"{folder} holds no run: {run.folder_name} of {path} never started.")
            yield from _find(folder, loss_unit)
    elif (path / RECORD_NAME).exists():
        yield _find_run(path, name)
    elif any(path.glob(EVENT_FILES)):
        yield Source("tensorboard", path, name, make_arm_name(name), loss_unit)
    else:
        logs = sorted(path.glob("*.log"))
        if len(logs) != 1:
            raise RequestError(
                f"--from: {path} holds no comparison, no run, no event files and not one single .log file. "
                "Name the file."
            )
        yield Source("log", logs[0], make_printable(logs[0].name), make_arm_name(name), loss_unit)


def _is_table(path: Path) -> bool:
    if path.suffix.lower() == ".csv":
        return True
    try:
        with path.open("rb") as file:
            return is_json_table(file.readline(MAX_LINE))
    except OSError as error:
        raise RequestError(f"--from: {path} cannot be read: {error.strerror}.") from None


def _find_run(path: Path, name: str) -> Source:
    """A run folder of ours; one that was itself imported gives the source it keeps."""
    run = load_run(path)
    if not run.is_read:
        return Source("run", path, name, run.arm)
    record = run.record["source"]
    return Source(record["kind"], path / STORED_NAMES[record["kind"]], record["name"], run.arm, record["loss_unit"])


def read_source(kind: str, path: Path, name: str, loss_unit: LossUnit | None) -> ForeignLog:
    """Reads a foreign source; the same bytes always give the same events and notes.

    Raises `RequestError` with file and line where nothing in it can be judged, or the file cannot be read.
    """
    try:
        if kind == "tensorboard":
            log = read_event_files(path, name, loss_unit)
        else:
            content = path.read_bytes()
            log = read_table(content, name, loss_unit) if kind == "csv" else read_log(content, name)
    except OSError as error:
        raise RequestError(f"{name} cannot be read: {error.strerror}.") from None
    facts = read_facts(log.events)
    notes = [*log.notes, *facts.notes]
    if facts.seed is None:
        notes.append(f"its seed is not given; it is filed under {DEFAULT_SEED}, which is not a finding")
    return ForeignLog(log.events, notes, log.status, log.reason)


def list_files(kind: str, path: Path) -> list[Path]:
    """The files whose bytes a source is, in order."""
    if kind == "tensorboard":
        return sorted(path.glob(EVENT_FILES))
    if kind == "run":
        names = (JOURNAL_NAME, "tokenizer.json", "title_losses.parquet")
        return [path / name for name in (RECORD_NAME, *names) if (path / name).exists()]
    return [path]


def name_arms(wishes: Sequence[str]) -> list[str]:
    """A name for every wish, unlike all before it: `mainrun`, `mainrun-2`."""
    names: list[str] = []
    for wish in wishes:
        number, name = 1, wish
        while name in names:
            number += 1
            name = f"{wish}-{number}"
        names.append(name)
    return names


def make_arm_name(text: str) -> str:
    """A name that is safe as a folder's and on a command line: letters, digits, `.`, `_` and `-`."""
    plain = unicodedata.normalize("NFKC", make_printable(text))
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._-")
    return safe[:MAX_NAME] or "log"


def make_printable(text: str) -> str:
    """Without surrogates, control and direction-changing characters, each shown as U+FFFD."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c for c in text)
