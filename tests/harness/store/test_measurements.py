import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from harness.store.measurements import (
    COLUMNS,
    build_rows,
    collect,
    compute_full_loss_per_token,
    compute_perplexity,
    load_metrics,
)
from harness.store.runs import StoredRun, load_comparison
from mainrun.record.errors import RunError, StoredResultsError
from tests.harness.fakes import FakeLauncher, Mishap, make_comparison, read_events, write_events

TRAINING: dict[str, Any] = {
    "event": "training_step",
    "timestamp": 1000.0,
    "step": 3,
    "max_steps": 14,
    "loss": 2.0,
    "elapsed_time": 9.0,
    "prnt": False,
    "learning_rate": 0.25,
    "grad_norm": 1.5,
    "train_elapsed_s": 4.0,
}
VALIDATION: dict[str, Any] = {
    "event": "validation_step",
    "timestamp": 1001.0,
    "step": 3,
    "max_steps": 14,
    "loss": 1.25,
    "elapsed_time": 10.0,
    "num_spans": 2,
    "span_loss_nats": [60.0, 65.0],
    "num_chars": 100,
    "num_tokens": 40,
    "full_loss_nats_per_char": 1.5,
    "train_elapsed_s": 4.0,
}


def build_run(*events: dict[str, Any]) -> StoredRun:
    """A run of two steps an epoch, block 8 × batch 4."""
    record = {
        "status": "complete",
        "config": {"model.block_size": 8, "training.batch_size": 4},
        "sizes": {"steps_per_epoch": 2},
    }
    return StoredRun("optimized", 7, Path("runs/optimized-s7"), record, list(events))


def test_a_training_row_is_what_the_journal_says() -> None:
    earlier = {**TRAINING, "step": 2, "train_elapsed_s": 3.0}
    _, row = build_rows(build_run(earlier, TRAINING))
    assert row == {
        "arm": "optimized",
        "seed": 7,
        "step": 3,
        "max_steps": 14,
        "epoch": 1.5,
        "tokens_seen": 96,
        "split": "train",
        "loss_nats_per_token": 2.0,
        "loss_nats_per_char": None,
        "full_loss_nats_per_char": None,
        "perplexity_per_token": pytest.approx(7.38905609893065, rel=1e-15),
        "learning_rate": 0.25,
        "grad_norm": 1.5,
        "tokens_per_s": 32.0,
        "elapsed_s": 4.0,
    }


def test_a_validation_row_is_what_the_journal_says() -> None:
    (row,) = build_rows(build_run(VALIDATION))
    assert row == {
        "arm": "optimized",
        "seed": 7,
        "step": 3,
        "max_steps": 14,
        "epoch": 1.5,
        "tokens_seen": 96,
        "split": "validation",
        "loss_nats_per_token": 3.75,
        "loss_nats_per_char": 1.25,
        "full_loss_nats_per_char": 1.5,
        "perplexity_per_token": pytest.approx(42.52108200006278, rel=1e-15),
        "learning_rate": None,
        "grad_norm": None,
        "tokens_per_s": None,
        "elapsed_s": 4.0,
    }


def test_where_the_full_loss_was_not_measured_nothing_stands_for_it() -> None:
    (row,) = build_rows(build_run({**VALIDATION, "full_loss_nats_per_char": None}))
    assert (row["full_loss_nats_per_char"], row["loss_nats_per_token"], row["perplexity_per_token"]) == (None,) * 3
    assert row["loss_nats_per_char"] == 1.25


def test_the_first_step_is_timed_from_the_start_and_no_time_gives_no_speed() -> None:
    first, second = build_rows(build_run({**TRAINING, "step": 1}, {**TRAINING, "step": 2}))
    assert first["tokens_per_s"] == 8.0
    assert second["tokens_per_s"] is None


def test_an_evaluation_between_two_steps_costs_no_speed() -> None:
    later = {**TRAINING, "step": 4, "elapsed_time": 12.0, "train_elapsed_s": 6.0}
    *_, row = build_rows(build_run(TRAINING, VALIDATION, later))
    assert row["tokens_per_s"] == 16.0


@pytest.mark.parametrize(("clock", "value"), [("train_elapsed_s", 3.9), ("elapsed_time", 8.9), ("elapsed_time", -1.0)])
def test_a_run_whose_own_clock_runs_backwards_is_refused_with_its_line(clock: str, value: float) -> None:
    later = {**TRAINING, "step": 4, "elapsed_time": 12.0, "train_elapsed_s": 6.0, clock: value}
    with pytest.raises(StoredResultsError, match=rf"mainrun\.log, line \d+: .*'{clock}' goes back from"):
        list(build_rows(build_run(TRAINING, later)))


