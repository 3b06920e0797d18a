"""How long a user waits before anything happens: --help, the first step of a comparison, preparing 100,000 titles."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HARNESS = [sys.executable, "-m", "harness"]
PREPARE = "from mainrun.data.streams import prepare_data as p; from mainrun.data.corpus import CorpusSource as C; \
import sys, time; from mainrun.recipes import build_named_config as b; t = time.perf_counter(); \
p(b('baseline', 'mainrun', {}), C(sys.argv[1])); print(time.perf_counter() - t)"


def measure_help_s() -> float:
    """Seconds of `python -m harness --help`, the process's start included."""
    started = time.perf_counter()
    subprocess.run([*HARNESS, "--help"], check=True, capture_output=True)
    return time.perf_counter() - started


def measure_first_step_s() -> float:
    """Seconds from `compare` to the end of the first training step at `quick`, with nothing prepared before."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "comparison"
        journal = out / "runs" / "baseline-s1337" / "mainrun.log"
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        started = time.perf_counter()
        process = subprocess.Popen([*HARNESS, "compare", "--out", str(out)], stderr=subprocess.DEVNULL, env=environment)
        try:
            while not (journal.exists() and b'"training_step"' in journal.read_bytes()):
                assert process.poll() is None, "the comparison ended before its first step"
                time.sleep(0.02)
            return time.perf_counter() - started
        finally:
            process.terminate()
            process.wait()


def measure_preparation_s(data: str) -> tuple[float, float]:
    """Seconds of reading, tokenizer training and encoding at `mainrun`: once, and again from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PREPARE, data]
        first, again = (
            float(
                subprocess.run(
                    command, check=True, capture_output=True, env={**os.environ, "XDG_CACHE_HOME": folder}
                ).stdout
            )
            for _ in range(2)
        )
    return first, again
