"""What makes two runs the same one: what decides their numbers, and no more.

The code that does is that of the model, the optimizers, the metric, the batches and the step. What a recipe says, how
titles are read and how the command line is spoken to are in the identity by what they come to: the configuration and
the hashes of the token ids.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainrun.record.errors import StoredResultsError
from mainrun.record.run_record import FILE_NAME, load_run_record

DECIDING_FOLDERS = ("metric/", "model/", "optim/")
DECIDING_FILES = ("data/batches.py", "devices.py", "rules.py", "run.py", "sizes.py", "step.py")
"""Source files of the training program without which the numbers of a run would be others."""


def compute_identity(record: dict[str, Any]) -> dict[str, Any]:
    """What in a record decides the run's numbers, by dotted name: a run is continued only where it is the same.

    Raises `StoredResultsError` where the record lacks any of it.
    """
    with _called_damage():
        own = {key: record[key] for key in ("seed", "config", "train_ids_sha256", "validation_ids_sha256")}
        machine = record["machine"]
        own["machine"] = {"cpu_capability": machine["cpu_capability"]}
        if machine["device"] == "cuda":
            own["machine"]["device_name"] = machine["device_name"]
        return _flatten(own) | select_code_and_machine(record)


def select_code_and_machine(record: dict[str, Any]) -> dict[str, Any]:
    """The deciding code of a record and the kind of machine, by dotted name: what all runs of a comparison share.

    Raises `StoredResultsError` where the record lacks any of it.
    """
    with _called_damage():
        machine, source = record["machine"], record["source_sha256"]
        return _flatten(
            {
                "machine": {key: machine[key] for key in ("device", "precision", "num_threads")},
                "torch": machine["library_versions"]["torch"],
                "source": {name: digest for name, digest in source.items() if decides_numbers(name)},
            }
        )


def decides_numbers(name: str) -> bool:
    """Whether a source file, by its name in the package, can change what a run measures."""
    return name in DECIDING_FILES or name.startswith(DECIDING_FOLDERS)


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


@contextmanager
def _called_damage() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise StoredResultsError(f"{FILE_NAME} is damaged: {error} is missing or of the wrong type.") from None


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
