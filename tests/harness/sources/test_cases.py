"""Logs and tables in which people met wrong numbers elsewhere, each with its right value, from file to gate."""

import json
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.store.document import load_document
from harness.store.runs import load_comparison
from tests.harness.sources.logs import BASELINE, SAME_COVERAGE, Lines, write_console, write_json
from tests.harness.sources.reading import CASES, get_last, get_losses, read, read_text
from tests.harness.sources.test_imports import compare

FULL = "full_loss_nats_per_char"


@pytest.mark.parametrize(
    ("name", "last", "note"),
    [
        ("one-run.csv", (600, 1.65), "no training step"),
        ("two-runs-appended.csv", (600, 1.70), "holds 2 runs, which begin at the lines 1, 23; the last one is judged"),
        ("step-and-global-step.csv", (250, 2.28), "global_step is taken for the step, beside step"),
        ("long-form.csv", (600, 1.65), "a row for each of: 'val_loss', 'train_loss', 'lr'"),
        ("wandb-chart.csv", (600, 1.65), "taken for the val/loss of the run 'curious-sun-3'"),
        ("wandb-history.csv", (600, 1.65), "'_runtime'"),
        ("semicolon-decimal-comma.csv", (600, 1.65), "decimal commas are read as decimal points"),
    ],
)
def test_a_table_gives_its_right_value(name: str, last: tuple[int, float], note: str) -> None:
    log = read(CASES / name)
    assert get_last(log) == last and note in " ".join(log.notes)


def test_the_rate_of_a_long_table_is_no_loss() -> None:
    log = read(CASES / "long-form.csv")
    assert get_losses(log, "training_step")[600] == 4.2 and min(get_losses(log).values()) == 1.65


def test_a_full_loss_of_the_attempt_before_does_not_stand_beside_the_second_ones_frozen_loss(tmp_path: Path) -> None:
    log = read(CASES / "restarted-full-loss-once.csv", None)
    assert get_last(log) == (600, 1.80) and all(event[FULL] is None for event in log.events if FULL in event)
    sources = [str(CASES / f"{name}.csv") for name in ("full-loss-base", "restarted-full-loss-once")]
    assert compare(sources, tmp_path / "out") == 0
    final = load_document(tmp_path / "out")["arms"][1]["final"]
    assert (final["loss_nats_per_char"], final[FULL]) == (1.80, None)


def test_a_download_of_tensorboard_is_refused_by_what_to_write_and_read_under_its_tags_name(tmp_path: Path) -> None:
    content = (CASES / "tensorboard-download.csv").read_bytes()
    assert "Write its name in place of 'Value'" in str(read(CASES / "tensorboard-download.csv").reason)
    assert get_last(read_text(tmp_path, "run-.-tag-val_loss.csv", content)) == (600, 1.65)
    assert "has no validation loss" in str(read_text(tmp_path, "run-.-tag-lr.csv", content).reason)
    assert get_last(read_text(tmp_path, "renamed.csv", content.replace(b"Value", b"val_loss"))) == (600, 1.65)


def write_commas(content: bytes) -> bytes:
    """A console log as a program writes it whose locale has decimal commas."""
    lines = content.decode().replace("\r", "").splitlines()
    return "".join(line.replace(".", ",") + "\n" if "loss=" in line else f"{line}\n" for line in lines).encode()


def test_a_decimal_comma_is_no_whole_number(tmp_path: Path) -> None:
    log = read_text(tmp_path, "console.log", write_commas(write_console(BASELINE.build())))
    assert get_last(log) == (938, 1.7533) and "decimal commas as decimal points" in " ".join(log.notes)


def test_a_comma_that_may_part_thousands_is_refused(tmp_path: Path) -> None:
    console = write_console(BASELINE.build()).replace(b"loss=1.753300 time=844.30s", b"loss=1,753")
    log = read_text(tmp_path, "console.log", console)
    assert log.status == "failed" and "is '1,753' at step 938" in str(log.reason)


def null_from(step: int, value: str) -> bytes:
    """A log whose losses are that value from a step on."""
    lines: Lines = [
        line | ({"loss": "@"} if line.get("step", 0) >= step else {}) for line in SAME_COVERAGE.build()
    ]  # fmt: skip
    return write_json(lines).replace(b'"@"', value.encode())


@pytest.mark.parametrize(
    "value", ["null", '"NaN"', "NaN", "nan", "-nan", "Infinity", "-Infinity", '"inf"', "inf", "1e999", '"-nan"']
)
def test_a_run_whose_losses_are_no_numbers_any_more_has_diverged(value: str, tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.log", null_from(881, value))
    last = SAME_COVERAGE.compute_loss(880)
    assert log.status == "failed" and f"{last:.6g}, at step 880" in str(log.reason)
    assert "it diverged" in str(log.reason) and "at step 881 (line 906)" in str(log.reason)


def test_a_run_that_diverged_meets_no_gate_and_is_told_on_every_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "base.log").write_bytes(write_json(BASELINE.build()))
    (tmp_path / "null.log").write_bytes(null_from(881, "null"))
    sources = [str(tmp_path / name) for name in ("base.log", "null.log")]
    assert compare(sources, tmp_path / "out", "--json") == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == 3 and "null-s1337 failed: it diverged" in answer["reason"]
    record = load_comparison(tmp_path / "out").runs
    assert [run.record["status"] for run in record.values()] == ["imported", "failed"]
    assert "it diverged" in (tmp_path / "out" / "PERFORMANCE_SUMMARY.md").read_text(encoding="utf-8")
    assert main(["gate", str(tmp_path / "out"), "--max-loss", "1.4"]) != 0
    assert main(["verify", str(tmp_path / "out")]) in (0, 1)
    assert "journals follow from the sources" not in capsys.readouterr().err


def test_losses_that_are_null_between_others_are_left_out_and_named(tmp_path: Path) -> None:
    lines = SAME_COVERAGE.build()
    lines[200]["loss"] = None
    log = read_text(tmp_path, "x.log", write_json(lines))
    assert log.status == "imported" and "line 201: the loss of training_step is null" in log.notes[0]


def test_a_log_of_several_epochs_counts_its_global_steps(tmp_path: Path) -> None:
    lines = [
        line | ({"step": line["step"] % 134, "epoch": line["step"] // 134} if "step" in line else {})
        for line in BASELINE.build()
    ]
    refused = read_text(tmp_path, "epochs.log", write_json(lines))
    assert refused.status == "failed" and "steps are counted anew in each epoch" in str(refused.reason)
    whole = [
        line | ({"global_step": before["step"]} if "step" in before else {})
        for line, before in zip(lines, BASELINE.build(), strict=True)
    ]
    log = read_text(tmp_path, "global.log", write_json(whole))
    assert get_last(log) == (938, BASELINE.final) and "global_step as step" in log.notes[-1]
