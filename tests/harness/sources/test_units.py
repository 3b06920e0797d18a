"""In what the losses of a log are: what it says itself, what the user says, and what its first losses show."""

from pathlib import Path
from typing import Any

import pytest

from harness.store.document import load_document
from tests.harness.sources.logs import BASELINE, SAME_COVERAGE, Shape, write_json
from tests.harness.sources.reading import get_last, read, read_text
from tests.harness.sources.test_imports import compare, write

EVALUATION = {"event": "validation_step", "max_steps": 88}


def build_per_token(shape: Shape, *without: str) -> bytes:
    """A log whose validation losses are per token, without the fields and events that are named."""
    factor = shape.first_training_loss / shape.first_loss
    lines = [
        {key: value * factor if key == "loss" and line["event"] == "validation_step" else value
         for key, value in line.items() if key not in without}
        for line in shape.build() if line["event"] not in without
    ]  # fmt: skip
    return write_json(lines)


def find_check(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [found for found in document["integrity"] if found["name"] == name]
    return dict(found)


@pytest.mark.parametrize("without", [(), ("block_size", "tokens_per_epoch")], ids=["with counts", "without"])
def test_a_log_whose_losses_start_at_the_logarithm_of_its_vocabulary_is_said_to_be_per_token(
    without: tuple[str, ...], tmp_path: Path
) -> None:
    shapes = {"one": BASELINE, "two": SAME_COVERAGE}
    logs = {name: build_per_token(shape, *without) for name, shape in shapes.items()}
    assert compare(write(tmp_path, **logs), tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    said = [claim["text"] for claim in document["caveats"] if claim["id"] == "looks-per-token"]
    assert len(said) == 2 and "about ln 16,000 = 9.68:" in said[0] and "losses per token and not per char" in said[0]
    found = find_check(document, "first-loss")
    assert found["status"] == "FAIL" and "a fresh model's loss per token" in found["evidence"]
    assert found["evidence"].count("one-s1337: 9.774 is about") == 1 and "text of the task" not in found["evidence"]
    assert document["pairs"][0]["verdict"]["word"] == "INCONCLUSIVE"


def test_losses_per_character_are_not_said_to_be_per_token(tmp_path: Path) -> None:
    logs = write(tmp_path, one=write_json(BASELINE.build()), two=write_json(SAME_COVERAGE.build()))
    assert compare(logs, tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    assert "looks-per-token" not in {claim["id"] for claim in document["caveats"]}
    assert all("per_token" not in arm["forensics"] for arm in document["arms"])


def test_logs_are_judged_per_token_where_that_is_said(tmp_path: Path) -> None:
    logs = write(tmp_path, one=build_per_token(BASELINE), two=build_per_token(SAME_COVERAGE))
    assert compare(logs, tmp_path / "out", "--loss-unit", "nats_per_token") == 0
    document = load_document(tmp_path / "out")
    assert "per token" in document["pairs"][0]["basis"]["name"]
    assert find_check(document, "first-loss")["status"] == "NOT CHECKED"
    assert "looks-per-token" not in {claim["id"] for claim in document["caveats"]}


def test_a_loss_beside_one_per_character_is_not_taken_as_per_token(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(
        write_json([{**EVALUATION, "step": 88, "loss": 1.9, "full_loss_nats_per_char": 1.9}])
    )
    assert "it is no loss per token" in str(read(tmp_path / "x.log", "nats_per_token").reason)


@pytest.mark.parametrize("unit", ["bits", "bits_per_char", "nats_per_token", "perplexity"])
def test_a_log_that_states_another_unit_of_its_losses_is_refused(unit: str, tmp_path: Path) -> None:
    evaluation: dict[str, Any] = {**EVALUATION, "step": 88, "loss": 2.5}
    config: dict[str, Any] = {"event": "config", "loss_unit": unit}
    for lines in ([evaluation | {"unit": unit}], [evaluation | {"loss_unit": unit}], [config, evaluation]):
        log = read_text(tmp_path, "x.log", write_json(lines))
        assert log.status == "failed" and f"the losses are in '{unit}'" in str(log.reason)


@pytest.mark.parametrize("unit", ["nats_per_char", "nats", "nats/character"])
def test_a_log_that_states_the_unit_that_is_read_is_read(unit: str, tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.log", write_json([{**EVALUATION, "step": 88, "loss": 2.5, "unit": unit}]))
    assert get_last(log) == (88, 2.5) and "unit_said" not in log.events[-1]


def test_a_log_that_states_losses_per_token_is_read_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(write_json([{**EVALUATION, "step": 88, "loss": 2.5, "unit": "nats/token"}]))
    log = read(tmp_path / "x.log", "nats_per_token")
    assert get_last(log) == (88, 2.5) and log.events[-1]["loss_unit"] == "nats_per_token"


@pytest.mark.parametrize("unit", ["nats_per_char", "nats/character"])
def test_a_log_that_states_losses_per_character_is_refused_where_losses_per_token_are_asked_for(
    unit: str, tmp_path: Path
) -> None:
    evaluation: dict[str, Any] = {**EVALUATION, "step": 88, "loss": 2.5}
    config: dict[str, Any] = {"event": "config", "loss_unit": unit}
    for lines in ([evaluation | {"unit": unit}], [evaluation | {"loss_unit": unit}], [config, evaluation]):
        (tmp_path / "x.log").write_bytes(write_json(lines))
        log = read(tmp_path / "x.log", "nats_per_token")
        assert log.status == "failed" and f"line 1: the losses are in '{unit}', and --loss-unit says" in str(log.reason)


def test_a_log_that_states_nats_of_nothing_is_read_as_asked(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(write_json([{**EVALUATION, "step": 88, "loss": 2.5, "unit": "nats"}]))
    assert get_last(read(tmp_path / "x.log", "nats_per_token")) == (88, 2.5)


def test_tables_of_one_file_name_and_two_units_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = [tmp_path / folder / "metrics.csv" for folder in "ab"]
    for table, column in zip(tables, ("validation/frozen_loss_nats_per_char", "val_loss"), strict=True):
        table.parent.mkdir()
        table.write_text(f"step,{column}\n1,2.1\n100,1.75\n")
    given = ("--loss-unit", "nats_per_token")
    assert compare([*map(str, tables)], tmp_path / "out", *given) == 4 and not (tmp_path / "out").exists()
    assert "units (metrics.csv: nats_per_char, metrics.csv: nats_per_token)" in capsys.readouterr().err


def test_a_run_without_evaluations_has_no_unit_that_the_others_could_differ_from(tmp_path: Path) -> None:
    diverged = [
        {**line, "loss": float("nan")} if line["event"] == "validation_step" else line for line in BASELINE.build()
    ]
    logs = {"one": build_per_token(BASELINE), "two": build_per_token(SAME_COVERAGE), "bad": write_json(diverged)}
    assert compare(write(tmp_path, **logs), tmp_path / "out", "--loss-unit", "nats_per_token") == 3
    arms = {arm["name"]: arm["reason"] for arm in load_document(tmp_path / "out")["arms"]}
    assert arms["bad"].startswith("it diverged") and arms["one"] is arms["two"] is None
