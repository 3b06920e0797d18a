"""A real training, killed at seeded random moments and resumed, ends exactly as the one that was never interrupted.

`python -m pytest tests/test_kill.py --kills 100` kills more often than the suite does.
"""

import fcntl
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SETTINGS = {
    "num_titles": 400,
    "vocab_size": 300,
    "n_layer": 1,
    "n_head": 2,
    "d_model": 16,
    "block_size": 16,
    "batch_size": 8,
}
CLOCKS = ("timestamp", "elapsed_time", "train_elapsed_s")


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mainrun.train", "--recipe=optimized", f"--out={folder}", "--resume"]
    command += ["--checkpoint-every-s=0", *(f"--set={key}={value}" for key, value in SETTINGS.items())]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(folder: Path) -> None:
    process = start(folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def read_measurements(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "mainrun.log").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    return [
        {key: value for key, value in event.items() if key not in CLOCKS}
        for event in events
        if event["event"] in ("training_step", "validation_step")
    ]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    finish(folder)
    return folder


def test_a_killed_training_resumes_to_the_same_bits(
    uninterrupted: Path, tmp_path: Path, kill_seed: int, record_property: Any
) -> None:
    moments = random.Random(kill_seed)
    folder = tmp_path / "run"
    process = start(folder)
    journal, first_lines = folder / "mainrun.log", moments.randrange(1, 300)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") >= first_lines:
            break
        time.sleep(0.001)
    time.sleep(moments.random() * 0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the training ended before it was killed"
    finish(folder)
    record, due = (json.loads((run / "run.json").read_text(encoding="utf-8")) for run in (folder, uninterrupted))
    assert record["final_weights_sha256"] == due["final_weights_sha256"]
    assert record["title_losses_sha256"] == due["title_losses_sha256"]
    assert read_measurements(folder) == read_measurements(uninterrupted)
    assert not (folder / "checkpoint").exists()


def test_a_training_ends_with_the_harness_that_started_it_and_was_killed(tmp_path: Path) -> None:
    settings = [f"--set={key}={value}" for key, value in {**SETTINGS, "num_titles": 6000}.items()]
    command = [sys.executable, "-m", "harness", "compare", *settings, f"--out={tmp_path / 'out'}"]
    harness = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = tmp_path / "out" / "runs" / "baseline-s1337" / "mainrun.log"
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 5)
    harness.kill()
    harness.wait()
    wait_for(lambda: not is_locked(journal))
    assert json.loads((journal.parent / "run.json").read_bytes())["status"] == "running"


def wait_for(condition: Callable[[], bool], at_most_s: float = 120) -> None:
    deadline = time.monotonic() + at_most_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
