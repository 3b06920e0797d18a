"""What `compare --from` was given: logs, tables, event files, runs, whole comparisons, and folders of all these."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.plan.plan import FILE_NAME as PLAN_NAME
from harness.plan.plan import load_plan
from harness.sources.event_files import list_event_files
from harness.sources.given import NOTHING_GIVEN, Given
from harness.sources.names import Wish, make_arm_name, split_name
from harness.sources.registry import IMPORTERS, claim, find_importer
from harness.sources.source_log import LossUnit, SourceLog
from harness.sources.text import is_damaged
from harness.store.facts import read_facts
from harness.store.locks import describe_excess
from harness.store.records import OWN_KIND
from harness.store.runs import check_run_hashes, get_run_folder, load_run
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.inert import make_inert
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import JOURNAL_NAME, TITLE_LOSSES_NAME, TOKENIZER_NAME
from mainrun.rules import SEED

STORED_NAMES = {kind: importer.stored_name for kind, importer in IMPORTERS.items()}
"""Under which name the bytes of a source are kept in its run's folder; event files are a folder."""
EVENT_KIND = "tensorboard"
LOG_SUFFIXES = (".log", ".log.gz", ".log.bz2", ".log.xz")
MAX_DEPTH = 8
MAX_SOURCES = 1_000


@dataclass(frozen=True)
class Stored:
    """Which run of a comparison a source was, or is."""

    runs: Path
    """The folder of all runs of the comparison."""
    arm: str
    seed: int
    """That it was filed under there."""


@dataclass(frozen=True)
class Source:
    """One thing to be judged: one run."""

    kind: str
    """An importer's, or `run` for one of our own."""
    path: Path
    """A file; of event files and of our own runs the folder."""
    name: str
    """As it is shown: no folder of the machine, and nothing that cannot be printed."""
    arm: Wish
    """What its arm would be called."""
    loss_unit: LossUnit | None = None
    given: Given = NOTHING_GIVEN
    """As given now or, of a run that was taken in before, then."""
    stored: Stored | None = None
    """None of what is no run of a comparison."""
    record: Mapping[str, Any] | None = None
    """Of a log that was taken in before, or is a command's: the record of its run."""


def find_sources(texts: Sequence[str], loss_unit: LossUnit | None, given: Given = NOTHING_GIVEN) -> list[Source]:
    """The runs that `PATH` or `NAME=PATH` lead to, in order; a comparison gives all of its runs.

    Raises `RequestError` where nothing is there, and where a name is given to several runs; `StoredResultsError` where
    a log that was taken in before, or its journal, was changed after it.
    """
    sources = []
    for text in texts:
        name, path = split_name(text)
        found = [
            replace(source, loss_unit=source.loss_unit or loss_unit, given=given.give_way_to(source.given))
            for source in _find(path)
        ]
        if name is not None and len(found) > 1:
            raise RequestError(f"--from: {path} holds {len(found)} runs, which cannot all be called {name}.")
        sources += [replace(source, arm=Wish(name)) for source in found] if name is not None else found
        if len(sources) > MAX_SOURCES:
            raise RequestError(f"--from leads to more than {MAX_SOURCES:,} runs. Name the folders that matter.")
    return sources


def read_source(source: Source) -> SourceLog:
    """Reads a source; the same bytes always give the same events and notes.

    What cannot be judged is a run that failed, without events and with file and line in its reason.
    """
    try:
        if excess := find_excess(source):
            raise RequestError(f"{excess} Keep what holds losses.")
        log = source.given.add_to(IMPORTERS[source.kind].read(source.path, source.name, source.loss_unit))
    except RequestError as error:
        return SourceLog([], [], "failed", str(error))
    except OSError as error:
        return SourceLog([], [], "failed", f"{source.name} cannot be read: {error.strerror or error}.")
    facts = read_facts(log.events)
    notes = [*log.notes, *facts.notes]
    if facts.seed is None:
        seed = SEED if source.stored is None else source.stored.seed
        notes.append(f"its seed is not given; it is filed under {seed}, which is not a finding")
    return replace(log, notes=notes)


def read_stored(folder: Path, described: Mapping[str, Any]) -> SourceLog:
    """Reads the bytes kept in a run's folder again, as its record's `source` says they were read."""
    return read_source(_find_stored(folder, described))


