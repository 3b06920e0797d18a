"""Small texts as people have them, each with its right value or the words of its refusal; none gives another number."""

import bz2
import gzip
import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.sources.logs import BASELINE, write_json
from tests.harness.sources.reading import get_last, get_losses, read_text

Rows = Sequence[tuple[Any, ...]]


def fall(last: int, final: float, first: int = 0, every: int = 50) -> list[tuple[int, float]]:
    """An evaluation at every so many steps, from 2.08 to the final loss."""
    steps = range(first, last + 1, every)
    return [(step, round(2.08 + (final - 2.08) * (step - first) / (last - first), 4)) for step in steps]


def write(header: str, rows: Rows, separator: str = ",") -> str:
    return "".join(f"{line}\n" for line in (header, *(separator.join(map(str, row)) for row in rows)))


RUN, LONGER = fall(600, 1.65), fall(1000, 1.2)
PLAIN = write("step,val_loss", RUN)
LINES = [{"step": step, "val_loss": loss} for step, loss in RUN]
COMMAS = write("step;val_loss", [(step, str(loss).replace(".", ",")) for step, loss in RUN], ";")
BOTH = [(step, 5.0, loss) for step, loss in RUN]
RIGHT = (600, 1.65)


def lines_of(objects: Sequence[dict[str, Any]], before: str = "", after: str = "") -> str:
    return "".join(f"{before}{json.dumps(line)}{after}\n" for line in objects)


