"""Taking in what an external arm's command left: the bytes of its journal, and the run that they make."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.plan.plan import PlannedRun
from harness.sources.find import STORED_NAMES
from harness.sources.take_in import store_log
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.files import atomic_write, compute_file_sha256, save_json
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import JOURNAL_NAME, SCHEMA_VERSION


def take_in_command(
    run: PlannedRun,
    source: Mapping[str, Any],
    folder: Path,
    plan_sha256: str,
    content: bytes,
    end: str | None,
    observed_s: float,
) -> str | None:
    """Keeps the journal's bytes and makes the run's journal and record of them; returns why the run failed.

    None where it did not. `end` says how the command ended where that was not well, `observed_s` how long it took by
    the harness's clock. Whatever is wrong with the
    journal is the run's failure; `MachineError` where the disk refuses a file.
    """
    place = folder / STORED_NAMES["log"]
    with atomic_write(place) as file:
        file.write(content)
    described = {**source, "num_bytes": len(content), "observed_s": observed_s, "sha256": [compute_file_sha256(place)]}
    reason = end
    if reason is None and not content:
        reason = f"its journal {source['name']} stayed empty"
    if reason is None:
        try:
            log = store_log(folder, run, plan_sha256, described)
        except (RequestError, StoredResultsError) as error:
            reason = str(error)
        else:
            if log.status == "imported":
                return None
            reason = log.reason or log.status
    _store_failure(folder, run, plan_sha256, described, reason)
    return reason


def _store_failure(
    folder: Path, run: PlannedRun, plan_sha256: str, described: Mapping[str, Any], reason: str
) -> None:  # fmt: skip
    """A record that says why; the journal of a run that failed is not kept, its source is."""
    (folder / JOURNAL_NAME).unlink(missing_ok=True)
    record = {
        "schema_version": SCHEMA_VERSION,
        "status": "failed",
        "reason": reason,
        "arm": run.arm,
        "seed": run.seed,
        "source": {**described, "files": {STORED_NAMES["log"]: compute_file_sha256(folder / STORED_NAMES["log"])}},
        "plan_sha256": plan_sha256,
    }
    save_json(folder / RECORD_NAME, record)
