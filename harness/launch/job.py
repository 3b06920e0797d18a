"""A job: one run as plain data, which can be started here, beside others or elsewhere; and who starts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from harness.processes import POLL_S

LOCAL = "local"
"""The launcher that starts processes of this machine."""
KEEP_WEIGHTS, KEEP_CHECKPOINTS = "--keep-weights", "--keep-checkpoints"
"""Words of a job whose last weights, or all of its checkpoints, are kept."""


@dataclass(frozen=True)
class Job:
    """Everything one run needs to start anywhere, whichever program it runs."""

    name: str
    """Unlike that of every other job which runs at the same time."""
    argv: tuple[str, ...]
    folder: Path
    """Where the run leaves what it makes."""
    journal: Path
    """What the run appends to while it goes on."""
    cwd: Path | None = None
    """None is the folder of the process that starts it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """On top of the environment of the process that starts it."""
    output: Path | None = None
    """File for the end of what the run prints; None keeps it until the run has ended, for the outcome."""
    stall_s: float | None = None
    """A run whose journal does not grow for so many seconds is ended; None: it may take its time."""
    own_session: bool = False
    """Whether the run has a session of its own, so that what it started is ended with it."""
    num_threads: int | None = None
    """How many threads it computes with; None leaves that to the environment."""
    packages: Path | None = None
    """Folder of the packages of ours that it runs, which travel with it; None: the program has to be there."""
    inputs: tuple[Path, ...] = ()
    """Files it reads, which travel with it."""
    dataset: Path | None = None
    """The hub's dataset in the cache that its environment names, a folder of files which travel with it."""
    own_gpu: bool = False
    """Whether it gets one GPU for itself, where the machine has any; otherwise it sees all there are."""


@dataclass(frozen=True)
class Outcome:
    """How a run's process ended."""

    exit_code: int
    """Of the table both programs share; 128 + n for a process ended by signal n."""
    message: str
    """What ended it, or the last line it printed; '' where it ended well."""
    errors: str = ""
    """The end of all it printed, where the job names no file for it."""
    is_lost: bool = False
    """Whether the place it ran at was lost, through no fault of the run: it may be begun again."""


class Launcher(Protocol):
    """Runs jobs, as many at once as are started. It holds what runs; whoever starts a job polls until it has ended."""

    def start(self, job: Job) -> None:
        """Begins a job; one that cannot be begun has an outcome that says so.

        Raises `MachineError` where the machine refuses a file.
        """

    def poll(self, wait_s: float) -> dict[str, Outcome]:
        """The outcomes of the jobs that ended since the last call, by name; waits so long for the first of them."""

    def stop(self) -> None:
        """Ends every job that still runs, and returns when none does."""


def run_alone(launcher: Launcher, job: Job) -> Outcome:
    """Runs one job to its end where no other runs; ends it where the caller is interrupted."""
    return run_to_their_ends(launcher, [job], 1)[job.name]


def run_to_their_ends(launcher: Launcher, jobs: Sequence[Job], num_at_once: int) -> dict[str, Outcome]:
    """Runs jobs that nobody follows, so many at once, where no others run; their outcomes by name.

    Ends all of them where the caller is interrupted.
    """
    waiting, num_running = iter(jobs), 0
    outcomes: dict[str, Outcome] = {}
    try:
        while len(outcomes) < len(jobs):
            for job in islice(waiting, num_at_once - num_running):
                launcher.start(job)
                num_running += 1
            ended = launcher.poll(POLL_S)
            outcomes |= ended
            num_running -= len(ended)
    except BaseException:
        launcher.stop()
        raise
    return outcomes
