"""Fields of events as other programs write them: plans that change, times of single steps, numbers in quotes."""

import json
from pathlib import Path
from typing import Any

from tests.harness.sources.reading import get_last, get_losses, read_text


def write_steps(planned: int, steps: list[int]) -> str:
    return "".join(f"[{step}/{planned}] validation_step: loss={2 - step / 2000:.4f}\n" for step in steps)


def test_a_run_that_goes_on_to_a_longer_plan_has_its_last_step_there(tmp_path: Path) -> None:
    first = write_steps(938, [44, 88, 132, 500, 938])
    log = read_text(tmp_path, "x.log", first + write_steps(1876, [1000, 1400, 1876]))
    assert get_last(log) == (1876, 1.062) and {event["max_steps"] for event in log.events} == {1876}
    assert "1,876, to which the run goes on beyond 938, is taken" in " ".join(log.notes)
    log = read_text(tmp_path, "x.log", first + write_steps(1876, [1000, 1400]))
    assert log.status == "stopped" and "ends at step 1,400 of 1,876" in str(log.reason)


def test_one_odd_line_plans_no_longer_run(tmp_path: Path) -> None:
    for odd in (write_steps(1876, [937]), write_steps(1876, [1000])):
        log = read_text(tmp_path, "x.log", write_steps(938, [44, 88]) + odd + write_steps(938, [938]))
        assert get_last(log) == (938, 1.531) and "938, the most frequent, is taken" in " ".join(log.notes)


def write_events(times: list[float]) -> str:
    """A training step for each time, and an evaluation at the last."""
    last = len(times)
    lines: list[dict[str, Any]] = [
        {"event": "training_step", "step": step, "max_steps": last, "loss": 3.0, "time": time}
        for step, time in enumerate(times, 1)
    ]
    return "".join(f"{json.dumps(line)}\n" for line in [*lines, lines[-1] | {"event": "validation_step"}])


def get_times(log_text: str, folder: Path) -> tuple[list[float | None], str]:
    log = read_text(folder, "x.log", log_text)
    return [event["elapsed_time"] for event in log.events], " ".join(log.notes)


def test_times_of_single_steps_are_not_the_time_that_has_passed(tmp_path: Path) -> None:
    for times in ([0.25] * 20, [0.25, 0.26, 0.24, 0.27, 0.25, 0.26, 0.24]):
        found, notes = get_times(write_events(times), tmp_path)
        assert set(found) == {None} and "the times of its steps do not rise over the run" in notes


def test_times_that_rise_are_kept_after_a_restart_too(tmp_path: Path) -> None:
    for times in ([0.0, 0.0, 0.1, 0.1, 0.2], [1.0, 2.0, 3.0, 4.0, 0.5, 1.5, 2.5]):
        found, notes = get_times(write_events(times), tmp_path)
        assert found == [*times, times[-1]] and "do not rise" not in notes


def test_whole_floats_and_numbers_in_quotes_are_read_as_tables_read_them(tmp_path: Path) -> None:
    lines = [
        {"event": "validation_step", "step": 44.0, "max_steps": 100.0, "loss": 1.9},
        {"event": "validation_step", "step": "88", "max_steps": "100", "loss": "1.8"},
        {"event": "validation_step", "step": 100, "max_steps": 100, "loss": 1.7},
    ]
    log = read_text(tmp_path, "x.log", "".join(f"{json.dumps(line)}\n" for line in lines))
    assert get_losses(log) == {44: 1.9, 88: 1.8, 100: 1.7} and log.status == "imported"
    assert {type(event["step"]) for event in log.events} == {int}
    assert "numbers in quotes as numbers" in " ".join(log.notes)


def test_what_is_no_whole_number_or_can_be_read_in_two_ways_is_left_out(tmp_path: Path) -> None:
    lines = [
        {"event": "validation_step", "step": 44.5, "loss": 1.9},
        {"event": "validation_step", "step": "8 8", "loss": 1.8},
        {"event": "validation_step", "step": 90, "loss": "1,754"},
        {"event": "validation_step", "step": 100, "loss": 1.7},
    ]
    log = read_text(tmp_path, "x.log", "".join(f"{json.dumps(line)}\n" for line in lines))
    assert get_losses(log) == {100: 1.7} and "3 lines left out because unreadable" in " ".join(log.notes)
