"""Running another program's command to its end, with all that it starts and that stays in its process group."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from harness.plan.arms_file import ExternalArm
from harness.processes import POLL_S, end_process, name_signal
from mainrun.record.errors import RunError
from mainrun.record.files import atomic_write, unwritable

MAX_OUTPUT_BYTES = 1_000_000
"""Of a command's output no more is kept, from its end."""
CUT = b"[cut]\n"
MAX_OUTPUT_FACTOR = 8
"""A command that still writes has its output cut at so many times as much."""
LEFT_OVER_S = 2.0
"""How long what a command left behind may take to end by itself."""


def run_command(
    arm: ExternalArm, output_path: Path, measure: Callable[[], int], watch: Callable[[], None]
) -> tuple[int, str]:
    """Exit code and last word of a command; one whose journal stops growing, as `measure` gives its bytes, is ended.

    What it prints goes to `output_path`, from its end no more than `MAX_OUTPUT_BYTES`. Exit codes are those of
    `Outcome`. Raises `MachineError` where the output cannot be written.
    """
    try:
        output = output_path.open("a+b")
        output.truncate(0)
    except OSError as error:
        raise unwritable(output_path, error) from error
    with output:
        try:
            # In a session of its own, so that what it starts can be ended with it and nothing else is.
            process = subprocess.Popen(
                arm.command, cwd=arm.cwd, env={**os.environ, **arm.env}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return RunError.exit_code, f"{Path(arm.command[0]).name} cannot be started: {error.strerror}"
        exit_code = _wait(process, partial(_keep_short, output, output_path), measure, arm.stall_s, watch)
        watch()
        last = _cut_output(output, output_path)
    if exit_code is None:
        return RunError.exit_code, f"its journal did not grow for {arm.stall_s:g} s; the command was ended"
    if exit_code < 0:
        return 128 - exit_code, f"ended by {name_signal(-exit_code)}"
    return exit_code, "" if exit_code == 0 else last


def _wait(
    process: subprocess.Popen[bytes],
    keep_short: Callable[[], None],
    measure: Callable[[], int],
    stall_s: float,
    watch: Callable[[], None],
) -> int | None:
    """The exit code, or None where the journal stopped growing; nothing that the command started runs on."""
    num_bytes, grown_at = -1, time.monotonic()
    try:
        while True:
            try:
                return process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                watch()
            keep_short()
            if measure() != num_bytes:
                num_bytes, grown_at = measure(), time.monotonic()
            elif time.monotonic() - grown_at > stall_s:
                return None
    finally:
        try:
            end_process(process, partial(_signal_group, process.pid))
        finally:
            _end_left_over(process.pid)


def _keep_short(output: BinaryIO, path: Path) -> None:
    """Cuts an output that a command still appends to, long before it could fill a disk."""
    try:
        if os.fstat(output.fileno()).st_size > MAX_OUTPUT_FACTOR * MAX_OUTPUT_BYTES:
            content = _read_end(output)
            output.truncate(0)
            output.write(CUT + content)
            output.flush()
    except OSError as error:
        raise unwritable(path, error) from error


def _read_end(output: BinaryIO) -> bytes:
    output.seek(max(0, output.seek(0, os.SEEK_END) - MAX_OUTPUT_BYTES))
    return output.read(MAX_OUTPUT_BYTES)


def _cut_output(output: BinaryIO, path: Path) -> str:
    """Keeps the last part of an output that is too long; returns its last line."""
    content = _read_end(output)
    if os.fstat(output.fileno()).st_size > MAX_OUTPUT_BYTES + len(CUT):
        with atomic_write(path) as file:
            file.write(CUT + content)
    lines = content[-4096:].decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def _end_left_over(group: int) -> None:
    """Ends what a command started and left behind; it would take the next run's time.

    What has ended and was not waited for still counts, so that this takes its whole time where nobody waits.
    """
    deadline = time.monotonic() + LEFT_OVER_S
    number: int = signal.SIGTERM
    try:
        while _signal_group(group, number) and time.monotonic() < deadline:
            number = 0
            time.sleep(LEFT_OVER_S / 40)
    finally:
        _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: int) -> bool:
    """Whether there was a process to send the signal to."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # the latter is macOS's word for one that has ended
        return False
    return True