READ: dict[str, str | bytes] = {
    "tabs.tsv": write("step\tval_loss", RUN, "\t"),
    "sep-line.csv": f"sep=;\n{COMMAS}",
    "semicolons-and-points.csv": PLAIN.replace(",", ";"),
    "utf-16.csv": PLAIN.encode("utf-16"),
    "utf-16-without-a-mark.csv": PLAIN.encode("utf-16-le"),
    "big-endian.csv": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "byte-order-mark.csv": b"\xef\xbb\xbf" + PLAIN.encode(),
    "gzip.csv.gz": gzip.compress(PLAIN.encode()),
    "gzip-without-its-name.csv": gzip.compress(PLAIN.encode()),
    "bzip2.csv.bz2": bz2.compress(PLAIN.encode()),
    "xz.csv.xz": lzma.compress(PLAIN.encode()),
    "carriage-returns.csv": PLAIN.replace("\n", "\r"),
    "both-line-ends.csv": PLAIN.replace("\n", "\r\n"),
    "quoted.csv": write('"Step","val_loss"', [(f'"{step}"', f'"{loss}"') for step, loss in RUN]),
    "quoted-commas.csv": write("step,val_loss", [(step, f'"{f"{loss:.4f}".replace(".", ",")}"') for step, loss in RUN]),
    "spaces.csv": write("step , val_loss", [(f" {step}", f" {loss} ") for step, loss in RUN]),
    "steps-as-floats.csv": write("step,val_loss", [(f"{step}.0", loss) for step, loss in RUN]),
    "newest-first.csv": write("step,val_loss", RUN[::-1]),
    "without-a-name.txt": PLAIN,
    "array.json": json.dumps(LINES),
    "array-over-lines.json": json.dumps(LINES, indent=2),
    "lines.jsonl": lines_of(LINES),
    "trainer_state.json": json.dumps({"epoch": 7.0, "log_history": LINES, "callbacks": {}}, indent=2),
    "nested.jsonl": lines_of([{"step": step, "val": {"loss": loss}, "train": {"loss": 5.0}} for step, loss in RUN]),
    "prefixed.log": lines_of(LINES, "2026-01-01T00:00:00.123Z "),
    "coloured.log": lines_of(LINES, "\x1b[32mINFO:root:", "\x1b[0m"),
    "text-before-lines.log": f"Downloading the data\n{lines_of(LINES)}",
    "long.csv": write("step,tag,value", [(s, t, v) for s, loss in RUN for t, v in (("val_loss", loss), ("lr", 0.1))]),
    "long.jsonl": lines_of([{"step": step, "metric": "eval_loss", "value": loss} for step, loss in RUN]),
    "split.csv": write("step,split,loss", [(s, t, v) for s, loss in RUN for t, v in (("train", 5.0), ("val", loss))]),
    "download.csv-tag-val_loss.csv": write("Wall time,Step,Value", [(1.7e9, step, loss) for step, loss in RUN]),
    "tag-val_loss.json": json.dumps([[1.7e9, step, loss] for step, loss in RUN]),
    "header-again.csv": f"{write('step,val_loss', fall(1000, 1.2, first=50))}{write('step,val_loss', RUN[2:])}",
    "second-begins-later.csv": write("step,val_loss", [*LONGER, *RUN[1:]]),
    "same-beginning.csv": write("step,val_loss", [*LONGER, (0, 2.08), *RUN[1:]]),
    "without-step-0.csv": write("step,val_loss", [*fall(1000, 1.2, first=50), *fall(600, 1.65, first=50)]),
    "appended.jsonl": lines_of([{"step": step, "val": loss} for step, loss in [*LONGER, *RUN]]),
    "one-after-the-other.csv": write(
        "run,step,val_loss", [*[("a", *row) for row in LONGER], *[("b", *r) for r in RUN]]
    ),
    "sparse.csv": write("step,train_loss,val_loss", [(s, 5.0, v if s % 100 == 0 else "") for s, v in RUN]),
    "sparse-nan.csv": write("step,train_loss,val_loss", [(s, 5.0, v if s % 100 == 0 else "nan") for s, v in RUN]),
    "half-a-line.jsonl": lines_of(LINES) + '{"step": 650, "val',
    "global-step.csv": write("step,trainer/global_step,val_loss", [(step % 100, step, loss) for step, loss in RUN]),
    "calls-of-wandb.csv": write("_step,iter,val_loss", [(n, *row) for n, row in enumerate(RUN)]),
    "iteration-that-goes-on.csv": write("iter,step,val_loss", [(step, step % 200, loss) for step, loss in RUN]),
    "blank-lines.csv": PLAIN.replace("\n", "\n\n"),
    "unused-texts.csv": write("time,step,val_loss", [(f"2026-01-01 00:{step // 60}", step, v) for step, v in RUN]),
    "three-decimals.csv": write("step;val_loss", [(s, f"{v:.3f}".replace(".", ",")) for s, v in fall(600, 1.65)], ";"),
    "no-end-of-the-last-line.csv": PLAIN.removesuffix("\n"),
    "latin.csv": write("step,größe,val_loss", BOTH).encode("latin-1"),
}


@pytest.mark.parametrize("name", READ)
def test_a_table_is_read_as_it_is_meant(name: str, tmp_path: Path) -> None:
    log = read_text(tmp_path, name, READ[name])
    assert (get_last(log), log.reason) == (RIGHT, None)


