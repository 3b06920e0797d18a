"""What a run could not be started with, found before anything is begun."""

import subprocess

from harness.processes import build_command
from mainrun.devices import NO_CUDA
from mainrun.record.errors import RequestError


def check_device(name: str) -> None:
    """Raises `RequestError` where a GPU is asked for and torch, which is asked in a process of its own, finds none."""
    if name != "cuda":
        return
    done = subprocess.run(build_command("mainrun.devices"), stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode == RequestError.exit_code:
        raise RequestError(NO_CUDA)
