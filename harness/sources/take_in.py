"""Taking runs in that were not trained here: their folders with raw bytes, journal and record."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.plan.plan import Plan
from harness.sources.find import EVENT_KIND, STORED_NAMES, list_files, read_stored
from harness.sources.planned import ImportedRun
from harness.sources.source_log import SourceLog
from harness.store.locks import describe_excess
from harness.store.records import OWN_KIND
from harness.store.runs import StoredRun, get_run_folder
from mainrun.record.errors import RequestError
from mainrun.record.files import atomic_write, compute_file_sha256, make_folder, save_json, save_text
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
        if isinstance(run.content, StoredRun):
            _store_own(run_folder, run.content, plan_sha256, described)
            continue
        log = run.content
        if described["sha256"]:  # else its bytes cannot be read
            store_raw(run_folder, run.source.kind, run.source.path)
            copies = list_files(run.source.kind, run_folder / STORED_NAMES[run.source.kind])
            if [compute_file_sha256(path) for path, _ in copies] != described["sha256"]:
                raise RequestError(f"{run.source.name} was written to while it was read. Give it once its run is over.")
            if run.source.kind == EVENT_KIND:  # its notes name files, which have other names now
                log = read_stored(run_folder, described)
        _store_log(run_folder, log, plan_sha256, described)


def store_raw(run_folder: Path, kind: str, path: Path) -> None:
    """Copies the bytes of a source of another program."""
    for file, name in list_files(kind, path):
        make_folder((run_folder / name).parent)
        shutil.copyfile(file, run_folder / name)


def take_in_command(
    source: Mapping[str, Any], folder: Path, plan_sha256: str, content: bytes, end: str | None, observed_s: float
) -> str | None:
    """Keeps the bytes of a command's journal and makes the run in `folder` of them; returns why it failed, or None.

    `source` is the plan's, `end` says how the command ended where that was not well, `observed_s` how long it took by
    the harness's clock. Whatever is wrong with the journal is the run's failure; `MachineError` where the disk refuses
    a file.
    """
    place = folder / STORED_NAMES["log"]
    excess = describe_excess(f"its journal {source['name']}", len(content))
    if excess:
        content = b""
    with atomic_write(place) as file:
        file.write(content)
    described = {**source, "num_bytes": len(content), "observed_s": observed_s, "sha256": [compute_file_sha256(place)]}
    reason = end or excess
    if reason is None and not content:
        reason = f"its journal {source['name']} stayed empty"
    if reason is None:
        log = read_stored(folder, described)
        if log.status == "imported":
            _store_log(folder, log, plan_sha256, described)
            return None
        reason = log.reason or log.status
    # The journal of a run that failed is not kept, its source is.
    (folder / JOURNAL_NAME).unlink(missing_ok=True)
    _save_record(folder, "failed", reason, plan_sha256, described)
    return reason


def _store_own(run_folder: Path, run: StoredRun, plan_sha256: str, described: Mapping[str, Any]) -> None:
    for path, name in list_files(OWN_KIND, run.folder):
        shutil.copyfile(path, run_folder / (ORIGINAL_RECORD if path.name == RECORD_NAME else name))
    record = {**run.record, "arm": described["arm"], "plan_sha256": plan_sha256, "source": described}
    save_json(run_folder / RECORD_NAME, record)


def _store_log(run_folder: Path, log: SourceLog, plan_sha256: str, described: Mapping[str, Any]) -> None:
    """The journal and the record; of one that cannot be judged an empty journal, and a record that says so."""
    lines = [f"{json.dumps(event, allow_nan=False)}\n" for event in log.to_journal()]
    save_text(run_folder / JOURNAL_NAME, "".join(lines))
    _save_record(run_folder, log.status, log.reason, plan_sha256, described)


def _save_record(
    run_folder: Path, status: str, reason: str | None, plan_sha256: str, described: Mapping[str, Any]
) -> None:
    kind, journal = described["kind"], run_folder / JOURNAL_NAME
    stored = [path for path, _ in list_files(kind, run_folder / STORED_NAMES[kind])] if described["sha256"] else []
    record = {
        "schema_version": SCHEMA_VERSION,
        "status": status,
        "reason": reason,
        "arm": described["arm"],
        "seed": described["seed"],
        "source": {
            **described,
            "files": {path.relative_to(run_folder).as_posix(): compute_file_sha256(path) for path in stored},
        },
        **({"mainrun_log_sha256": compute_file_sha256(journal)} if journal.exists() else {}),
        "plan_sha256": plan_sha256,
    }
    save_json(run_folder / RECORD_NAME, record)
