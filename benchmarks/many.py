"""Many runs at once, and what Ray adds where it is there: `python -m benchmarks.many`, six minutes on an idle machine.

Six `quick` runs with one thread each, one after the other and two at once; what each launcher takes for a run that does
nothing; and how long the driver of a cluster is busy with what comes back.
"""

import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.launch.arrivals import Arrivals
from harness.launch.job import Job, run_alone
from harness.launch.local import LocalLauncher
from harness.launch.travel import load_packages
from harness.processes import PLACE
from mainrun.record.files import compute_sha256

SEEDS = "1,2,3"
NUM_IDLE = 10
WRITE_NOTHING = "import sys; open(sys.argv[1] + '/mainrun.log', 'w').close()"
CHECKPOINT_BYTES = 326_000_000
"""Of one checkpoint of the `mainrun` preset."""


def measure_compare_s(num_at_once: int) -> float:
    """Seconds of `compare` with six `quick` runs of one thread, reports included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "harness", "compare", "--device", "cpu", "--seeds", SEEDS, "--threads", "1"]
        command += ["--jobs", str(num_at_once), "--out", f"{folder}/comparison"]
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - started


def measure_idle_runs_s(launcher: Any) -> list[float]:
    """Seconds of each of some runs that do nothing, one after the other; the first one, which prepares, is left out."""
    seconds = []
    with tempfile.TemporaryDirectory() as parent:
        for number in range(NUM_IDLE + 1):
            folder = Path(parent) / f"run-{number}"
            folder.mkdir()
            argv = (sys.executable, "-c", WRITE_NOTHING, str(folder))
            job = Job(folder.name, argv, folder, folder / "mainrun.log", packages=PLACE, num_threads=1)
            started = time.perf_counter()
            outcome = run_alone(launcher, job)
            seconds.append(time.perf_counter() - started)
            assert outcome.exit_code == 0, outcome
    return seconds[1:]


def measure_arrival_s(num_bytes: int) -> float:
    """Seconds in which the driver checks and writes a file of so many bytes."""
    content = bytes(num_bytes)
    header = {"kind": "whole", "name": "checkpoint/a.pt", "sha256": compute_sha256(content)}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        Arrivals(Path(folder)).take(header, content)
        return time.perf_counter() - started


def print_spread(name: str, seconds: list[float]) -> None:
    """One line: median and range."""
    middle = sorted(seconds)[len(seconds) // 2]
    print(f"{name}: {middle:.2f} s ({min(seconds):.2f}–{max(seconds):.2f})", flush=True)


def open_ray() -> Any:
    """Ray's launcher on this machine; None where it is not installed."""
    if find_spec("ray") is None:
        return nullcontext()
    from harness.launch.cluster import open_cluster

    return open_cluster(None, 10.0, print)


def main() -> None:
    """Prints all figures."""
    print(f"programs that travel: {len(load_packages(PLACE).content):,} bytes")
    print(f"a checkpoint of {CHECKPOINT_BYTES:,} bytes arrives: {measure_arrival_s(CHECKPOINT_BYTES):.2f} s")
    print_spread("a run that does nothing, local", measure_idle_runs_s(LocalLauncher()))
    with open_ray() as launcher:
        if launcher is not None:
            print_spread("a run that does nothing, Ray", measure_idle_runs_s(launcher))
    one, two = measure_compare_s(1), measure_compare_s(2)
    print(
        f"six quick runs, one thread each: one after the other {one:.0f} s, two at once {two:.0f} s: {one / two:.2f} ×"
    )


if __name__ == "__main__":
    main()
