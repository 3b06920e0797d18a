"""Does collecting and rendering grow linearly with rows? Comparisons of invented runs, 1,000 steps each."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ARMS = ("baseline", "optimized", "baseline", "optimized", "baseline")
SIZES = ((2, 1), (5, 1), (5, 2), (5, 4))
"""Arms and seeds of the comparisons that are rendered."""
NUM_ROUNDS = 3
MEASURE = """
import resource, subprocess, sys, time
started = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A small process of its own, because Linux counts a parent's memory as its child's."""


@dataclass(frozen=True)
class ReportCost:
    """What `python -m harness report` took for one comparison."""

    num_runs: int
    num_rows: int
    seconds: list[float]
    """One a round."""
    peak_memory_bytes: int
    """Resident set of the largest process."""


def write_comparison(folder: Path, num_arms: int, num_seeds: int) -> int:
    """Writes a comparison of so many arms and seeds, 1,000 steps a run; returns its rows of measurements."""
    from harness.comparison import run_comparison
    from harness.launch.progress import ProgressDisplay
    from harness.store.measurements import load_metrics
    from tests.harness.fakes import FakeLauncher, build_request, skip_rendering

    names = [f"{name}-{ARMS[: place + 1].count(name)}".removesuffix("-1") for place, name in enumerate(ARMS[:num_arms])]
    settings = {name: {"batch_size": "3", "epochs": "7"} for name in names}
    request = build_request(folder, ARMS[:num_arms], tuple(range(1, num_seeds + 1)), settings)
    with skip_rendering():
        run_comparison(request, FakeLauncher(), ProgressDisplay(lambda text: None))
    return len(load_metrics(folder))


def measure_report_costs() -> list[ReportCost]:
    """Renders a comparison of each of `SIZES` several times, by a process of its own each time."""
    costs = []
    with tempfile.TemporaryDirectory() as parent:
        for num_arms, num_seeds in SIZES:
            num_runs = num_arms * num_seeds
            folder = Path(parent) / f"runs-{num_runs}"
            write = f"from pathlib import Path; from benchmarks.scale import write_comparison as w; \
print(w(Path({str(folder)!r}), {num_arms}, {num_seeds}))"
            num_rows = int(subprocess.run([sys.executable, "-c", write], check=True, capture_output=True).stdout)
            command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "harness", "report", str(folder)]
            rounds = [
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                for _ in range(NUM_ROUNDS)
            ]
            seconds, kilobytes = [float(first) for first, _ in rounds], max(int(second) for _, second in rounds)
            costs.append(ReportCost(num_runs, num_rows, seconds, 1024 * kilobytes))
    return costs
