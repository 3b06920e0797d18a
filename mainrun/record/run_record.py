"""`run.json`: what a run was asked, what that resolved to, what it ran on, and the hashes of what it left."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mainrun.config import Config
from mainrun.data.corpus import CorpusSource
from mainrun.data.streams import PreparedData
from mainrun.record.errors import StoredResultsError
from mainrun.record.files import compute_sha256, load_json, save_json
from mainrun.record.upgrade import upgrade_config

SCHEMA_VERSION = 2
FLAT_SCHEMA_VERSION = 1
"""That of records whose configuration has no dotted keys; they are read as if they had."""
FILE_NAME = "run.json"
JOURNAL_NAME = "mainrun.log"
TITLE_LOSSES_NAME = "title_losses.parquet"
WEIGHTS_NAME = "weights.pt"
TOKENIZER_NAME = "tokenizer.json"
HASHED_FILES = {
    JOURNAL_NAME: "mainrun_log_sha256",
    TITLE_LOSSES_NAME: "title_losses_sha256",
    TOKENIZER_NAME: "tokenizer_sha256",
}
"""Files of a complete run → the field of its record that holds their SHA-256."""

CHECKPOINT_EVERY_S = 30.0
"""The shortest time between checkpoints, where no other is asked for."""

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
    checkpoint_every_s: float = CHECKPOINT_EVERY_S
    plan_sha256: str | None = None
    """Hash of the plan this run belongs to; None for a run of its own."""
    commit: str | None = None
    """Of the code, where whoever took it out of git says so."""
    tree: str | None = None
    """Git's hash of the code's folder, likewise."""
    beside: Path | None = None
    """Folder of a finished run of the same comparison: the code and kind of machine must be the same."""
    keep_weights: bool = False
    """Whether the final weights are stored, so that `mainrun.probe` can measure with them again."""
    keep_checkpoints: bool = False
    """Whether every checkpoint is kept, so that any stretch of the run can be trained again."""


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
            "config": {**config.flatten(), "data.vocab_size": data.streams.tokenizer.vocab_size},
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
    """A stored `run.json`; `StoredResultsError` where it is absent, damaged or of another schema version.

    One of the first schema comes back with its configuration under today's keys.
    """
    record = load_json(folder / FILE_NAME, SCHEMA_VERSION, FLAT_SCHEMA_VERSION)
    if record["schema_version"] == FLAT_SCHEMA_VERSION:
        record["schema_version"] = SCHEMA_VERSION
        try:
            record |= {"config": upgrade_config(record["config"])} if "config" in record else {}
        except (KeyError, TypeError) as error:
            raise StoredResultsError(f"{folder / FILE_NAME} is damaged: its config: {error}.") from None
    if not isinstance(record.get("status"), str):
        raise StoredResultsError(f"{folder / FILE_NAME} is damaged: it has no status.")
    return record


def mark_failed(folder: Path, reason: str) -> None:
    """Records why a run failed that could not say so itself; nothing where its record does not say it is running."""
    if (folder / FILE_NAME).exists():
        record = load_run_record(folder)
        if record["status"] == "running":
            save_json(folder / FILE_NAME, {**record, "status": "failed", "reason": reason})
