"""What stands before the events of a log: bars, loggers and levels of one program, or the names of several."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.sources.logs import SAME_COVERAGE, Lines
from tests.harness.sources.reading import get_last, get_losses, read_text

LAST = (938, SAME_COVERAGE.final)
EVENTS: Lines = [event for event in SAME_COVERAGE.build() if event.get("step", 0) % 44 < 2 or event["step"] == 938]


def write(name: Callable[[int, str], str]) -> str:
    """The events, each behind what `name` gives for its step and kind."""
    return "".join(f"{name(event.get('step', 0), event['event'])}{json.dumps(event)}\n" for event in EVENTS)


def write_bar(step: int, _: str) -> str:
    """A bar of tqdm, whose unit turns over where it becomes faster."""
    rate = "1.02s/it" if step % 300 < 90 else "4.40it/s"
    return f"\r  4%| | {step - 1}/938 [00:40<12:00, 2.00s/it]\rTraining:   4%|#   | {step}/938 [00:40<12:00, {rate}]"


def write_logger(step: int, kind: str) -> str:
    return f"2024-05-01 12:00:{step % 60:02d},123 {'evaluator' if kind == 'validation_step' else 'trainer'} INFO "


ONE = {
    "a bar": write_bar,
    "a bar without an end": lambda step, _: f"{step}it [00:40, {'1.02s/it' if step < 300 else '4.40it/s'}]",
    "loggers": write_logger,
    "levels": lambda step, _: f"{'WARNING' if step % 300 < 90 else 'INFO'}:trainer: ",
}


@pytest.mark.parametrize("shape", ONE)
def test_a_bar_a_logger_or_a_level_before_an_event_makes_no_other_run(shape: str, tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.log", write(ONE[shape]))
    assert get_last(log) == LAST and len(get_losses(log, "training_step")) > 40
    assert "runs" not in " ".join(log.notes)


SEVERAL = {
    "ranks": lambda step, _: f"[rank{step % 2}]: ",
    "ranks of torchrun": lambda step, _: f"[default{step % 2}]:",
    "services": lambda step, _: f"{'wide' if step % 2 else 'deep'}  | ",
}


@pytest.mark.parametrize("shape", SEVERAL)
def test_names_of_several_programs_that_write_the_same_events_are_told_apart(shape: str, tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.log", write(SEVERAL[shape]))
    assert log.status == "failed" and "lines of several programs stand among each other" in str(log.reason)


def test_of_two_programs_one_after_the_other_the_last_is_judged(tmp_path: Path) -> None:
    first, second = (write(lambda *_, name=name: f"{name} | ") for name in ("wide", "deep"))
    log = read_text(tmp_path, "x.log", first + second)
    assert get_last(log) == LAST and "the file holds 2 runs" in " ".join(log.notes)


def test_a_console_with_carriage_returns_alone_is_read_in_linear_time(tmp_path: Path) -> None:
    steps = b"".join(b"[%d/4000] training_step: loss=2.5\r" % step for step in range(1, 4_001))
    started = time.process_time()
    log = read_text(tmp_path, "x.log", steps + b"[4000/4000] validation_step: loss=1.25 time=9s\r")
    assert time.process_time() - started < 2
    assert len(get_losses(log, "training_step")) == 4_000
    assert get_last(log) == (4_000, 1.25)