def list_files(kind: str, path: Path) -> list[tuple[Path, str]]:
    """The files whose bytes a source is, in order, and under which name each is stored in a run's folder."""
    if kind == EVENT_KIND:
        return [(file.path, f"{STORED_NAMES[kind]}/{file.stored_name}") for file in list_event_files(path)]
    if kind == OWN_KIND:
        names = (RECORD_NAME, JOURNAL_NAME, TOKENIZER_NAME, TITLE_LOSSES_NAME)
        return [(path / name, name) for name in names if (path / name).exists()]
    return [(path, STORED_NAMES[kind])]


def find_excess(source: Source) -> str | None:
    """What is wrong with a source that has a file too large to be stored; None where none has. `OSError` as `stat`."""
    sizes = [path.stat().st_size for path, _ in list_files(source.kind, source.path)]
    return describe_excess(source.name, max(sizes, default=0))


def _find(path: Path, depth: int = 0) -> Iterator[Source]:
    name = make_inert(path.resolve().name)
    try:
        if not path.exists():
            raise RequestError(f"--from: there is no {path}.")
        if path.is_file():
            yield Source(find_importer(path).kind, path, name, Wish(make_arm_name(_strip_suffixes(path)), path))
        elif not path.is_dir():
            raise RequestError(f"--from: {path} is no regular file but a pipe or a device. Write it to a file first.")
        elif (path / PLAN_NAME).exists():
            for run in load_plan(path).runs:
                folder = get_run_folder(path, run)
                if not (folder / RECORD_NAME).exists():
                    raise StoredResultsError(f"{folder} holds no run: {run.folder_name} of {path} never started.")
                yield from _find(folder)
        elif (path / RECORD_NAME).exists():
            stored = load_run(path)
            if stored.is_read:
                check_run_hashes(stored)
                yield replace(_find_stored(path, stored.record["source"]), record=stored.record)
            else:
                yield Source(OWN_KIND, path, name, Wish(stored.arm), stored=_place(path, stored.arm, stored.seed))
        elif claim(path):
            yield Source(EVENT_KIND, path, name, Wish(make_arm_name(name), path))
        else:
            yield from _find_in_folder(path, name, depth)
    except OSError as error:
        raise RequestError(f"--from: {path} cannot be read: {error.strerror or error}.") from None


def _find_stored(folder: Path, described: Mapping[str, Any]) -> Source:
    """The source that a run's folder keeps of a run that was itself taken in, or is a command's."""
    kind, arm, given = described["kind"], described["arm"], Given(**described.get("given", {}))
    stored = _place(folder, arm, described["seed"])
    return Source(
        kind, folder / STORED_NAMES[kind], described["name"], Wish(arm), described["loss_unit"], given, stored
    )


def _place(folder: Path, arm: str, seed: int) -> Stored:
    return Stored(folder.parent.resolve(), arm, seed)


def _find_in_folder(path: Path, name: str, depth: int) -> Iterator[Source]:
    """The runs in a folder and below it: its logs, or where it has none what is known by its content.

    A file that cannot be looked into is among them: it is a run that failed, with its reason, as where it is named.
    """
    files = [file for file in sorted(path.iterdir()) if file.is_file() and not file.is_symlink()]
    logs = [file for file in files if file.name.lower().endswith(LOG_SUFFIXES)]
    found = [
        source
        for file in logs or [file for file in files if not file.name.startswith(".") and _may_be_run(file)]
        for source in _find(file)
    ]
    if depth < MAX_DEPTH:
        inner = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and not folder.is_symlink()]
        for folder in inner:
            found += _find(folder, depth + 1)
    if not found and depth == 0:
        raise RequestError(
            f"--from: {path} holds no comparison, no run, no event files, no log and no table. Name the file."
        )
    if depth == 0 and len(found) == 1 and found[0].kind != OWN_KIND:
        found = [replace(found[0], arm=Wish(make_arm_name(name), path))]
    yield from found


def _may_be_run(file: Path) -> bool:
    try:
        return claim(file) is not None or is_damaged(file)
    except OSError:
        return True


def _strip_suffixes(path: Path) -> str:
    """A file's name without the end that says its format, and without that of its packing."""
    plain = path.with_suffix("") if path.suffix.lower() in (".gz", ".bz2", ".xz") else path
    return plain.stem
