"""What a comparison has stored so far: its plan, and the record and journal of each run."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.plan.plan import FILE_NAME as PLAN_NAME
from harness.plan.plan import Plan, PlannedRun, load_plan
from harness.plan.seeds import find_plan_hashes
from harness.store.facts import RunFacts, read_facts
from harness.store.journals import Event, load_journal
from harness.store.records import COMPLETE, OWN_KIND, TRAINED_UNDER, check_record, is_read
from mainrun.record.errors import StoredResultsError
from mainrun.record.files import compute_file_sha256
from mainrun.record.parquet import load_table
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import (
    HASHED_FILES,
    JOURNAL_NAME,
    TITLE_LOSSES_NAME,
    TOKENIZER_NAME,
    load_run_record,
)
from mainrun.record.title_losses import COLUMNS as TITLE_COLUMNS
from mainrun.record.title_losses import SCHEMA_VERSION as TITLE_SCHEMA_VERSION

RUNS_FOLDER = "runs"
WORK_FOLDER, CHECKOUT_FOLDER = "work", "checkout"
"""Of a command's run: what the command writes, and the files of its revision; read until the journal is taken in."""
OURS = ("trained", OWN_KIND)
"""Origins of runs of the training program: all that they were trained with is known."""


@dataclass(frozen=True)
class StoredRun:
    """One run that left at least its record."""

    arm: str
    seed: int
    folder: Path
    record: dict[str, Any]
    """`run.json`."""
    events: list[Event]
    """The journal, in order."""

    @property
    def is_complete(self) -> bool:
        return self.record["status"] in COMPLETE

    @property
    def is_read(self) -> bool:
        """Whether its journal was made from a log, which stands beside it."""
        return is_read(self.record)

    @property
    def origin(self) -> str:
        """`trained`, `command` for another program's, `run` for one taken in, else the kind of its log."""
        source = self.record.get("source")
        return "trained" if source is None else "command" if source.get("external") else str(source["kind"])

    @property
    def trained_under(self) -> str | None:
        """SHA-256 of the plan it was trained under; None where nothing says so, and of logs."""
        found = self.record.get("source", {TRAINED_UNDER: self.record["plan_sha256"]}).get(TRAINED_UNDER)
        return None if found is None else str(found)

    @property
    def had_gpu(self) -> bool:
        """Whether the training program ran it on a GPU."""
        return bool(self.record["machine"]["device"] == "cuda")

    @property
    def tokenizer_path(self) -> Path:
        """Its stored tokenizer, which a run of the training program has."""
        return self.folder / TOKENIZER_NAME

    @property
    def has_title_losses(self) -> bool:
        """Whether it left its losses by title."""
        return not self.is_read and self.is_complete

    @cached_property
    def facts(self) -> RunFacts:
        """What it states of itself."""
        return read_facts(self.events, self.record)

    def select(self, event: str) -> list[Event]:
        """The events of that name, in order."""
        return [entry for entry in self.events if entry["event"] == event]

    def load_title_losses(self) -> dict[str, list[Any]]:
        """The columns of `title_losses.parquet`."""
        return load_table(self.folder / TITLE_LOSSES_NAME, TITLE_COLUMNS, schema_version=TITLE_SCHEMA_VERSION)


@dataclass(frozen=True, eq=False)
class StoredComparison:
    """A comparison's plan and the runs there are of it."""

    folder: Path
    plan: Plan
    runs: dict[PlannedRun, StoredRun]
    """In the plan's order; a run that never started is absent."""

    @property
    def trained(self) -> list[StoredRun]:
        """The runs of the training program, in the plan's order; the others were read from logs."""
        return [run for run in self.runs.values() if not run.is_read]

    @property
    def unfinished(self) -> list[PlannedRun]:
        """Planned runs that are absent or not complete."""
        return [run for run in self.plan.runs if run not in self.runs or not self.runs[run].is_complete]

    def find_headline(self, name: str) -> PlannedRun:
        """The run that stands for an arm: that of the first seed which all arms have whole that have any, else the
        plan's; the two are one where no run was lost.
        """
        whole = self.find_whole_seeds()
        has_any = [seeds for seeds in whole.values() if seeds]
        shared = next((seed for seed in self.plan.seeds if all(seed in seeds for seeds in has_any)), None)
        return PlannedRun(name, shared) if shared in whole[name] else self.plan.find_headline(name)

    def find_whole_seeds(self) -> dict[str, set[int]]:
        """By arm the seeds whose runs are complete."""
        seeds: dict[str, set[int]] = {arm.name: set() for arm in self.plan.arms}
        for planned, run in self.runs.items():
            if run.is_complete:
                seeds[planned.arm].add(planned.seed)
        return seeds

    def compute_hashes(self) -> dict[str, str]:
        """SHA-256 of the plan and of every run's record, by path in the comparison."""
        paths = [self.folder / PLAN_NAME, *(run.folder / RECORD_NAME for run in self.runs.values())]
        return {path.relative_to(self.folder).as_posix(): compute_file_sha256(path) for path in paths}


