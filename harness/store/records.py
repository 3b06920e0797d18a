"""`run.json` of a stored run, ours or of a log: what it must hold, and what its fields are called."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from mainrun.record.errors import StoredResultsError
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import HASHED_FILES, Status

COMPLETE = ("complete", "imported")
"""Statuses of runs that are whole: trained here, and taken in from a log."""
TAKEN_OVER = "taken_over"
"""Field of a record: where the run was trained. Absent from the record of a run that was trained where it stands."""
OWN_KIND = "run"
"""Kind of a record's `source` that is a run of the training program; all others are importers'."""
TRAINED_UNDER = "trained_under"
"""Field of such a `source`: SHA-256 of the plan that the run was trained under."""
WAS_EXTERNAL = "was_external"
"""Field of a record's `source`: the command of another program whose log it is, run where it was taken in from."""
_FIELDS = (
    *("status", "reason", "arm", "seed", "config", "corpus", "sizes", "machine", "source_sha256", "plan_sha256"),
    *("request", "train_ids_sha256", "validation_ids_sha256", "initial_weights_sha256"),
)
"""What the record of a run of ours must hold."""
_FINAL_FIELDS = ("final_weights_sha256", *HASHED_FILES.values(), "peak_memory_bytes")
"""What it must hold too where the run is complete."""
_FIELDS_OF_LOGS = ("status", "reason", "arm", "seed", "source", "plan_sha256")
"""What the record of a run that was read from a log must hold."""
_SOURCE_FIELDS = ("arm", "seed", "kind", "name", "loss_unit", "sha256", "files")
"""What its `source` must hold."""


def check_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Raises `StoredResultsError` where a record lacks a field or names what it must not, or a file of it is gone."""
    if is_read(record):
        _check_record_of_log(folder, record)
    else:
        _check_own_record(folder, record)


def is_read(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a log, its own or a command's."""
    source = record.get("source")
    return isinstance(source, dict) and source.get("kind", OWN_KIND) != OWN_KIND


def find_command(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The command that the harness saw write a record's log, here or where the log was taken in from; None for none."""
    source = record.get("source") or {}
    return source.get("external") or source.get(WAS_EXTERNAL)


def _check_own_record(folder: Path, record: Mapping[str, Any]) -> None:
    status = record["status"]
    if status not in get_args(Status):
        raise StoredResultsError(f"{folder / RECORD_NAME} is damaged: its status is {status!r}.")
    is_whole = status in COMPLETE
    _refuse_missing(folder, [key for key in (*_FIELDS, *(_FINAL_FIELDS if is_whole else ())) if key not in record])
    for name in HASHED_FILES if is_whole else ():
        if not (folder / name).is_file():
            raise StoredResultsError(f"{folder / name} is missing.")


def _check_record_of_log(folder: Path, record: Mapping[str, Any]) -> None:
    source = record["source"]
    missing = [f"source.{key}" for key in _SOURCE_FIELDS if key not in source]
    _refuse_missing(folder, [*(key for key in _FIELDS_OF_LOGS if key not in record), *missing])
    for name in source["files"]:
        if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise StoredResultsError(f"{folder / RECORD_NAME} is damaged: {name!r} is no file of the run.")


def _refuse_missing(folder: Path, fields: Sequence[str]) -> None:
    if fields:
        raise StoredResultsError(f"{folder / RECORD_NAME} is damaged: {', '.join(fields)} missing.")
