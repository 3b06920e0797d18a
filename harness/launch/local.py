"""The launcher for this machine: each run is a fresh process."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from harness.launch.job import Job, Outcome
from harness.launch.output import Output
from harness.launch.shares import Gpus, limit_threads
from harness.processes import describe_signal, end_processes
from harness.start import LISTENED
from mainrun.record.errors import RunError

LOOK_S = 0.05
"""How often processes are looked at while an end is waited for."""
LEFT_OVER_S = 2.0
"""How long what a command left behind may take to end by itself."""


class LocalLauncher:
    """Runs jobs as processes of this machine, all that are started at once."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._not_begun: dict[str, Outcome] = {}
        self._gpus = Gpus()

    def start(self, job: Job) -> None:
        share = limit_threads(job.num_threads) | (self._gpus.take(job.name) if job.own_gpu else {})
        try:
            self._running[job.name] = _Running(job, share)
        except OSError as error:
            self._gpus.give_back(job.name)
            why = f"{Path(job.argv[0]).name} cannot be started: {error.strerror}"
            self._not_begun[job.name] = Outcome(RunError.exit_code, why)

    def poll(self, wait_s: float) -> dict[str, Outcome]:
        deadline = time.monotonic() + wait_s
        ended, self._not_begun = self._not_begun, {}
        while True:
            for name, running in list(self._running.items()):
                if (outcome := running.look()) is not None:
                    del self._running[name]
                    self._gpus.give_back(name)
                    ended[name] = outcome
            if ended or time.monotonic() >= deadline:
                return ended
            time.sleep(LOOK_S)

    def stop(self) -> None:
        running, self._running = list(self._running.values()), {}
        try:
            end_processes({one.process: one.send for one in running})
        finally:
            for one in running:
                one.close()


class _Running:
    """One job's process and what it prints."""

    def __init__(self, job: Job, share: Mapping[str, str]) -> None:
        """`share` is what the environment says of the job's share of the machine; the job's own has the last word.

        A program of ours ends with this process, even where it is killed; any other that outlives it holds its output.
        Raises `OSError` where it cannot be started.
        """
        self._job, self._output = job, Output(job.output)
        is_ours = job.packages is not None
        environment = {**os.environ, **share, **job.env, **({LISTENED: "1"} if is_ours else {})}
        try:
            self.process = subprocess.Popen(
                job.argv, cwd=job.cwd, env=environment, stdin=subprocess.PIPE if is_ours else subprocess.DEVNULL,
                stdout=self._output.file, stderr=subprocess.STDOUT, start_new_session=job.own_session,
            )  # fmt: skip
        except OSError:
            self._output.close()
            raise
        self._num_bytes, self._grown_at = -1, time.monotonic()

    def look(self) -> Outcome | None:
        """The outcome once the process has ended, or was ended because its journal stopped growing."""
        exit_code = self.process.poll()
        if exit_code is None:
            self._output.keep_short()
            if not self._has_stalled():
                return None
            end_processes({self.process: self.send})
        self._let_go()
        last, text = self._output.finish()
        if exit_code is None:
            message = f"its journal did not grow for {self._job.stall_s:g} s; the command was ended"
            return Outcome(RunError.exit_code, message, text)
        if exit_code < 0:
            return Outcome(128 - exit_code, describe_signal(-exit_code), text)
        return Outcome(exit_code, last.removeprefix("error: ") if exit_code else "", text)

    def close(self) -> None:
        """Ends what an ended process left behind, and keeps what it printed as far as it is written."""
        self._let_go()
        self._output.close()

    def send(self, number: int) -> bool:
        """Whether there was a process to send the signal to; where the job has a session, all of its group get it."""
        try:
            if self._job.own_session:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except (ProcessLookupError, PermissionError):  # the latter is macOS's word for one that has ended
            return False
        return True

    def _has_stalled(self) -> bool:
        if self._job.stall_s is None:
            return False
        if (num_bytes := _measure(self._job.journal)) != self._num_bytes:
            self._num_bytes, self._grown_at = num_bytes, time.monotonic()
        return time.monotonic() - self._grown_at > self._job.stall_s

    def _let_go(self) -> None:
        """Ends what a command started and left behind; it would take the next run's time.

        What has ended and was not waited for still counts, so that this takes its whole time where nobody waits.
        """
        if self.process.stdin is not None:
            self.process.stdin.close()
        if not self._job.own_session:
            return
        deadline = time.monotonic() + LEFT_OVER_S
        number: int = signal.SIGTERM
        try:
            while self.send(number) and time.monotonic() < deadline:
                number = 0
                time.sleep(LEFT_OVER_S / 40)
        finally:
            self.send(signal.SIGKILL)


def _measure(journal: Path) -> int:
    """Bytes of a journal; of a device or a pipe there are none to wait for."""
    try:
        return journal.stat().st_size if journal.is_file() else 0
    except OSError:
        return 0
