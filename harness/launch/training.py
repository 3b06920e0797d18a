"""Runs of our own program: the job that trains one, and what is made of its end."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.launch.alike import Alike
from harness.launch.errors_log import hide_folders, save_errors
from harness.launch.follow import JournalFollower
from harness.launch.job import Job, Launcher, Outcome, run_alone
from harness.launch.progress import RunProgress
from harness.launch.travel import CACHE_VARIABLE, find_cached, find_root
from harness.plan.arguments import MODULE, build_arguments, fit_arguments
from harness.plan.code import Code, locate_code
from harness.plan.plan import Plan, PlannedRun
from harness.plan.request import CompareRequest
from harness.processes import PLACE, build_command
from harness.store.runs import is_complete
from harness.store.tensorboard import FOLDER as TENSORBOARD_FOLDER
from harness.store.tensorboard import TensorBoardLog
from mainrun.data.corpus import HUB, SYNTHETIC, CorpusSource
from mainrun.record.errors import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    MachineError,
    RequestError,
    RunError,
    StoredResultsError,
)
from mainrun.record.files import make_folder
from mainrun.record.inert import make_inert
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import JOURNAL_NAME, load_run_record, mark_failed

ENVIRONMENT = {
    # glibc hands large blocks out again: to map them anew takes a large step on a CPU a twelfth of its time.
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    # Threads look for their next piece of work for some microseconds before they sleep: to wake them takes a small step
    # a quarter of its time. Longer would slow down runs beside other work.
    "GOMP_SPINCOUNT": "1000",
}
"""What our runs are started with on top of the environment: it changes how long a step takes, and no bit of it."""

EXIT_SIGNAL = 128
"""Exit codes above this one are signals."""
REFUSALS = (RequestError.exit_code, StoredResultsError.exit_code)
"""How a process ends that may not train there."""


def build_training_job(
    request: CompareRequest, plan: Plan, run: PlannedRun, folder: Path, plan_sha256: str, beside: Path | None = None,
    more: Sequence[str] = (),
) -> Job:  # fmt: skip
    """The job that trains `run` in `folder` with its arm's program, going on from a checkpoint where there is one.

    It refuses to, where code or kind of machine are not those of the finished run in the folder `beside`.
    """
    arm, device, precision = plan.get_arm(run.arm), request.device, request.precision
    place = locate_code(arm.code, request.repository)
    source = replace(request.source, revision=plan.corpus["revision"])  # upstream may move between two runs
    arguments = [
        *build_arguments(arm.recipe, plan.preset, arm.settings, source, run.seed, device, precision, folder),
        f"--arm={arm.name}",
        f"--plan-sha256={plan_sha256}",
        "--resume",
        *more,
    ]
    if beside is not None:
        arguments.append(f"--beside={beside}")
    if arm.code is None:
        return build_job(run.folder_name, arguments, source, folder, place)
    if arm.code.revision is not None:
        arguments += [f"--code-commit={arm.code.commit}", f"--code-tree={arm.code.tree}"]
    return build_job(run.folder_name, fit_arguments(arguments, place, arm.name), source, folder, place)


def build_job(name: str, arguments: list[str], source: CorpusSource, folder: Path, place: Path = PLACE) -> Job:
    """The job of the training program in `place` with these arguments, which name `source` and `folder`."""
    dataset = find_cached(source.revision) if source.data == HUB else None
    return Job(
        name=name,
        argv=tuple(build_command(MODULE, *arguments, place=place)),
        folder=folder,
        journal=folder / JOURNAL_NAME,
        env=ENVIRONMENT | ({} if dataset is None else {CACHE_VARIABLE: str(find_root(dataset))}),
        packages=place,
        inputs=() if source.data in (SYNTHETIC, HUB) else (Path(source.data),),
        dataset=dataset,
    )


def train_for(num_steps: int | None, job: Job, launcher: Launcher) -> dict[str, Any] | str:
    """The record of a job's run, trained alone for `num_steps` steps (None: to its end), or what ended it."""
    return read_end(job, run_alone(launcher, job if num_steps is None else stop_after(num_steps, job)))


def stop_after(num_steps: int, job: Job) -> Job:
    """The job that trains no further."""
    return replace(job, argv=(*job.argv, f"--stop-after={num_steps}"))


def read_end(job: Job, outcome: Outcome) -> dict[str, Any] | str:
    """The record of a job's run that ended well, or what ended it."""
    return load_run_record(job.folder) if outcome.exit_code == EXIT_DONE else outcome.message


class TrainingTask:
    """A run of ours while it goes on: its journal is shown and logged as it grows, and it is held to be like others."""

    def __init__(self, comparison: Path, job: Job, progress: RunProgress, alike: Alike, code: Code | None) -> None:
        self._comparison, self.job, self._progress, self._alike, self._code = comparison, job, progress, alike, code
        make_folder(job.folder)
        self._record = job.folder / RECORD_NAME
        self._is_refused = False
        self._is_new = not self._record.exists()
        self._checked_ns = self._get_record_time()
        self._follower = JournalFollower(job.journal)
        self._log = TensorBoardLog(comparison / TENSORBOARD_FOLDER / job.folder.name)

    def watch(self) -> None:
        if (written_ns := self._get_record_time()) != self._checked_ns:
            self._checked_ns = written_ns
            self._check_alike()
        events = self._follower.read_new()
        self._log.write(events)
        self._progress.show(events)

    def restart(self, reason: str) -> None:
        self._progress.note(f"begins again, from what has come back: {reason}")

    def close(self) -> None:
        self._log.close()
        if self._is_refused and self._is_new:
            shutil.rmtree(self.job.folder, ignore_errors=True)  # or --resume would meet a run that cannot go on here

    def finish(self, outcome: Outcome) -> str | None:
        self.close()
        if outcome.exit_code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        exit_code, message = outcome.exit_code, outcome.message
        if exit_code == EXIT_DONE and is_complete(self.job.folder):
            self._progress.finish("complete")
            return None
        if exit_code == EXIT_DONE:
            exit_code, message = RunError.exit_code, "its process ended well and left no whole run"
        if exit_code not in REFUSALS:  # what was refused wrote nothing: the record is another process's
            mark_failed(self.job.folder, self._describe_failure(exit_code, message))
        where = ""
        if outcome.errors:
            kept = save_errors(self._comparison, self.job.folder, outcome.errors)
            where = f"; all it said is in {self._comparison / kept}"
        self._progress.finish(f"failed: {message}{where}")
        for kind in (RequestError, StoredResultsError, MachineError):
            if exit_code == kind.exit_code:
                raise kind(f"{self.job.name}: {message}")
        return message

    def _check_alike(self) -> None:
        try:
            self._alike.check(self.job.folder, self._code)
        except RequestError:
            self._is_refused = True
            raise

    def _get_record_time(self) -> int | None:
        return self._record.stat().st_mtime_ns if self._record.exists() else None

    def _describe_failure(self, exit_code: int, message: str) -> str:
        """Why the run ended, for its record, which holds no path."""
        if exit_code > EXIT_SIGNAL or exit_code == RunError.exit_code:
            return message
        plain = make_inert(hide_folders(message, self._comparison))
        return f"it ended with exit code {exit_code}{': ' if plain else ''}{plain}"
