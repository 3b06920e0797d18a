"""A stored run trained again: from recipe, preset and settings as asked for, never from what it says it became."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.launch.errors_log import hide_folders
from harness.launch.job import Job, Launcher, Outcome, run_to_their_ends
from harness.launch.shares import count_cores
from harness.launch.training import build_job, read_end, stop_after, train_for
from harness.plan.arguments import build_arguments, fit_arguments
from harness.plan.code import locate_code_again
from harness.plan.plan import Plan
from harness.store.runs import StoredComparison, StoredRun
from mainrun.data.corpus import CorpusSource
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.files import compute_file_sha256, make_scratch_folder
from mainrun.record.run_record import TOKENIZER_NAME

NAME_END = "-again"
"""What the job's name has beyond the run's."""

MAX_AT_ONCE = 4
"""Runs that are begun at once: each holds half a gigabyte, and waits for its libraries more than for the processor."""


@dataclass(frozen=True)
class Again:
    """How runs of a comparison are trained again: each by the program of its arm."""

    comparison: StoredComparison
    source: CorpusSource
    """Where the titles are read again from."""
    launcher: Launcher
    repository: Path | None
    """That of the runs' programs; None is our own."""

    def locate_program(self, run: StoredRun) -> Path | str:
        """The folder in which the program of a run's arm stands again, or why git cannot give it."""
        return locate_code_again(run.arm, self.comparison.plan.get_arm(run.arm).code, self.repository)

    def train(self, run: StoredRun, num_steps: int | None, folder: Path, place: Path) -> dict[str, Any] | str:
        """The record of the same run made in `folder` up to `num_steps` (None: to its end), or why it cannot be here.

        It is trained by the program in `place`.

        Raises `StoredResultsError` where the record does not say on what it was trained.
        """
        job = self._build_job(run, folder, place)
        return job if isinstance(job, str) else _hide(run, train_for(num_steps, job, self.launcher))

    def begin_all(self) -> dict[str, dict[str, Any] | str]:
        """Every whole run of the training program begun again and stopped before its first step, by run folder.

        A record is given with the SHA-256 of the tokenizer that was made; a text says why a run cannot be begun here.
        """
        runs = [run for run in self.comparison.trained if run.is_complete]
        jobs: dict[str, Job | str] = {}
        with make_scratch_folder() as scratch:
            for run in runs:
                if (key := self._name_request(run)) not in jobs:
                    place = self.locate_program(run)
                    folder = scratch / run.folder.name
                    jobs[key] = place if isinstance(place, str) else self._build_job(run, folder, place)
            due = [stop_after(0, job) for job in jobs.values() if isinstance(job, Job)]
            outcomes = run_to_their_ends(self.launcher, due, min(MAX_AT_ONCE, count_cores()))
            made = {key: job if isinstance(job, str) else _read_beginning(job, outcomes) for key, job in jobs.items()}
        return {run.folder.name: _hide(run, made[self._name_request(run)]) for run in runs}

    def build_arguments(self, run: StoredRun, folder: Path, place: Path) -> list[str] | str:
        """What the program of a run's arm, in `place`, was asked with, for `folder`; or why it does not know that."""
        arm, machine = self.comparison.plan.get_arm(run.arm), run.record["machine"]
        asked, device, precision = _find_request(self.comparison.plan, run), machine["device"], machine["precision"]
        arguments = build_arguments(*asked, self.source, run.seed, device, precision, folder)
        try:
            return arguments if arm.code is None else fit_arguments(arguments, place, arm.name)
        except RequestError as error:
            return str(error)

    def _name_request(self, run: StoredRun) -> str:
        """The same of runs that begin as one."""
        plan = self.comparison.plan
        return repr((_find_request(plan, run), run.seed, run.record["machine"], plan.get_arm(run.arm).code))

    def _build_job(self, run: StoredRun, folder: Path, place: Path) -> Job | str:
        """The job that trains the run again, or goes on with that in `folder`; or why there can be none."""
        try:
            num_threads = run.record["machine"]["num_threads"]
            arguments = self.build_arguments(run, folder, place)
        except (KeyError, TypeError) as error:
            raise StoredResultsError(f"{run.folder.name} does not say how it was trained: {error}.") from None
        if isinstance(arguments, str):
            return arguments
        resume = ["--resume"] if folder.exists() else []
        job = build_job(f"{run.folder.name}{NAME_END}", [*arguments, *resume], self.source, folder, place)
        return replace(job, num_threads=num_threads, own_gpu=run.had_gpu)  # bits depend on both


def _read_beginning(job: Job, outcomes: Mapping[str, Outcome]) -> dict[str, Any] | str:
    record = read_end(job, outcomes[job.name])
    if isinstance(record, dict):
        record["tokenizer_sha256"] = compute_file_sha256(job.folder / TOKENIZER_NAME)
    return record


def _hide(run: StoredRun, record: dict[str, Any] | str) -> dict[str, Any] | str:
    """A text names no folder of this machine."""
    return hide_folders(record, run.folder.parents[1]) if isinstance(record, str) else record


def _find_request(plan: Plan, run: StoredRun) -> tuple[str, str, dict[str, Any]]:
    """Recipe, preset and settings: those of the plan, or of the run itself where it was taken in after it was made."""
    if "source" in run.record:
        asked = run.record["request"]
        return asked["recipe"], asked["preset"], asked["settings"]
    arm = plan.get_arm(run.arm)
    return arm.recipe, plan.preset, arm.settings
