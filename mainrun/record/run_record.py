"""`run.json`: what a run was asked, what that resolved to, what it ran on, and the hashes of what it left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mainrun.config import Config
from mainrun.data.corpus import CorpusSource
from mainrun.data.streams import PreparedData
from mainrun.record.errors import StoredResultsError
from mainrun.record.files import compute_sha256, load_json, save_json

SCHEMA_VERSION = 1
FILE_NAME = "run.json"
JOURNAL_NAME = "mainrun.log"
TITLE_LOSSES_NAME = "title_losses.parquet"
TOKENIZER_NAME = "tokenizer.json"
HASHED_FILES = {
    JOURNAL_NAME: "mainrun_log_sha256",
    TITLE_LOSSES_NAME: "title_losses_sha256",
    TOKENIZER_NAME: "tokenizer_sha256",
}
"""Files of a complete run → the field of its record that holds their SHA-256."""

Status = Literal["running", "complete", "stopped", "failed"]


@dataclass(frozen=True)
class RunRequest:
    """One run, as asked for on the command line."""

    recipe: str
    preset: str
    source: CorpusSource
    seed: int
    out: Path
    arm: str
    settings: dict[str, str] = field(default_factory=dict)
    """`--set` values by key, as text."""
    device: str = "auto"
    """A name in `mainrun.devices.DEVICES`."""
    precision: str = "auto"
    """A name in `mainrun.devices.PRECISIONS`."""
    resume: bool = False
    stop_after: int | None = None
    """Step after which the run ends unfinished."""
    checkpoint_every_s: float = 30.0
    plan_sha256: str | None = None
    """Hash of the plan this run belongs to; None for a run of its own."""
    beside: Path | None = None
    """Folder of a finished run of the same comparison: the code and kind of machine must be the same."""


class RunRecord:
    """The stored record of one run, rewritten whole whenever its status changes."""

    def __init__(
        self, request: RunRequest, config: Config, data: PreparedData, machine: dict[str, Any], code: dict[str, str],
    ) -> None:  # fmt: skip
        self._path = request.out / FILE_NAME
        self.values: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "status": "running",
            "reason": None,
            "arm": request.arm,
            "seed": request.seed,
            "request": {
                "recipe": request.recipe,
                "preset": request.preset,
                "settings": request.settings,
                "data": data.corpus.record.name,
                "device": request.device,
                "precision": request.precision,
            },
            "config": {**asdict(config), "vocab_size": data.streams.tokenizer.vocab_size},
            "corpus": asdict(data.corpus.record),
            "sizes": asdict(data.sizes),
            "train_ids_sha256": compute_sha256(data.streams.train_ids.data),
            "validation_ids_sha256": compute_sha256(data.streams.validation_ids.data),
            "machine": machine,
            "source_sha256": code,
            "plan_sha256": request.plan_sha256,
        }

    def save(self, status: Status, **fields: Any) -> None:
        """Writes the record with a new status and whatever is known by now."""
        self.values.update(status=status, **fields)
        save_json(self._path, self.values)


def load_run_record(folder: Path) -> dict[str, Any]:
    """A stored `run.json`; `StoredResultsError` where it is absent, damaged or of another schema version."""
    record = load_json(folder / FILE_NAME, SCHEMA_VERSION)
    if not isinstance(record.get("status"), str):
        raise StoredResultsError(f"{folder / FILE_NAME} is damaged: it has no status.")
    return record


def mark_failed(folder: Path, reason: str) -> None:
    """Records how a run ended that could not say so itself; nothing where it is not running by its record."""
    if (folder / FILE_NAME).exists():
        record = load_run_record(folder)
        if record["status"] == "running":
            save_json(folder / FILE_NAME, {**record, "status": "failed", "reason": reason})


def compute_identity(record: dict[str, Any]) -> dict[str, Any]:
    """What in a record decides the run's numbers, by dotted name: a run is continued only where it is the same.

    Raises `StoredResultsError` where the record lacks any of it.
    """
    with _called_damage():
        own = {key: record[key] for key in ("seed", "config", "train_ids_sha256", "validation_ids_sha256")}
        own["machine"] = {"cpu_capability": record["machine"]["cpu_capability"]}
        return _flatten(own) | select_code_and_machine(record)


def select_code_and_machine(record: dict[str, Any]) -> dict[str, Any]:
    """The code of a record and the kind of machine, by dotted name: what all runs of a comparison have in common.

    Raises `StoredResultsError` where the record lacks any of it.
    """
    with _called_damage():
        machine = record["machine"]
        return _flatten(
            {
                "machine": {key: machine[key] for key in ("device", "precision", "num_threads")},
                "torch": machine["library_versions"]["torch"],
                "source": record["source_sha256"],
            }
        )


@contextmanager
def _called_damage() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise StoredResultsError(f"{FILE_NAME} is damaged: {error} is missing or of the wrong type.") from None


def check_identity(stored: dict[str, Any], current: dict[str, Any]) -> None:
    """Raises `StoredResultsError` that names what differs between the identities of a stored run and of this one."""
    _refuse_changes(stored, current, "The stored run is by another program, with other settings or on another machine")


def check_beside(folder: Path, record: dict[str, Any]) -> None:
    """Raises `StoredResultsError` where code or kind of machine are not those of the finished run in `folder`."""
    stored = select_code_and_machine(load_run_record(folder))
    _refuse_changes(stored, select_code_and_machine(record), f"{folder.name} was trained by other code or otherwise")


def _refuse_changes(stored: dict[str, Any], current: dict[str, Any], what: str) -> None:
    changed = sorted(key for key in stored | current if stored.get(key) != current.get(key))
    if changed:
        raise StoredResultsError(
            f"{what}; changed: {', '.join(changed)}. Go back to what wrote it, or train anew in another folder."
        )


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
