"""Logs of other programs, shape by shape; and no change of one is silent."""

import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sources.log import read_log as read_file
from harness.sources.source_log import SourceLog
from harness.store.facts import read_facts
from mainrun.record.errors import RequestError
from tests.harness.sources.logs import BASELINE, Lines, Shape, write_console, write_json

SMALL = Shape(num_train_tokens=6_000, block_size=16, batch_size=16, vocab_size=300, first_training_loss=5.7)


def read_log(content: bytes, name: str) -> SourceLog:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "content").write_bytes(content)
        return read_file(Path(folder) / "content", name)


def losses(log: SourceLog) -> dict[int, float]:
    return {event["step"]: event["loss"] for event in log.events if event["event"] == "validation_step"}


def change(event: str, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Lines:
    return [edit(line) if line["event"] == event else line for line in BASELINE.build()]


PLAIN = losses(read_log(write_json(BASELINE.build()), "plain.log"))


def test_a_plain_log_gives_its_numbers_and_no_note() -> None:
    log = read_log(write_json(BASELINE.build()), "plain.log")
    assert (log.status, log.notes) == ("imported", [])
    assert len(PLAIN) == 23 and PLAIN[938] == pytest.approx(1.7533)


SAME = {
    "a byte-order mark": b"\xef\xbb\xbf" + write_json(BASELINE.build()),
    "carriage returns": write_json(BASELINE.build(), "\r\n"),
    "no end of the last line": write_json(BASELINE.build()).rstrip(b"\n"),
    "model_info first": write_json([BASELINE.build()[3], *BASELINE.build()[:3], *BASELINE.build()[4:]]),
    "a list of batches": write_json(change("dataset_info", lambda line: line | {"batches_per_epoch": [134] * 7})),
    "times in ISO 8601": write_json([line | {"timestamp": "2026-01-01T00:00:00"} for line in BASELINE.build()]),
    "other fields": write_json([line | {"throughput": 9e3, "adamw_lr": 1e-3, "ema": 1.0} for line in BASELINE.build()]),
}


@pytest.mark.parametrize("shape", SAME)
def test_shapes_that_change_nothing(shape: str) -> None:
    log = read_log(SAME[shape], "shape.log")
    facts = read_facts(log.events)
    assert losses(log) == PLAIN and log.status == "imported" and not log.notes and not facts.notes
    assert (facts.steps_per_epoch, facts.block_size, facts.evaluation_batch_size) == (134, 128, 64)


def rename(line: dict[str, Any]) -> dict[str, Any]:
    if line["event"] == "training_step":
        return {**line, "event": "train_step"}
    if line["event"] == "validation_step":
        rest = {key: value for key, value in line.items() if key not in ("loss", "elapsed_time")}
        return {**rest, "event": "val_step", "val_loss": line["loss"], "elapsed": line["elapsed_time"]}
    return line


EXTRA = [
    {"event": "scheduler_info", "timestamp": 1.0, "kind": "cosine"},
    {"event": "swa_validation_step", "timestamp": 1.0, "step": 938, "max_steps": 938, "swa_val_loss": 0.5},
    {"event": "Training is about to begin!", "timestamp": 1.0},
]
STATED: dict[str, tuple[bytes, str]] = {
    "renamed events": (write_json([rename(line) for line in BASELINE.build()]), "train_step as training_step"),
    "extra events": (write_json([*BASELINE.build(), *EXTRA]), "swa_validation_step (1)"),
    "half a line": (write_json(BASELINE.build()) + b'{"event": "valid', "the last, cut short"),
    "a line twice": (write_json([*BASELINE.build(), BASELINE.build()[-1]]), "of a step that was there before"),
    "text between": (b"hello\n" + write_json(BASELINE.build()), "1 line of other text"),
    "two runs in one file": (write_json([*Shape(final=1.2).build(), *BASELINE.build()]), "the file holds 2 runs"),
    "a cut run before": (write_json([*Shape(final=1.2).build()[:200], *BASELINE.build()]), "begin at the lines 1, 201"),
}


@pytest.mark.parametrize("shape", STATED)
def test_shapes_that_are_stated(shape: str) -> None:
    content, note = STATED[shape]
    log = read_log(content, "shape.log")
    assert losses(log) == PLAIN and log.status == "imported"
    assert note in " ".join(log.notes)


@pytest.mark.parametrize("field", ["loss", "full_loss_nats_per_char"])
def test_a_last_evaluation_that_is_given_again_with_another_loss_is_told_from_a_copy(field: str) -> None:
    lines = BASELINE.build()
    copied, changed = (read_log(write_json([*lines, last]), "x.log") for last in (lines[-1], lines[-1] | {field: 1.5}))
    assert "another loss" not in " ".join(copied.notes)
    assert changed.events[-1][field] == 1.5
    assert changed.notes == [
        f"validation_step of a step that was there before with another loss, the later one is taken: step 938 at line "
        f"{len(lines) + 1}"
    ]


def test_console_text_among_progress_bars() -> None:
    log = read_log(write_console(BASELINE.build()), "console.txt")
    assert losses(log) == pytest.approx(PLAIN, abs=1e-6)
    assert read_facts(log.events).num_train_tokens == 1_102_455
    odd = read_log(b"\r 98%|##| [  836/938] validation_step: loss=1.248248 time=876.56s\r\n", "console.txt")
    assert losses(odd) == {836: 1.248248} and odd.status == "stopped"


def test_a_console_that_ends_within_a_loss_gives_no_loss_there() -> None:
    text = write_console(BASELINE.build())
    log = read_log(text[: text.rindex(b"33")], "x.log")
    assert 938 not in losses(log) and "the last, cut short: nothing shows that its loss is whole" in " ".join(log.notes)


@pytest.mark.parametrize("begins_with", ["hyperparameters_configured", "validation_step"])
def test_of_two_runs_on_one_console_the_last_is_judged_and_none_of_the_first_is_left(begins_with: str) -> None:
    headers, evaluations = BASELINE.build()[:4], [x for x in BASELINE.build() if x["event"] == "validation_step"]
    second = evaluations if begins_with == "validation_step" else [*headers, *evaluations[1:]]
    first = Shape(final=1.2, evals_per_epoch=6, first_training_loss=9.7)
    log = read_log(write_console(first.build()) + write_console(second), "console.txt")
    assert losses(log) == pytest.approx({x["step"]: x["loss"] for x in second if "step" in x}, abs=1e-6)
    assert "the file holds 2 runs" in log.notes[0]


def test_a_run_that_died_before_its_first_step_takes_and_gives_nothing() -> None:
    dead, whole = Shape(batch_size=256).build()[:4], BASELINE.build()
    for lines, note in (([*dead, *whole], "line (1)"), ([*whole, *dead], f"line ({len(whole) + 1})")):
        log = read_log(write_json(lines), "x.log")
        assert losses(log) == PLAIN and read_facts(log.events).evaluation_batch_size == 64
        assert len(log.notes) == 1 and "without a step" in log.notes[0] and note in log.notes[0].replace(",", "")


def test_a_run_of_one_step_is_no_training() -> None:
    lines = [line | ({"max_steps": 1} if "step" in line else {}) for line in BASELINE.build()[:6]]
    log = read_log(write_json(lines), "x.log")
    assert log.status == "stopped" and "nothing is trained yet" in str(log.reason)


def test_the_evaluation_batch_beside_the_training_batch() -> None:
    lines = change("hyperparameters_configured", lambda line: {**line, "train_batch_size": 32, "batch_size": 64})
    facts = read_facts(read_log(write_json(lines), "x.log").events)
    assert (facts.training_batch_size, facts.evaluation_batch_size) == (32, 64)
    assert "evaluation's" in facts.notes[0]


def test_context_length_is_the_block_and_two_blocks_are_none() -> None:
    for extra, expected in (({"context_length": 128}, 128), ({"context_length": 256}, None)):
        lines = change("hyperparameters_configured", lambda line, extra=extra: {**line, **extra})  # type: ignore[misc]
        facts = read_facts(read_log(write_json(lines), "x.log").events)
        assert facts.block_size == expected
        assert bool(facts.notes) == (expected is None)


def test_counts_in_a_header_that_do_not_say_of_which_text_are_not_the_validation_texts() -> None:
    log = read_log(write_json(change("dataset_info", lambda line: line | {"num_tokens": 9, "num_chars": 9})), "x.log")
    facts = read_facts(log.events)
    assert (facts.num_validation_tokens, facts.num_validation_chars, facts.num_train_tokens) == (None, None, 1_102_455)


def test_a_date_is_no_time_that_has_passed_and_no_setting() -> None:
    lines = [line | {"time": line["timestamp"]} for line in BASELINE.build()]
    log = read_log(write_json([{k: v for k, v in line.items() if k != "elapsed_time"} for line in lines]), "x.log")
    assert {event.get("elapsed_time") for event in log.events} == {None}
    assert "time" not in read_facts(log.events).config


def test_a_log_that_stops_is_not_compared() -> None:
    log = read_log(write_json(BASELINE.build()[:500]), "x.log")
    assert log.status == "stopped" and "ends at step 484 of 938; its last evaluation is at step 484" in str(log.reason)


def test_a_last_step_without_evaluation_is_said() -> None:
    log = read_log(write_json(BASELINE.build()[:-1]), "x.log")
    assert log.status == "imported" and "938, was not evaluated" in log.notes[0] and max(losses(log)) == 924


def test_a_loss_that_is_not_finite_fails_the_run() -> None:
    lines = BASELINE.build()
    lines[700]["loss"] = float("nan")
    log = read_log(write_json(lines), "x.log")
    assert log.status == "failed" and "line 701" in str(log.reason)


@pytest.mark.parametrize("content", [b"", b"nothing\n", b'{"event": "training_step"}\n', b"\x00\xff" * 50])
def test_what_holds_no_loss_is_refused_with_file_and_line(content: bytes) -> None:
    with pytest.raises(RequestError, match=r"x\.log, line"):
        read_log(content, "x.log")


def test_no_folder_of_a_machine_is_kept() -> None:
    lines = change("hyperparameters_configured", lambda line: {**line, "data": "/srv/someone/x.bin", "user": "someone"})
    assert "someone" not in json.dumps(read_log(write_json(lines), "x.log").to_journal())


def test_a_long_log_costs_little_more_than_decoding_it() -> None:
    step = {"event": "training_step", "max_steps": 50_000, "loss": 5.0, "elapsed_time": 1.0, "timestamp": 1.0}
    lines: Lines = [*SMALL.build()[:4], *({**step, "step": number} for number in range(1, 50_001))]
    lines.append({**step, "event": "validation_step", "step": 50_000})
    content = write_json(lines)
    started = time.process_time()
    for line in content.splitlines():
        json.loads(line)
    decoded, started = time.process_time() - started, time.process_time()
    assert read_log(content, "x.log").status == "imported"
    assert time.process_time() - started < 4 * decoded + 1


MUTATIONS = ("drop", "duplicate", "swap", "cut", "type", "number", "rename")


def mutate(lines: list[str], how: str, random_source: random.Random) -> list[str]:
    place, other = (random_source.randrange(len(lines)) for _ in range(2))
    lines = list(lines)
    if how == "drop":
        del lines[place]
    elif how == "duplicate":
        lines.insert(other, lines[place])
    elif how == "swap":
        lines[place], lines[other] = lines[other], lines[place]
    elif how == "cut":
        lines = [*lines[:place], lines[place][: random_source.randrange(1, len(lines[place]))]]
    else:
        event = json.loads(lines[place])
        key = random_source.choice(sorted(event))
        if how == "rename":
            event[f"{key}_"] = event.pop(key)
        elif how == "type":
            event[key] = random_source.choice([None, "x", [], {}, True, -1])
        elif isinstance(event[key], int | float):
            event[key] = event[key] * 2 + 1
        lines[place] = json.dumps(event)
    return lines


@settings(max_examples=300, deadline=None)
@given(how=st.sampled_from(MUTATIONS), seed=st.integers(0, 10**9))
def test_no_mutation_changes_a_loss_in_silence(how: str, seed: int) -> None:
    """Every loss that is reported stands on a line of its step; what is gone, is said to be gone."""
    original = [json.dumps(line) for line in SMALL.build()]
    mutated = mutate(original, how, random.Random(seed))
    plain, expected = read_log("\n".join(original).encode(), "x.log"), SMALL.build()
    try:
        log = read_log("\n".join(mutated).encode(), "x.log")
    except RequestError as error:
        assert "x.log, line" in str(error)
        return
    written = [json.loads(line) for line in mutated[:-1] if line.endswith("}")]
    written += [json.loads(mutated[-1])] if mutated[-1].endswith("}") else []
    stated = {
        (json.dumps(line.get("step")), json.dumps(line.get("loss")))
        for line in written
        if line.get("event") == "validation_step"
    }
    found = losses(log)
    assert {(json.dumps(step), json.dumps(loss)) for step, loss in found.items()} <= stated
    facts, before = read_facts(log.events), read_facts(plain.events)
    due = {line["step"] for line in expected if line["event"] == "validation_step"}
    quiet = log.status == "imported" and not log.notes and not facts.notes
    if quiet and how != "number":
        values = {json.dumps(line.get(key)) for line in written for key in line}
        # A header that is gone leaves None, which the reports name; a loss that is gone is a step not evaluated.
        for name in ("block_size", "evaluation_batch_size", "num_train_tokens", "vocab_size"):
            now = getattr(facts, name)
            assert now in (None, getattr(before, name)) or json.dumps(now) in values
        assert set(found) <= due
        assert all(found[step] == losses(plain)[step] for step in found)