FAILED: dict[str, tuple[str | bytes, str]] = {
    "thousands.csv": (
        write("step,val_loss", [(s, f'"{f"{v:.3f}".replace(".", ",")}"') for s, v in RUN]),
        "line 2: 2,080 can be 2.080 or 2080",
    ),
    "two-marks.csv": (COMMAS.replace("1,865", "1.865"), "line 2: 2,08 has a decimal comma where 1.865 (line 8)"),
    "steps-with-points.csv": (
        write("step;val_loss", [(f"{s}.000", v) for s, v in RUN], ";"),
        "line 2: the step is '0.000'",
    ),
    "half-steps.csv": (write("step,val_loss", [(0.5, 2.0), *RUN]), "line 2: the step is '0.5'"),
    "minus-one.csv": (write("step,val_loss", [(-1, 2.0), *RUN]), "line 2: the step is '-1'"),
    "no-step.csv": (write("step,val_loss", [*RUN, ("", 1.2)]), "line 15: the step is ''"),
    "underscores.csv": (write("step,val_loss", [(step, "1_7") for step, _ in RUN]), "no row has a number"),
    "percent.csv": (write("step,val_loss", [*RUN, (650, "1.2%")]), "'1.2%' at step 650 (line 15), which is no loss"),
    "ragged.csv": (f"{PLAIN}650\n", "line 15: 1 cells where the header has 2"),
    "open-quote.csv": (write("step,val_loss,note", [(*row, '"x' if row[0] == 300 else "x") for row in RUN]), "line 8"),
    "two-quotes.csv": (
        write("step,val_loss,note", [(*row, '"' if row[0] in (300, 450) else "x") for row in RUN]),
        "line 8: a quoted cell goes on to line 11",
    ),
    "no-header.csv": (write("0,2.08", RUN[1:]), "no column named step. It has: '0', '2.08'"),
    "epochs-only.csv": (write("epoch,loss,val_loss", BOTH), "Name 'epoch' 'step' where each row is of one epoch"),
    "steps-of-epochs.csv": (
        write("epoch,step,val_loss", [(e, s, 2 - e / 10) for e in (0, 1) for s in (0, 50, 100)]),
        "line 5: the step goes back from 100 to 0",
    ),
    "no-validation.csv": (write("step,loss,lr", BOTH), "has no validation loss"),
    "rate-only.csv": (write("step,metric,val", [(step, "lr", loss) for step, loss in RUN]), "has no validation loss"),
    "rates-in-val.csv": (
        write("step,metric,val", [(s, m, 0.1) for s, _ in RUN for m in ("lr", "train_loss")]),
        "It has: 'lr', 'train_loss'",
    ),
    "twice.csv": (write("step,val_loss,val_loss", BOTH), "the column 'val_loss' stands twice"),
    "by-case.csv": (write("step,val_loss,Val_Loss", BOTH), "more than one validation loss: 'val_loss', 'Val_Loss'"),
    "two-losses.csv": (
        write("step,val_loss,eval_loss", BOTH),
        "more than one validation loss: 'val_loss', 'eval_loss'",
    ),
    "two-runs-of-a-chart.csv": (write("Step,a - val/loss,b - val/loss", BOTH), "'a - val/loss', 'b - val/loss'"),
    "averages.csv": (
        write("Step,a - val/loss,a - val/loss__MIN", [(s, v, v - 0.1) for s, v in RUN]),
        "line 2: 2.08 is made of several values",
    ),
    "line-by-line.csv": (
        write("run,step,val_loss", [(run, *row) for row in RUN for run in "ab"]),
        "line 4: lines of several programs",
    ),
    "mlflow.csv": (
        write("Run ID,metric,step,value", [(run, "val_loss", *row) for row in RUN for run in "ab"]),
        "line 4: lines of several programs",
    ),
    "ranks.log": (
        "".join(f"[rank{n % 2}]: {json.dumps(line)}\n" for n, line in enumerate(BASELINE.build())),
        "lines of several programs stand among each other",
    ),
    "all-nan.csv": (write("step,val_loss", [(step, "nan") for step, _ in RUN]), "it diverged"),
    "nan-at-the-end.csv": (
        write("step,train_loss,val_loss", [*BOTH, (650, "nan", "nan"), (700, "nan", "nan")]),
        "1.65, at step 600",
    ),
    "blank-at-the-end.csv": (
        write("step,train_loss,val_loss", [*BOTH, (650, "", ""), (700, "", "")]),
        "no loss is given after step 600; its last evaluation is at step 600, 1.65",
    ),
    "infinite.csv": (
        write("step,val_loss", [*RUN[:5], (250, "inf"), *RUN[6:]]),
        "it diverged: the loss of validation_step is 'inf' at step 250",
    ),
    "negative.csv": (
        write("step,val_loss", [*RUN, (650, -1.0)]),
        "is -1.0 at step 650 (line 15), which is no loss; the",
    ),
    "huge.csv": (write("step,val_loss", [*RUN, (650, "1e9")]), "it diverged"),
    "cut-array.json": (json.dumps(LINES, indent=1)[:-20], "the JSON array is cut short"),
    "two-lists.json": (json.dumps({"log_history": LINES, "rows": LINES}, indent=1), "the fields 'log_history', 'rows'"),
    "columns.json": (json.dumps({"step": [0, 1], "val_loss": [2.0, 1.0]}, indent=1), "fields 'step', 'val_loss'"),
    "broken-line.jsonl": (
        lines_of(LINES[:3]) + '{"step": 150, "val\n' + lines_of(LINES[4:]),
        "line 4: it is no JSON object",
    ),
    "cut-number.csv": (PLAIN[:-2], "line 14: the last line has no end, and 1.6, its 'val_loss', has fewer"),
    "cut.csv.gz": (gzip.compress(PLAIN.encode())[:-12], "packed, and damaged or cut short"),
    "workbook.xlsx": (b"PK\x03\x04" + bytes(50), "a zip archive or a workbook"),
    "table.parquet": (b"PAR1" + bytes(50), "a parquet file"),
    "only-the-start.csv": (write("step,val_loss", [*RUN, (0, 2.079)]), "its last evaluation is at step 0"),
    "text.csv": ("hello\nworld\n", "no column named step"),
    "empty.csv": ("", "no column named step. It has: nothing"),
    "header.csv": ("step,val_loss\n", "no column named step has a value"),
}