def load_comparison(folder: Path, *, check_hashes: bool = True) -> StoredComparison:
    """Loads a comparison.

    Raises `StoredResultsError` where a file is absent or damaged, and, unless told not to check, where the plan is not
    the one a run belongs to, or a complete run's files do not have the hashes its record names.
    """
    if not folder.is_dir():
        raise StoredResultsError(f"{folder} is no comparison: there is no such folder.")
    plan = load_plan(folder)
    folders = {run: get_run_folder(folder, run) for run in plan.runs}
    runs = {run: load_run(place) for run, place in folders.items() if (place / RECORD_NAME).exists()}
    plan_sha256 = compute_file_sha256(folder / PLAN_NAME)
    for planned, run in runs.items() if check_hashes else ():
        if (run.arm, run.seed) != (planned.arm, planned.seed):
            raise StoredResultsError(f"{run.folder} holds a run of {run.arm} with seed {run.seed}.")
        if run.record["plan_sha256"] not in find_plan_hashes(plan, plan_sha256, planned.seed):
            raise StoredResultsError(
                f"{folder / PLAN_NAME} was changed after its runs began: its SHA-256 is {plan_sha256}, "
                f"{run.folder / RECORD_NAME} says {run.record['plan_sha256']}."
            )
        check_run_hashes(run)
    return StoredComparison(folder, plan, runs)


def load_run(folder: Path) -> StoredRun:
    """Loads one run's record and journal; `StoredResultsError` where one is absent or damaged."""
    record, journal = load_run_record(folder), folder / JOURNAL_NAME
    is_log, is_whole = is_read(record), record["status"] in COMPLETE
    check_record(folder, record)
    events: list[Event] = []
    if is_whole or journal.exists():
        events = load_journal(journal, finished=is_whole or is_log, timed=not is_log)
    return StoredRun(record["arm"], record["seed"], folder, record, events)


def is_complete(folder: Path) -> bool:
    """Whether the run in a folder is there whole; `StoredResultsError` where its files were changed since."""
    if not (folder / RECORD_NAME).exists() or load_run_record(folder)["status"] not in COMPLETE:
        return False
    check_run_hashes(load_run(folder))
    return True


def check_run_hashes(run: StoredRun) -> None:
    """Raises `StoredResultsError` where a complete run's files were changed after it."""
    for name, found, expected in find_hash_changes(run):
        raise StoredResultsError(
            f"{run.folder / name} was changed after the run: its SHA-256 is {found}, {RECORD_NAME} says {expected}."
        )


def find_hash_changes(run: StoredRun) -> list[tuple[str, str, str | None]]:
    """Name, SHA-256 found and SHA-256 recorded of every file of a run that was changed after it."""
    changes = []
    for name, expected in find_hashes(run).items():
        path = run.folder / name
        found = compute_file_sha256(path) if path.is_file() else "none: the file is missing"
        if found != expected:
            changes.append((name, found, expected))
    return changes


def find_hashes(run: StoredRun) -> dict[str, str | None]:
    """Name and recorded SHA-256 of a run's files: of a complete run of ours, or of a source and its journal."""
    if not run.is_read:
        return {name: run.record.get(key) for name, key in HASHED_FILES.items()} if run.is_complete else {}
    journal = run.record.get("mainrun_log_sha256")
    is_there = journal is not None or (run.folder / JOURNAL_NAME).exists()
    return {**run.record["source"]["files"], **({JOURNAL_NAME: journal} if is_there else {})}


def get_run_folder(folder: Path, run: PlannedRun) -> Path:
    """Where a run of the comparison in `folder` stands."""
    return folder / RUNS_FOLDER / run.folder_name
