"""Tables that write something into every cell, or nothing at their end: what is an evaluation, and what diverged."""

import json
from pathlib import Path

import pytest

from tests.harness.sources.reading import get_last, read_text

LIGHTNING = """epoch,step,train_loss_step,val_loss
0,49,5.0,nan
0,50,nan,4.5
1,99,4.4,nan
1,100,nan,4.2
"""
HISTORY = [
    {"loss": 5.0, "eval_loss": None, "eval_runtime": None, "train_runtime": None, "step": 50},
    {"loss": None, "eval_loss": 4.5, "eval_runtime": 1.2, "train_runtime": None, "step": 50},
    {"loss": 4.4, "eval_loss": None, "eval_runtime": None, "train_runtime": None, "step": 100},
    {"loss": None, "eval_loss": 4.2, "eval_runtime": 1.2, "train_runtime": None, "step": 100},
]
END = {"loss": None, "eval_loss": None, "eval_runtime": None, "train_runtime": 9.1, "step": 100}
DIVERGED = [
    {"loss": None, "eval_loss": None, "eval_runtime": 1.3, "train_runtime": None, "step": 150},
    END | {"step": 150},
]


def test_a_row_of_another_kind_has_no_evaluation_that_is_no_number(tmp_path: Path) -> None:
    log = read_text(tmp_path, "metrics.csv", LIGHTNING)
    assert get_last(log) == (100, 4.2) and "2 cells left out, without a number" in " ".join(log.notes)
    log = read_text(tmp_path, "metrics.csv", f"{LIGHTNING}2,149,4.1,nan\n")
    assert get_last(log) == (100, 4.2) and "the last step, 149, was not evaluated" in " ".join(log.notes)


@pytest.mark.parametrize("form", ["array", "lines"])
def test_null_in_the_rows_of_training_and_at_the_end_is_no_divergence(form: str, tmp_path: Path) -> None:
    rows = [*HISTORY, END]
    text = json.dumps(rows) if form == "array" else "".join(f"{json.dumps(row)}\n" for row in rows)
    assert get_last(read_text(tmp_path, "x.json", text)) == (100, 4.2)


DIVERGENCES = {
    "evaluations alone": f"{LIGHTNING}2,149,nan,nan\n2,150,nan,nan\n3,199,nan,nan\n3,200,nan,nan\n",
    "training goes on": f"{LIGHTNING}2,149,4.1,nan\n2,150,nan,nan\n3,199,4.0,nan\n3,200,nan,nan\n",
    "null beside its time": json.dumps([*HISTORY, *DIVERGED]),
    "a rate beside it": "step,train_loss,val_loss,lr\n50,5.0,4.5,1\n100,4.4,4.2,1\n150,nan,nan,1\n200,nan,nan,1\n",
    "nothing but it": "step,val_loss\n50,4.5\n100,4.2\n150,nan\n200,nan\n",
    "from the start": "step,val_loss,lr\n50,nan,0.1\n100,nan,0.1\n",
}


@pytest.mark.parametrize("shape", DIVERGENCES)
def test_a_run_whose_evaluations_are_no_numbers_any_more_has_diverged(shape: str, tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.csv" if DIVERGENCES[shape][0] != "[" else "x.json", DIVERGENCES[shape])
    assert log.status == "failed" and "it diverged: the loss of validation_step" in str(log.reason).replace(
        "training_step", "validation_step"
    )


def test_blank_losses_at_the_last_step_end_no_run(tmp_path: Path) -> None:
    tests = "step,val_loss,test_loss\n50,4.5,\n100,4.2,\n100,,3.9\n100,,3.95\n"
    assert get_last(read_text(tmp_path, "x.csv", tests)) == (100, 4.2)


def test_steps_that_go_on_without_a_loss_are_a_run_of_which_no_more_is_known(tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.csv", "step,val_loss,lr\n50,4.5,1\n100,4.2,1\n150,,1\n200,,1\n")
    assert log.status == "stopped"
    assert log.reason == "no loss is given after step 100; its last evaluation is at step 100, 4.2"


def test_a_loss_below_zero_is_no_loss_and_no_divergence(tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.csv", "step,val_loss\n50,4.5\n100,-0.5\n")
    assert log.status == "failed" and "is -0.5 at step 100 (line 3), which is no loss; the last" in str(log.reason)
    assert "diverged" not in str(log.reason)


CUT = {
    "step": ("val_loss,step\n3.5,1000\n3.2,2000\n2.9,300", (2000, 3.2), "goes back to step '300', cut short: left out"),
    "long step": (
        "split,loss,step\nval,3.1,1000\nval,3.0,2000\nval,2.9,30",
        (2000, 3.0),
        "back to step '30', cut short",
    ),
    "cells": ("step,val_loss\n1000,3.5\n2000,3.2\n30", (2000, 3.2), "has no end and 1 of 2 cells, cut short: left out"),
    "carriage returns": ("val_loss,step\r3.5,1000\r3.2,2000\r2.9,300", (2000, 3.2), "goes back to step '300'"),
}


@pytest.mark.parametrize("shape", CUT)
def test_a_last_line_that_is_cut_short_is_left_out_with_a_note(shape: str, tmp_path: Path) -> None:
    content, last, note = CUT[shape]
    log = read_text(tmp_path, "x.csv", content)
    assert get_last(log) == last and note in " ".join(log.notes) and "runs" not in " ".join(log.notes)


def test_a_last_line_with_an_end_begins_another_run_where_its_step_goes_back(tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.csv", "val_loss,step\n3.5,1000\n3.2,2000\n2.9,300\n")
    assert "the file holds 2 runs" in " ".join(log.notes)


def test_a_bare_val_is_the_loss_and_said_to_be_unless_other_measures_are_named(tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.csv", "step,train,val\n100,3.1,3.0\n200,3.0,2.9\n")
    assert get_last(log) == (200, 2.9) and "'val' is taken for the validation loss" in " ".join(log.notes)
    log = read_text(tmp_path, "x.csv", "step,train_loss,val,val_acc\n100,3.0,0.3,0.3\n200,2.9,0.3,0.3\n")
    assert log.status == "failed" and "'val' beside 'val_acc': whether it is a loss is not said" in str(log.reason)


def test_a_count_of_calls_that_is_taken_for_the_step_is_said_to_be_one(tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.csv", "_step,val/loss\n10,3.0\n20,2.9\n")
    assert get_last(log) == (20, 2.9) and "_step, which is taken for the step, counts the calls" in " ".join(log.notes)


def test_names_with_spaces_or_dashes_are_known(tmp_path: Path) -> None:
    for header in ("Step,Train Loss,Val Loss,Learning Rate", "step,train-loss,val-loss,lr"):
        log = read_text(tmp_path, "x.csv", f"{header}\n100,3.1,3.0,1\n200,3.0,2.9,1\n")
        assert get_last(log) == (200, 2.9) and [e["learning_rate"] for e in log.events if "learning_rate" in e] == [
            1,
            1,
        ]
