"""What of a machine each of several runs gets: threads, and a GPU of its own."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.launch.job import LOCAL, Job
from harness.plan.request import CompareRequest

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
"""Variables that the libraries of torch and of the tokenizer take their number of threads from."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"


def count_cores() -> int:
    """The cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no such list
        return os.cpu_count() or 1


def share_machine(job: Job, request: CompareRequest) -> Job:
    """The job with the threads of one of as many as are asked for at once, and a GPU where it is not alone."""
    num_at_once = request.jobs or 1
    num_threads = choose_num_threads(request.threads, num_at_once)
    own_gpu = request.device != "cpu" and (num_at_once > 1 or request.launcher != LOCAL)
    return replace(job, num_threads=num_threads, own_gpu=own_gpu)


def choose_num_threads(num_threads: int | None, num_at_once: int) -> int | None:
    """Threads of each of so many runs at once: as asked, else an equal part of the cores.

    None, which leaves it to the libraries, for a run alone.
    """
    if num_threads is not None or num_at_once == 1:
        return num_threads
    return max(1, count_cores() // num_at_once)


def limit_threads(num_threads: int | None) -> dict[str, str]:
    """The environment under which a process computes with so many threads; None changes nothing."""
    return {} if num_threads is None else dict.fromkeys(_THREADS, str(num_threads))


def share_nodes(
    nodes: Sequence[Mapping[str, float]], num_at_once: int | None, num_threads: int | None, *, wants_gpu: bool
) -> tuple[int, int]:
    """How many runs a cluster of such nodes has room for at once, and threads of each, where they are not given.

    A node is its numbers of `CPU` and `GPU`. Without either number, each run has the smallest node, or its part of one
    for each GPU.
    """
    cpus, gpus = ([int(node.get(kind, 0)) for node in nodes] for kind in ("CPU", "GPU"))
    if not wants_gpu:
        gpus = [0] * len(nodes)
    if num_threads is None:
        parts = [cpu // max(1, gpu) for cpu, gpu in zip(cpus, gpus, strict=True)]
        smallest = min((part for part in parts if part), default=1)
        num_threads = smallest if num_at_once is None else max(1, min(smallest, sum(cpus) // num_at_once))
    room = [cpu // num_threads for cpu in cpus]
    if any(gpus):
        room = [min(one, gpu) for one, gpu in zip(room, gpus, strict=True)]
    return num_at_once or max(1, sum(room)), num_threads


class Gpus:
    """The GPUs of this machine, given to jobs by turns: each time the one that fewest jobs have."""

    def __init__(self) -> None:
        self._holders: dict[str, list[str]] = {gpu: [] for gpu in find_gpus()}

    def take(self, name: str) -> dict[str, str]:
        """The environment in which the job of that name sees one GPU; nothing where there is none."""
        if not self._holders:
            return {}
        gpu = min(self._holders, key=lambda gpu: len(self._holders[gpu]))
        self._holders[gpu].append(name)
        return {_VISIBLE: gpu}

    def give_back(self, name: str) -> None:
        """Takes the GPU of a job that has ended back."""
        for holders in self._holders.values():
            if name in holders:
                holders.remove(name)


def find_gpus(devices: Path = Path("/dev")) -> list[str]:
    """What names each NVIDIA GPU that this process may use: as the environment says, else all the machine has.

    CUDA counts what it finds from 0; the numbers of the device files may be others, as in a container with one of many.
    """
    if (visible := os.environ.get(_VISIBLE)) is not None:
        return [name for name in visible.split(",") if name.strip()]
    files = [path for path in devices.glob("nvidia[0-9]*") if path.name.removeprefix("nvidia").isdigit()]
    return [str(number) for number in range(len(files))]