@pytest.mark.parametrize("name", FAILED)
def test_a_table_that_cannot_be_read_in_one_way_is_refused_by_name_and_place(name: str, tmp_path: Path) -> None:
    content, reason = FAILED[name]
    log = read_text(tmp_path, name, content)
    assert log.status in ("failed", "stopped") and reason in str(log.reason)
    assert log.events or name in str(log.reason) or "diverged" in str(log.reason)


def test_a_last_loss_that_may_be_cut_short_is_told_of(tmp_path: Path) -> None:
    whole = read_text(tmp_path, "x.csv", write("step,val_loss", RUN))
    cut = read_text(tmp_path, "x.csv", write("step,val_loss", RUN).removesuffix("\n"))
    assert get_last(cut) == get_last(whole) and cut.notes != whole.notes
    assert "the last line, 14, has no end: whether 1.65, its 'val_loss', is whole is not shown" in cut.notes


def test_rows_after_the_last_evaluation_are_steps_that_were_not_evaluated(tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.csv", write("step,lr,val_loss", [*BOTH, (650, 0.1, "")]))
    assert "the last step, 650, was not evaluated" in " ".join(log.notes)


def test_no_number_where_there_was_no_evaluation_before_is_no_divergence(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(0, 9, 2.0), (1, 9, "nan"), (2, 9, 1.9), (3, 9, "nan")]
    log = read_text(tmp_path, "x.csv", write("step,train_loss,val_loss", rows))
    assert get_last(log) == (2, 1.9) and "the last step, 3, was not evaluated" in " ".join(log.notes)
    rows[3] = (3, "nan", "nan")
    assert "it diverged" in str(read_text(tmp_path, "x.csv", write("step,train_loss,val_loss", rows)).reason)


def test_the_mean_of_a_whole_training_is_no_loss_of_its_last_step(tmp_path: Path) -> None:
    history = [{"step": step, "eval_loss": loss} for step, loss in RUN]
    summary = {"step": 600, "train_loss": 5.0, "train_runtime": 1234.5}
    log = read_text(tmp_path, "x.json", json.dumps([*history, summary]))
    assert get_last(log) == RIGHT and get_losses(log, "training_step") == {}
    assert "not used: 'train_loss', 'train_runtime'" in " ".join(log.notes)


def test_a_run_that_begins_where_the_first_one_began_is_another_run(tmp_path: Path) -> None:
    log = read_text(tmp_path, "x.csv", str(READ["without-step-0.csv"]))
    assert "the file holds 2 runs, which begin at the lines 1, 22; the last one is judged" in log.notes


def test_a_run_that_was_resumed_is_judged_by_what_it_was_trained_to_in_the_end(tmp_path: Path) -> None:
    rows = [(0, 2.1), (100, 2.0), (200, 1.9), (300, 1.5), (400, 1.2), (200, 1.95), (300, 1.8)]
    log = read_text(tmp_path, "x.csv", write("step,val_loss", rows))
    assert get_losses(log) == {0: 2.1, 100: 2.0, 200: 1.95, 300: 1.8}
    assert "goes back to step 200 at line 7" in log.notes[0] and "3 measurements of before left out" in log.notes[0]


def test_a_resumed_run_takes_back_the_evaluations_after_the_step_it_went_back_to(tmp_path: Path) -> None:
    train = [{"step": step, "train_loss": 5 - step / 500} for step in (*range(0, 1001, 100), *range(450, 701, 100))]
    evaluations = [{"step": 500, "val_loss": 1.5}, {"step": 1000, "val_loss": 1.2}]
    log = read_text(
        tmp_path, "x.jsonl", lines_of([*train[:6], evaluations[0], *train[6:11], evaluations[1], *train[11:]])
    )
    assert get_losses(log) == {} and log.status == "stopped"


LOSS = st.one_of(
    st.floats(0.1, 9).map(lambda value: f"{value:.4f}"),
    st.sampled_from(["", "nan", "inf", "-1", "1,5", "1,234", "x", "1e3", "1_0", " 1.5 ", '"1.5"', '"1', "null", "٣"]),
)
STEP = st.one_of(st.integers(0, 40).map(str), st.sampled_from(["", "1.0", "1.000", "-1", "x", "1e1", "step"]))


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.tuples(STEP, LOSS, LOSS), min_size=1, max_size=12),
    separator=st.sampled_from([",", ";", "\t"]),
    header=st.permutations(["step", "train_loss", "val_loss"]),
)
def test_every_loss_that_is_read_stands_in_a_row_of_its_step(
    rows: list[tuple[str, str, str]], separator: str, header: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = write(separator.join(header), rows, separator)
    log = read_text(tmp_path_factory.mktemp("x"), "x.csv", content)
    place, at = header.index("step"), header.index("val_loss")
    written = [row.split(separator) for row in content.splitlines()[1:]]
    numbers = [(read_plainly(row[place]), read_plainly(row[at])) for row in written if len(row) == 3]
    assert all((step, loss) in numbers for step, loss in get_losses(log).items())


def read_plainly(cell: str) -> float | None:
    """The number of a cell, of which a comma is the decimal mark wherever a test's table may have one."""
    try:
        return float(cell.strip(' "').replace(",", "."))
    except ValueError:
        return None


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300), name=st.sampled_from(["x.csv", "x.log", "x.json", "x.gz"]))
def test_no_bytes_give_a_traceback(content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert read_text(tmp_path_factory.mktemp("x"), name, content).status in ("imported", "failed", "stopped")


def test_a_packed_log_and_one_array_of_events_are_logs(tmp_path: Path) -> None:
    lines = BASELINE.build()
    for name, content in (("x.log.gz", gzip.compress(write_json(lines))), ("x.json", json.dumps(lines).encode()),
                          ("ci.log", lines_of(lines, "2026-01-01T00:00:00Z ").encode()),
                          ("colours.log", lines_of(lines, "\x1b[1m", "\x1b[0m").encode()),
                          ("x.txt", write_json(lines).decode().encode("utf-16"))):  # fmt: skip
        assert get_last(read_text(tmp_path, name, content)) == (938, BASELINE.final)
