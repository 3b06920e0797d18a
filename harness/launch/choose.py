"""From what was asked to who starts the runs, and whether they could be started at all."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.launch.job import LOCAL, Launcher
from harness.processes import build_command
from mainrun.devices import NO_CUDA
from mainrun.record.errors import RequestError

LAUNCHERS = (LOCAL, "ray")
"""What `--launcher` takes: processes of this machine, or tasks of a Ray cluster."""
CHECKPOINT_MINUTES = 10.0
"""How often a checkpoint comes back from a cluster where nobody says it."""


@contextmanager
def open_launcher(
    name: str,
    address: str | None,
    num_at_once: int | None,
    num_threads: int | None,
    *,
    wants_gpu: bool,
    checkpoint_minutes: float | None,
    say: Callable[[str], None],
) -> Iterator[tuple[Launcher, int, int | None]]:
    """The launcher of a name in `LAUNCHERS`, how many runs at once, and with how many threads each.

    The two numbers are as given; else one run here, and on a cluster as many as there is room for. `say` gets what the
    cluster has to say while runs wait. Raises `RequestError` for an address without a cluster, `MachineError` where
    there is no Ray or none is reached.
    """
    if name == LOCAL:
        from harness.launch.local import LocalLauncher

        if address is not None:
            raise RequestError("--address names a cluster and goes with --launcher ray.")
        yield LocalLauncher(), num_at_once or 1, num_threads
        return
    from harness.launch.cluster import open_cluster

    with open_cluster(address, checkpoint_minutes or CHECKPOINT_MINUTES, say) as cluster:
        num_at_once, num_threads = cluster.share(num_at_once, num_threads, wants_gpu=wants_gpu)
        yield cluster, num_at_once, num_threads


def check_device(name: str) -> None:
    """Raises `RequestError` where a GPU is asked for and torch, which is asked in a process of its own, finds none."""
    if name != "cuda":
        return
    done = subprocess.run(build_command("mainrun.devices"), stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode == RequestError.exit_code:
        raise RequestError(NO_CUDA)
