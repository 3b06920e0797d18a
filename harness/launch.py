"""Starting runs: one small interface, and the launcher for this machine. A run hands back its folder."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
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
                _end(process)
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
    name = signal.Signals(number).name
    hint = ", as the system does where memory runs out" if number == signal.SIGKILL else ""
    return f"the process was ended by {name}{hint}"


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
        output = job.output.open("wb")
    except OSError as error:
        raise unwritable(job.output, error) from error
    with output:
        try:
            process = subprocess.Popen(
                arm.command, cwd=arm.cwd, env={**os.environ, **arm.env}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError as error:
            return Outcome(RunError.exit_code, f"{Path(arm.command[0]).name} cannot be started: {error.strerror}")
        exit_code = _wait(process, job.measure, arm.stall_s, watch)
    watch()
    last = _cut_output(job.output)
    if exit_code is None:
        return Outcome(RunError.exit_code, f"its journal did not grow for {arm.stall_s:g} s; the command was ended")
    if exit_code < 0:
        return Outcome(128 - exit_code, f"ended by {signal.Signals(-exit_code).name}")
    return Outcome(exit_code, "" if exit_code == 0 else last)


def _wait(
    process: subprocess.Popen[bytes], measure: Callable[[], int], stall_s: float, watch: Callable[[], None]
) -> int | None:
    """The exit code, or None where the journal stopped growing and the process was ended for it."""
    num_bytes, grown_at = -1, time.monotonic()
    try:
        while True:
            try:
                return process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                watch()
            if measure() != num_bytes:
                num_bytes, grown_at = measure(), time.monotonic()
            elif time.monotonic() - grown_at > stall_s:
                _end(process)
                return None
    except BaseException:
        _end(process)
        raise


def _cut_output(path: Path) -> str:
    """Keeps the last part of an output that is too long; returns its last line."""
    content = path.read_bytes()
    if len(content) > MAX_OUTPUT_BYTES:
        content = b"[cut]\n" + content[-MAX_OUTPUT_BYTES:]
        with atomic_write(path) as file:
            file.write(content)
    lines = content[-4096:].decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
