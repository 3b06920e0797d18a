"""The loop that runs: so many runs at once, in the order given, each followed while it goes on."""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from harness.launch.job import Job, Launcher, Outcome
from harness.processes import POLL_S

MAX_RESTARTS = 3
"""How often a run whose place was lost is begun again."""


class Task(Protocol):
    """A run that is to be started, followed and concluded."""

    @property
    def job(self) -> Job: ...

    def watch(self) -> None:
        """Called a few times a second while the run goes on, and once when it has ended."""

    def restart(self, reason: str) -> None:
        """Makes ready to be started again, from what has come back, because the place of the run was lost."""

    def finish(self, outcome: Outcome) -> str | None:
        """Concludes the run; returns why it failed, None where it did not.

        Raises what ended it where that would end every other run too.
        """

    def close(self) -> None:
        """Lets go of what it holds, where the run was not concluded."""


def run_tasks(tasks: Iterator[Task], launcher: Launcher, num_at_once: int = 1) -> dict[str, str]:
    """Runs all tasks, `num_at_once` at a time; returns why those that failed did, by the job's name.

    The next task is asked for when there is room for it. A run whose place is lost is started again, `MAX_RESTARTS`
    times at most. Whatever is raised, an interruption by the user or what one run says of all, ends every run that
    goes on; each is as far as its own files say.
    """
    running: dict[str, Task] = {}
    failures: dict[str, str] = {}
    restarts: Counter[str] = Counter()
    try:
        while True:
            while len(running) < num_at_once and (task := next(tasks, None)) is not None:
                running[task.job.name] = task
                launcher.start(task.job)
            if not running:
                return failures
            ended = launcher.poll(POLL_S)
            for task in running.values():
                task.watch()
            for name, outcome in ended.items():
                if outcome.is_lost and restarts[name] < MAX_RESTARTS:
                    restarts[name] += 1
                    running[name].restart(outcome.message)
                    launcher.start(running[name].job)
                elif (reason := running.pop(name).finish(outcome)) is not None:
                    failures[name] = reason
    except BaseException:
        try:
            launcher.stop()
        finally:
            for task in running.values():
                task.close()
        raise
