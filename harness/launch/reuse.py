"""Taking over finished runs of other comparisons, where they are the very runs that would be trained here.

The training program itself says what it would train: it is started once without a step, and a stored run is the same
where its configuration, seed, token streams, source code, torch version, device, precision, threads, CPU capability
and first weights are. What is taken over says so in its record, and the reports repeat it.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.launch.arrivals import CHECKPOINT_FOLDER
from harness.launch.job import KEEP_CHECKPOINTS, KEEP_WEIGHTS, Job, Launcher
from harness.launch.training import train_for
from harness.plan.plan import Plan, PlannedRun
from harness.store.records import TAKEN_OVER
from harness.store.runs import StoredComparison, StoredRun, load_comparison
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.files import compute_file_sha256, make_folder, make_scratch_folder, save_json, unwritable
from mainrun.record.identity import compute_identity
from mainrun.record.run_record import FILE_NAME, HASHED_FILES, JOURNAL_NAME, WEIGHTS_NAME

_KEPT = {KEEP_WEIGHTS: WEIGHTS_NAME, KEEP_CHECKPOINTS: CHECKPOINT_FOLDER}
"""What the job may ask to be kept, and what of a run's folder that is."""


@dataclass
class Offers:
    """Finished runs that may be taken over, each at most once: one training is never two runs of a comparison."""

    comparisons: Sequence[StoredComparison] = ()
    taken: set[str] = field(default_factory=set)
    """SHA-256 of the journals of all runs the comparison has."""

    def find(self, plan: Plan, planned: PlannedRun) -> list[tuple[StoredComparison, StoredRun]]:
        """Finished runs of the same configuration, seed and titles that were not taken yet."""
        config = plan.get_arm(planned.arm).config
        return [
            (comparison, run)
            for comparison in self.comparisons
            for run in comparison.runs.values()
            if run.is_complete
            and not run.is_read
            and run.seed == planned.seed
            and run.record["config"] == config
            and _same_titles(run.record["corpus"], plan.corpus)
            and run.record["mainrun_log_sha256"] not in self.taken
        ]


def load_offers(folders: Sequence[Path], out: Path) -> Offers:
    """The comparisons in `folders`, their hashes checked; `StoredResultsError` where one is absent or damaged."""
    for folder in folders:
        if folder.resolve() == out.resolve():
            raise RequestError(f"--reuse names {folder}, the comparison itself. Its own runs go on with --resume.")
    return Offers([load_comparison(folder) for folder in folders])


def take_over(
    offers: Offers, plan: Plan, planned: PlannedRun, job: Job, launcher: Launcher, plan_sha256: str
) -> str | None:
    """Copies a run into the job's folder where one is the very run the job would train.

    Says what was done; None where no finished run has the configuration, seed and titles. The folder then holds a
    whole run or nothing. Raises `StoredResultsError` where what is copied is not what its record names, `MachineError`
    where it cannot be written.
    """
    found = offers.find(plan, planned)
    if not found:
        return None
    with make_scratch_folder() as scratch:
        due = train_for(0, move_job(job, scratch / "run"), launcher)
    if isinstance(due, str):
        return f"nothing is taken over: the training program does not start here: {due}"
    in_full = plan.get_arm(planned.arm).code is not None
    asked, refusals = _identify(due, in_full=in_full), []
    for comparison, run in found:
        where, stored = f"{run.folder.name} of {comparison.plan.name}", _identify(run.record, in_full=in_full)
        changed = sorted(key for key in stored | asked if stored.get(key) != asked.get(key))
        if not changed:
            asked_for = [name for option, name in _KEPT.items() if option in job.argv]
            kept = [name for name in asked_for if (run.folder / name).exists()]
            _copy_run(run, comparison.plan, job.folder, {"arm": planned.arm, "plan_sha256": plan_sha256}, kept)
            offers.taken.add(run.record["mainrun_log_sha256"])
            absent = " and ".join(name for name in asked_for if name not in kept)
            return f"complete: taken over from {where}{absent and f', which kept no {absent}'}"
        refusals.append(f"{where} is not taken over, because it is not the same run: {', '.join(changed)}")
    return "; ".join(refusals)


def move_job(job: Job, folder: Path) -> Job:
    """The job with another folder for its run."""
    kept = (word for word in job.argv if not word.startswith("--out="))
    return replace(job, folder=folder, journal=folder / JOURNAL_NAME, argv=(*kept, f"--out={folder}"))


def _identify(record: dict[str, Any], *, in_full: bool) -> dict[str, Any]:
    """What decides a run's numbers, and what it began with.

    It holds all source files where another revision may have others that decide: so runs are found by their tree.
    """
    sources = {f"source.{name}": digest for name, digest in record["source_sha256"].items()} if in_full else {}
    return (
        compute_identity(record)
        | sources
        | {
            "machine.device_name": record["machine"]["device_name"],
            "initial_weights_sha256": record["initial_weights_sha256"],
        }
    )


def _same_titles(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return all(one[key] == two[key] for key in ("train_sha256", "validation_sha256"))


def _copy_run(run: StoredRun, plan: Plan, folder: Path, changes: dict[str, Any], kept: Sequence[str]) -> None:
    """The run's files, its hashes checked again on the copies, under a new record; whole or not at all.

    What it `kept` is copied as it is: verify holds it to the hashes in the record.
    """
    origin = run.record.get(TAKEN_OVER) or {
        "comparison": plan.name,
        "run": run.folder.name,
        "plan_sha256": run.record["plan_sha256"],
        "run_json_sha256": compute_file_sha256(run.folder / FILE_NAME),
    }
    new = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(new, ignore_errors=True)
        make_folder(new)
        for name, key in HASHED_FILES.items():
            shutil.copyfile(run.folder / name, new / name)
            if compute_file_sha256(new / name) != run.record[key]:
                raise StoredResultsError(f"{run.folder / name} was changed while it was taken over.")
        for name in kept:
            copy = shutil.copytree if (run.folder / name).is_dir() else shutil.copyfile
            copy(run.folder / name, new / name)
        save_json(new / FILE_NAME, {**run.record, **changes, TAKEN_OVER: origin})
        new.replace(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
