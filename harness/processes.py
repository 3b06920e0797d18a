"""How this program starts processes of its own, ends them, tells how they ended, and ends itself."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

PLACE = Path(__file__).resolve().parents[1]
"""The folder our packages stand in."""

POLL_S = 0.3
"""How often what runs is looked after."""
GRACE_S = 20.0
"""How long interrupted processes may take to end by themselves."""


def build_command(module: str, *arguments: str, place: Path = PLACE) -> list[str]:
    """The command that runs a module of ours by its place, whatever else is called so where it runs."""
    return [sys.executable, "-P", str(PLACE / "harness" / "start.py"), str(place), module, *arguments]


def end_as_by_ctrl_c() -> None:
    """Lets SIGTERM and a terminal that is closed end the program as Ctrl-C does; under `nohup` the latter does not."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def end_processes(running: Mapping[subprocess.Popen[bytes], Callable[[int], object]]) -> None:
    """Ends processes that may still run, all at once; each is given with what sends it a signal.

    They are sent SIGTERM, as SIGINT is ignored by what a script began in the background. One that does not end by
    itself in `GRACE_S`, or not before the user interrupts again, is killed.
    """
    running = {process: send for process, send in running.items() if process.poll() is None}
    for send in running.values():
        send(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    try:
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        for process, send in running.items():
            if process.poll() is None:
                send(signal.SIGKILL)
                with suppress(subprocess.TimeoutExpired):  # of another user's process, which is not ours to kill
                    process.wait(GRACE_S)


def describe_signal(number: int) -> str:
    """How a process ended that a signal ended; out of memory is told by its signal alone."""
    name = name_signal(number)
    hint = ", as the system does where memory runs out" if number == signal.SIGKILL else ""
    return f"the process was ended by {name}{hint}"


def name_signal(number: int) -> str:
    """`SIGTERM` and the like."""
    try:
        return signal.Signals(number).name
    except ValueError:  # those for real time have no names but the first and the last
        return f"signal {number}"
