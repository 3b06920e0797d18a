"""Runs of other programs: the job of an external arm's command, and what is made of its end."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from harness.launch.follow import LogFollower
from harness.launch.job import Job, Outcome
from harness.launch.progress import RunProgress
from harness.plan.arms_file import ExternalArm
from harness.plan.git import extract_tree
from harness.plan.plan import Plan, PlannedRun
from harness.sources.take_in import take_in_command
from harness.store.runs import CHECKOUT_FOLDER, WORK_FOLDER
from mainrun.record.errors import EXIT_DONE
from mainrun.record.files import make_folder

OUTPUT_NAME = "output.log"
MAX_MESSAGE_CHARS = 200
"""Of the last line that a command printed."""


def build_command_job(arm: ExternalArm, run: PlannedRun, folder: Path) -> Job:
    """The job that runs an arm's command with the run's seed; what it prints is kept in `folder`.

    `{out}` in the command is a folder of the run's own, which is made here, as is the checkout of a revision.
    """
    work = (folder / WORK_FOLDER).resolve()
    make_folder(work)
    filled = arm.fill(run.seed, work)
    if filled.repository is not None and filled.commit is not None:
        checkout = (folder / CHECKOUT_FOLDER).resolve()
        shutil.rmtree(checkout, ignore_errors=True)
        extract_tree(filled.repository, filled.commit, checkout)
        filled = replace(filled, cwd=checkout / filled.cwd)
    return Job(
        name=run.folder_name,
        argv=filled.command,
        folder=folder,
        journal=filled.journal_path,
        cwd=filled.cwd,
        env=filled.env,
        output=folder / OUTPUT_NAME,
        stall_s=filled.stall_s,
        own_session=True,
    )


class CommandTask:
    """A run of another program while it goes on; its journal is shown as far as it can be read, and then taken in."""

    def __init__(self, job: Job, plan: Plan, run: PlannedRun, plan_sha256: str, progress: RunProgress) -> None:
        self.job, self._plan_sha256, self._progress = job, plan_sha256, progress
        sources = ((source["arm"], source["seed"], source) for source in plan.sources or [])
        self._source = next(source for arm, seed, source in sources if (arm, seed) == (run.arm, run.seed))
        self._follower, self._began = LogFollower(self.job.journal), time.monotonic()

    def watch(self) -> None:
        self._progress.show(self._follower.read_new())

    def restart(self, reason: str) -> None:
        self._progress.note(f"begins again from the start: {reason}")
        work = self.job.folder / WORK_FOLDER
        shutil.rmtree(work, ignore_errors=True)
        make_folder(work)
        self._follower, self._began = LogFollower(self.job.journal), time.monotonic()

    def close(self) -> None:
        pass

    def finish(self, outcome: Outcome) -> str | None:
        end = None if outcome.exit_code == EXIT_DONE else _describe_end(outcome)
        observed_s = time.monotonic() - self._began
        content = self._follower.read_all()
        reason = take_in_command(self._source, self.job.folder, self._plan_sha256, content, end, observed_s)
        shutil.rmtree(self.job.folder / CHECKOUT_FOLDER, ignore_errors=True)
        self._progress.finish("complete" if reason is None else f"failed: {reason}")
        return reason


def _describe_end(outcome: Outcome) -> str:
    last = f": {outcome.message[:MAX_MESSAGE_CHARS]}" if outcome.message else ""
    return f"its command ended with exit code {outcome.exit_code}{last}"
