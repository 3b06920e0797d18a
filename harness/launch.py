"""Starting runs: one small interface, and the launcher for this machine. A run hands back its folder."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from harness.foreign.external import ExternalArm
from harness.plan import Arm, PlannedRun
from mainrun.corpus import CorpusSource
from mainrun.errors import RunError
from mainrun.files import atomic_write, unwritable

POLL_S = 0.3
MAX_OUTPUT_BYTES = 1_000_000
"""Of an external command's output no more is kept, from its end."""
CUT = b"[cut]\n"
MAX_OUTPUT_FACTOR = 8
"""A command that still writes has its output cut at so many times as much."""
LEFT_OVER_S = 2.0
"""How long what a command left behind may take to end by itself."""
GRACE_S = 20.0
"""How long an interrupted run may take to end by itself."""


@dataclass(frozen=True)
class Job:
    """Everything one run needs to start anywhere."""

    run: PlannedRun
    folder: Path
    arguments: list[str] = field(default_factory=list)
    """Of `python -m mainrun.train`."""
    external: ExternalArm | None = None
    """The command of another program, with its placeholders filled; then there are no `arguments`."""
    output: Path | None = None
    """Where the command's own output is kept."""
    measure: Callable[[], int] | None = None
    """Bytes that the command's journal has by now."""


@dataclass(frozen=True)
class Outcome:
    """How a run's process ended."""

    exit_code: int
    """Of the table both programs share; 128 + n for a process ended by signal n."""
    message: str
    """The last line it wrote to stderr, or ''."""
    errors: str = ""
    """All it wrote to stderr."""


class Launcher(Protocol):
    """Runs jobs to their end, one call a job."""

    def launch(self, job: Job, watch: Callable[[], None]) -> Outcome:
        """Runs `job`, calling `watch` a few times a second; ends the run where the caller is interrupted."""


class LocalLauncher:
    """Each run is a fresh process on this machine."""

    def launch(self, job: Job, watch: Callable[[], None]) -> Outcome:
        if job.external is not None:
            return _launch_external(job, job.external, watch)
        command = [sys.executable, "-m", "mainrun.train", *job.arguments]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
            try:
                while True:
                    try:
                        exit_code = process.wait(POLL_S)
                        break
                    except subprocess.TimeoutExpired:
                        watch()
            except BaseException:
                _end(process, process.send_signal)
                raise
            errors.seek(0)
            written = errors.read().decode(errors="replace")
        watch()
        if exit_code < 0:
            return Outcome(128 - exit_code, describe_signal(-exit_code), written)
        lines = written.strip().splitlines()
        return Outcome(exit_code, lines[-1].removeprefix("error: ") if lines else "", written)


def describe_signal(number: int) -> str:
    """How a process ended that a signal ended; out of memory is told by its signal alone."""
    name = _name_signal(number)
    hint = ", as the system does where memory runs out" if number == signal.SIGKILL else ""
    return f"the process was ended by {name}{hint}"


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # those for real time have no names but the first and the last
        return f"signal {number}"


def build_job(
    run: PlannedRun, arm: Arm, preset: str, source: CorpusSource, device: str, folder: Path, plan_sha256: str,
) -> Job:  # fmt: skip
    """The job that trains `run` in `folder`, going on from a checkpoint where there is one."""
    arguments = [
        f"--recipe={arm.recipe}",
        f"--preset={preset}",
        f"--data={source.data}",
        f"--title-column={source.title_column}",
        f"--seed={run.seed}",
        f"--out={folder}",
        f"--device={device}",
        f"--arm={arm.name}",
        f"--plan-sha256={plan_sha256}",
        "--resume",
        *(f"--set={key}={value}" for key, value in arm.settings.items()),
    ]
    if source.revision is not None:
        arguments.append(f"--data-revision={source.revision}")
    return Job(run, folder, arguments)


def _launch_external(job: Job, arm: ExternalArm, watch: Callable[[], None]) -> Outcome:
    """Runs another program's command; one whose journal stops growing is ended."""
    assert job.output is not None and job.measure is not None
    try:
        output = job.output.open("ab")
        output.truncate(0)
    except OSError as error:
        raise unwritable(job.output, error) from error
    with output:
        try:
            # In a session of its own, so that what it starts can be ended with it and nothing else is.
            process = subprocess.Popen(
                arm.command, cwd=arm.cwd, env={**os.environ, **arm.env}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return Outcome(RunError.exit_code, f"{Path(arm.command[0]).name} cannot be started: {error.strerror}")
        exit_code = _wait(process, job, arm.stall_s, watch)
    watch()
    last = _cut_output(job.output)
    if exit_code is None:
        return Outcome(RunError.exit_code, f"its journal did not grow for {arm.stall_s:g} s; the command was ended")
    if exit_code < 0:
        return Outcome(128 - exit_code, f"ended by {_name_signal(-exit_code)}")
    return Outcome(exit_code, "" if exit_code == 0 else last)


def _wait(process: subprocess.Popen[bytes], job: Job, stall_s: float, watch: Callable[[], None]) -> int | None:
    """The exit code, or None where the journal stopped growing; nothing that the command started runs on."""
    assert job.output is not None and job.measure is not None
    num_bytes, grown_at = -1, time.monotonic()
    try:
        while True:
            try:
                return process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                watch()
            _keep_short(job.output)
            if job.measure() != num_bytes:
                num_bytes, grown_at = job.measure(), time.monotonic()
            elif time.monotonic() - grown_at > stall_s:
                return None
    finally:
        _end(process, partial(_signal_session, process.pid))
        _end_left_over(process.pid)


def _keep_short(path: Path) -> None:
    """Cuts an output that a command still appends to, long before it could fill a disk."""
    try:
        if path.stat().st_size > MAX_OUTPUT_FACTOR * MAX_OUTPUT_BYTES:
            content = _read_end(path)
            with path.open("ab") as file:
                file.truncate(0)
                file.write(CUT + content)
    except OSError as error:
        raise unwritable(path, error) from error


def _read_end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_OUTPUT_BYTES))
        return file.read(MAX_OUTPUT_BYTES)


def _cut_output(path: Path) -> str:
    """Keeps the last part of an output that is too long; returns its last line."""
    content = _read_end(path)
    if path.stat().st_size > MAX_OUTPUT_BYTES + len(CUT):
        with atomic_write(path) as file:
            file.write(CUT + content)
    lines = content[-4096:].decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def _end(process: subprocess.Popen[bytes], send: Callable[[int], object]) -> None:
    """Ends a process that may still run: by SIGTERM, as SIGINT is ignored by what a script began in the background.

    One that does not end by itself, or not before the user interrupts again, is killed.
    """
    if process.poll() is not None:
        return
    send(signal.SIGTERM)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            send(signal.SIGKILL)
            process.wait()


def _end_left_over(session: int) -> None:
    """Ends what a command started and left behind; it would take the next run's time."""
    deadline = time.monotonic() + LEFT_OVER_S
    number: int = signal.SIGTERM
    while _signal_session(session, number) and time.monotonic() < deadline:
        number = 0
        time.sleep(LEFT_OVER_S / 40)
    _signal_session(session, signal.SIGKILL)


def _signal_session(session: int, number: int) -> bool:
    """Whether there was a process to send the signal to."""
    try:
        os.killpg(session, number)
    except (ProcessLookupError, PermissionError):  # the latter is macOS's word for one that has ended
        return False
    return True