def test_a_perplexity_too_large_for_a_float_is_absent() -> None:
    assert compute_perplexity(710.0) is None
    assert compute_perplexity(0.0) == 1.0


def test_full_loss_per_token_shares_the_sum_of_the_full_loss_per_char() -> None:
    assert compute_full_loss_per_token(VALIDATION) == 1.5 * 100 / 40


@pytest.mark.parametrize(
    ("event", "name"),
    [(TRAINING, name) for name in ("step", "max_steps", "loss", "learning_rate", "grad_norm", "train_elapsed_s")]
    + [
        (VALIDATION, name)
        for name in ("step", "max_steps", "loss", "full_loss_nats_per_char", "num_chars", "num_tokens")
    ]
    + [(VALIDATION, "train_elapsed_s")],
)
def test_a_missing_field_is_refused_with_file_line_and_field(event: dict[str, Any], name: str) -> None:
    broken = {key: value for key, value in event.items() if key != name}
    with pytest.raises(StoredResultsError, match=rf"optimized-s7/mainrun\.log, line 2: .*'{name}'"):
        list(build_rows(build_run(TRAINING, broken)))


@pytest.fixture(scope="module")
def killed(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison whose second run was killed: its journal has no hash, so that what it says is all there is."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.raises(RunError):
        make_comparison(folder, launcher=FakeLauncher({"optimized": Mishap("kill", step=30)}))
    return folder / "fake"


@pytest.mark.parametrize("name", ["step", "max_steps", "loss", "learning_rate", "grad_norm", "train_elapsed_s"])
def test_a_field_of_the_wrong_type_is_refused_with_file_and_line(killed: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(killed, tmp_path / "own"))
    path = folder / "runs" / "optimized-s1337" / "mainrun.log"
    events = read_events(path)
    assert events[9]["event"] == "training_step"
    for wrong in ("3", [3], {"a": 3}, None, True):
        write_events(path, [*events[:9], {**events[9], name: wrong}, *events[10:]])
        with pytest.raises(StoredResultsError, match=r"optimized-s1337/mainrun\.log, line 10"):
            collect(load_comparison(folder))


def test_every_row_of_a_comparison_is_the_journals(tiny_comparison: Path) -> None:
    rows = load_metrics(tiny_comparison)
    for arm in ("baseline", "optimized"):
        folder = tiny_comparison / "runs" / f"{arm}-s1337"
        config = json.loads((folder / "run.json").read_text())["config"]
        tokens_per_step = config["model.block_size"] * config["training.batch_size"]
        events = [event for event in read_events(folder / "mainrun.log") if event["event"].endswith("_step")]
        own = [row for row in rows if row["arm"] == arm]
        assert len(own) == len(events)
        for row, event in zip(own, events, strict=True):
            is_training = event["event"] == "training_step"
            assert (row["seed"], row["step"], row["max_steps"]) == (1337, event["step"], event["max_steps"])
            assert row["split"] == ("train" if is_training else "validation")
            assert row["tokens_seen"] == event["step"] * tokens_per_step
            assert row["elapsed_s"] == event["train_elapsed_s"]
            assert math.isclose(row["epoch"], 7 * event["step"] / event["max_steps"], rel_tol=1e-12)
            assert row["loss_nats_per_token" if is_training else "loss_nats_per_char"] == event["loss"]
            assert row["learning_rate"] == event.get("learning_rate")
            assert row["grad_norm"] == event.get("grad_norm")
            assert row["full_loss_nats_per_char"] == event.get("full_loss_nats_per_char")


def test_rows_stand_in_the_order_of_the_plan(three_seeds: Path) -> None:
    runs = list(dict.fromkeys((row["arm"], row["seed"]) for row in load_metrics(three_seeds)))
    plan = json.loads((three_seeds / "plan.json").read_text())
    assert runs == [(run["arm"], run["seed"]) for run in plan["runs"]]


def test_the_parquet_names_its_schema_version_and_units(tiny_comparison: Path) -> None:
    schema = parquet.read_schema(tiny_comparison / "metrics.parquet")
    assert schema.names == list(COLUMNS)
    assert schema.metadata[b"schema_version"] == b"1"
    assert schema.field("loss_nats_per_char").metadata == {b"unit": b"nats per character"}
    assert schema.field("elapsed_s").metadata == {b"unit": b"seconds"}


def test_a_run_that_never_started_leaves_no_row(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="1 of 2 runs failed"):
        make_comparison(tmp_path, launcher=FakeLauncher({"optimized": Mishap("never")}))
    assert {row["arm"] for row in load_metrics(tmp_path / "fake")} == {"baseline"}
