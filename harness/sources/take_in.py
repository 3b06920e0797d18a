"""Taking runs in that were not trained here: their folders with raw bytes, journal and record."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.plan.plan import Plan, PlannedRun
from harness.sources.find import EVENT_KIND, STORED_NAMES, list_files, read_stored
from harness.sources.planned import ImportedRun
from harness.sources.source_log import SourceLog
from harness.store.journals import Event
from harness.store.runs import OWN_KIND, get_run_folder
from mainrun.record.errors import RequestError
from mainrun.record.files import compute_file_sha256, make_folder, save_json, save_text
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import JOURNAL_NAME, SCHEMA_VERSION

ORIGINAL_RECORD = "source.json"
"""The record of a stored run as it was, beside the one that names its new arm and plan."""


def store_runs(folder: Path, plan: Plan, plan_sha256: str, runs: Sequence[ImportedRun]) -> None:
    """Copies the bytes of every source into its run's folder, and writes journal and record from them.

    Raises `RequestError` where a source was written to since it was read.
    """
    for run, planned, described in zip(runs, plan.runs, plan.sources or [], strict=True):
        run_folder = get_run_folder(folder, planned)
        make_folder(run_folder)
        if run.run is not None:
            _store_own(run_folder, run, planned, plan_sha256, described)
        elif not described["sha256"]:
            assert run.log is not None
            _save(run_folder, run.log, planned, plan_sha256, described)
        else:
            store_raw(run_folder, run.source.kind, run.source.path)
            copies = list_files(run.source.kind, run_folder / STORED_NAMES[run.source.kind])
            if [compute_file_sha256(path) for path, _ in copies] != described["sha256"]:
                raise RequestError(f"{run.source.name} was written to while it was read. Give it once its run is over.")
            assert run.log is not None
            if run.source.kind == EVENT_KIND:  # its notes name files, which have other names now
                store_log(run_folder, planned, plan_sha256, described)
            else:
                _save(run_folder, run.log, planned, plan_sha256, described)


def store_raw(run_folder: Path, kind: str, path: Path) -> None:
    """Copies the bytes of a source of another program."""
    for file, name in list_files(kind, path):
        make_folder((run_folder / name).parent)
        shutil.copyfile(file, run_folder / name)


def store_log(run_folder: Path, planned: PlannedRun, plan_sha256: str, described: dict[str, Any]) -> SourceLog:
    """Reads the stored source, writes its journal and its record, and returns what was read.

    One that cannot be judged gives an empty journal, and a record of a run that failed.
    """
    log = read_stored(run_folder, described)
    _save(run_folder, log, planned, plan_sha256, described)
    return log


def format_journal(events: Sequence[Event]) -> str:
    """A journal's text: one JSON object a line."""
    return "".join(f"{json.dumps(event, allow_nan=False)}\n" for event in events)


def _save(
    run_folder: Path, log: SourceLog, planned: PlannedRun, plan_sha256: str, described: dict[str, Any]
) -> None:  # fmt: skip
    save_text(run_folder / JOURNAL_NAME, format_journal(log.to_journal()))
    kind = described["kind"]
    stored = [path for path, _ in list_files(kind, run_folder / STORED_NAMES[kind])] if described["sha256"] else []
    record = {
        "schema_version": SCHEMA_VERSION,
        "status": log.status,
        "reason": log.reason,
        "arm": planned.arm,
        "seed": planned.seed,
        "source": {
            **described,
            "files": {path.relative_to(run_folder).as_posix(): compute_file_sha256(path) for path in stored},
        },
        "mainrun_log_sha256": compute_file_sha256(run_folder / JOURNAL_NAME),
        "plan_sha256": plan_sha256,
    }
    save_json(run_folder / RECORD_NAME, record)


def _store_own(
    run_folder: Path, run: ImportedRun, planned: PlannedRun, plan_sha256: str, described: dict[str, Any]
) -> None:
    assert run.run is not None
    for path, name in list_files(OWN_KIND, run.source.path):
        shutil.copyfile(path, run_folder / (ORIGINAL_RECORD if path.name == RECORD_NAME else name))
    record = {**run.run.record, "arm": planned.arm, "plan_sha256": plan_sha256, "source": described}
    save_json(run_folder / RECORD_NAME, record)
