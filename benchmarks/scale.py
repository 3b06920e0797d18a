"""Does collecting and rendering grow linearly with rows? Comparisons of invented runs, 1,000 steps each."""

import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

ARMS = ("baseline", "optimized", "baseline", "optimized", "baseline")
NUM_RUNS = (5, 10, 20)


@dataclass(frozen=True)
class ReportCost:
    """What `python -m harness report` took for one comparison."""

    num_runs: int
    num_rows: int
    seconds: float
    peak_memory_bytes: int
    """Resident set of the largest process."""


def write_comparison(folder: Path, num_seeds: int) -> int:
    """Writes a comparison of five arms and so many seeds, 1,000 steps a run; returns its rows of measurements."""
    from harness.collect import load_metrics
    from harness.compare import run_comparison
    from harness.progress import ProgressDisplay
    from tests.harness.fakes import FakeLauncher, build_request, skip_rendering

    names = [f"{name}-{ARMS[: place + 1].count(name)}".removesuffix("-1") for place, name in enumerate(ARMS)]
    settings = {name: {"batch_size": "3", "epochs": "7"} for name in names}
    request = replace(build_request(folder, ARMS, tuple(range(1, num_seeds + 1)), settings))
    with skip_rendering():
        run_comparison(request, FakeLauncher(), ProgressDisplay(lambda text: None, is_terminal=False))
    return len(load_metrics(folder))


def measure_report_costs() -> list[ReportCost]:
    """Renders comparisons of 5, 10 and 20 runs, each by a process of its own."""
    costs = []
    with tempfile.TemporaryDirectory() as parent:
        for num_runs in NUM_RUNS:
            folder = Path(parent) / f"runs-{num_runs}"
            write = f"from pathlib import Path; from benchmarks.scale import write_comparison as w; \
print(w(Path({str(folder)!r}), {num_runs // len(ARMS)}))"
            num_rows = int(subprocess.run([sys.executable, "-c", write], check=True, capture_output=True).stdout)
            started = time.perf_counter()
            subprocess.run([sys.executable, "-m", "harness", "report", str(folder)], check=True, capture_output=True)
            seconds = time.perf_counter() - started
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
            costs.append(ReportCost(num_runs, num_rows, seconds, memory))
    return costs
