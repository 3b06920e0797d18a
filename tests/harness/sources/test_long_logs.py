"""Logs of more steps than are kept: read as a stream, thinned out by rule, and told."""

import json
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.sources import one_run, runs
from harness.sources.log import read_log
from harness.sources.text import MAX_BYTES
from harness.store.locks import MAX_FILE_BYTES
from harness.store.runs import load_run
from mainrun.record.errors import RequestError
from tests.harness.sources.logs import BASELINE, SAME_COVERAGE, write_json
from tests.harness.sources.test_imports import compare, write

LIMIT = 1_000_000
"""What the tests take for the largest file."""
NUM_STEPS = 40_000
EVERY = 4_000


def write_long(path: Path, num_steps: int = NUM_STEPS, evaluated_every: int = EVERY) -> Path:
    common = {"max_steps": num_steps, "elapsed_time": 1.0, "timestamp": 1.0}
    with path.open("w", encoding="utf-8") as file:
        for step in range(1, num_steps + 1):
            line = {"event": "training_step", "step": step, "loss": 2 + 7 / step, **common}
            file.write(f"{json.dumps(line)}\n")
            if step == 1 or step % evaluated_every == 0:
                file.write(f"{json.dumps(line | {'event': 'validation_step', 'loss': 1 + 1 / step})}\n")
    return path


def test_a_long_run_keeps_every_evaluation_and_an_even_part_of_its_training_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_run, "MAX_TRAINING_STEPS", 1_000)
    log = read_log(write_long(tmp_path / "x.log", 39_999, 4_001), "x.log")
    training = [event["step"] for event in log.events if event["event"] == "training_step"]
    validation = {event["step"]: event["loss"] for event in log.events if event["event"] == "validation_step"}
    [stride] = {after - before for before, after in pairwise(training[2:-1])}
    assert training[:3] == [1, 2, stride] and training[-1] == 39_999 and 500 < len(training) < 2_000
    assert all(event["loss"] == 2 + 7 / event["step"] for event in log.events if event["event"] == "training_step")
    assert validation == {step: 1 + 1 / step for step in (1, *range(4_001, 39_999, 4_001))}
    left_out = 39_999 - len(training)
    assert f"of its training steps every {stride:,}th is kept, with the first two and the last: {left_out:,} are" in (
        " ".join(log.notes)
    )
    assert "are not in the log" not in " ".join(log.notes)


def test_memory_grows_with_what_is_kept_and_not_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_run, "MAX_TRAINING_STEPS", 1_000)
    path = write_long(tmp_path / "x.log")
    tracemalloc.start()
    try:
        read_log(path, "x.log")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < path.stat().st_size / 2


def test_steps_that_no_stride_takes_out_cost_no_more_than_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_run, "MAX_TRAINING_STEPS", 100)
    log = read_log(write_long(tmp_path / "x.log", 10_000, 1), "x.log")
    assert sum(event["event"] == "validation_step" for event in log.events) == 10_000
    assert sum(event["event"] == "training_step" for event in log.events) < 500


def test_more_evaluations_than_can_be_kept_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MAX_KEPT", 1_000)
    with pytest.raises(RequestError, match=r"^x.log: a run of more than 1,000 evaluations is not read\. Keep .*\.$"):
        read_log(write_long(tmp_path / "x.log", 2_000, 1), "x.log")


def test_a_log_that_can_be_taken_in_can_be_kept() -> None:
    assert MAX_BYTES == MAX_FILE_BYTES


def test_a_log_as_large_as_a_file_may_be_is_judged_and_a_larger_one_fails_and_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("harness.sources.text.MAX_BYTES", "harness.store.locks.MAX_FILE_BYTES"):
        monkeypatch.setattr(limit, LIMIT)
    contents = {"a": write_json(BASELINE.build()), "b": write_json(SAME_COVERAGE.build()), "c": b"epoch 1\n"}
    sizes = {"a": LIMIT, "b": LIMIT, "c": LIMIT + 1}
    padded = {name: content.ljust(sizes[name] - 1) + b"\n" for name, content in contents.items()}
    assert compare(write(tmp_path, **padded), tmp_path / "out") == 3
    assert load_run(tmp_path / "out/runs/c-s1337").record["reason"].startswith("c.log has 1,000,001 bytes; a file of a")
    assert not (tmp_path / "out/runs/c-s1337/source.log").exists()
    assert main(["verify", str(tmp_path / "out")]) == 0
