"""Time, memory and sizes of judging many logs at once: `python -m benchmarks.many_logs --number 130`.

The logs are made here, in the shape of the task's own program; goals: 130 in 60 s and 700 MB, a summary under 60,000
characters.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUMMARY_NAME = "PERFORMANCE_SUMMARY.md"
NUM_STEPS, STEPS_PER_EPOCH, EPOCHS = 938, 134, 7
BLOCK_SIZE, BATCH_SIZE = 128, 64
NUM_TRAIN_TOKENS = 1_102_000
FIRST_LOSS, FIRST_TRAINING_LOSS = 2.1, 9.774


def make_log(path: Path, final: float, place: int) -> None:
    """Writes one log whose validation loss falls from the first one to `final`."""
    settings = {
        "block_size": BLOCK_SIZE,
        "batch_size": BATCH_SIZE,
        "vocab_size": 16_000,
        "epochs": EPOCHS,
        "seed": 1337,
    }
    lines = [
        {"event": "hyperparameters_configured", **settings, "num_titles": 100_000, "val_frac": 0.1, "lr": 1e-3 + place},
        {"event": "dataset_info", "titles_count": 90_000, "epochs": EPOCHS, "batches_per_epoch": STEPS_PER_EPOCH,
         "tokens_per_epoch": NUM_TRAIN_TOKENS, "vocab_size": 16_000},
        {"event": "model_info", "parameters_count": 27_172_864},
    ]  # fmt: skip
    for step in range(1, NUM_STEPS + 1):
        loss = final + (FIRST_LOSS - final) * math.exp(-4 * (step - 1) / NUM_STEPS)
        common = {"step": step, "max_steps": NUM_STEPS, "elapsed_time": 0.9 * step}
        lines.append({"event": "training_step", **common, "loss": FIRST_TRAINING_LOSS * loss / FIRST_LOSS})
        if step == 1 or step % (STEPS_PER_EPOCH // 3) == 0 or step == NUM_STEPS:
            lines.append({"event": "validation_step", **common, "loss": loss})
    path.write_text("".join(f"{json.dumps(line | {'timestamp': 1.7e9 + place})}\n" for line in lines), encoding="utf-8")


def measure(num_logs: int, out: Path | None) -> str:
    """Judges so many logs in a process of its own, and says what it took."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = [f"wd{place:03}" for place in range(num_logs)]
        for place, name in enumerate(names):
            make_log(root / f"{name}.log", 1.2 + 0.004 * place, place)
        target = out or root / "out"
        words = [sys.executable, "-m", "harness", "compare", "--out", str(target), "--from"]
        begun = time.monotonic()
        done = subprocess.run([*words, *(str(root / f"{name}.log") for name in names)], capture_output=True,
                              env=os.environ, check=False)  # fmt: skip
        taken = time.monotonic() - begun
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        num_chars = len((target / SUMMARY_NAME).read_text(encoding="utf-8"))
        printed = len(done.stdout.decode().splitlines())
    return (
        f"{num_logs} logs: exit code {done.returncode}, {taken:.1f} s ({used.ru_utime + used.ru_stime:.1f} s of "
        f"processor time), {used.ru_maxrss / 1024:.0f} MB at most, summary of "
        f"{num_chars:,} characters, {printed} lines printed"
    )


def main() -> None:
    """Prints one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=130)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    print(measure(given.number, given.out))


if __name__ == "__main__":
    main()
