"""A table for a terminal is no wider than it, and loses what matters least first."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.cli import table
from harness.cli.ablation_text import format_ablation
from harness.cli.app import main
from harness.cli.outcome import format_result
from harness.cli.table import MIN_CELL_CHARS, format_columns
from harness.formats import format_percent
from harness.report.ranking_table import COLUMNS, LEAST
from harness.store.document import load_document

HEADER = ["", "Arm", "What changed", "Loss", "Memory"]
ROWS = [["1", "a", "x" * 60, "1.2345", "400 MiB"], ["2", "base", "the baseline", "2.3456", "401 MiB"]]


LONG = "optimized-with-a-name-of-thirty"


def lay_out(max_width: int | None) -> list[str]:
    return format_columns(HEADER, ROWS, (3, 4), max_width=max_width, names=(1,), longest=2, spared=(4, 2))


def test_a_file_gets_all_columns_uncut() -> None:
    assert "x" * 60 in lay_out(None)[1] and "400 MiB" in lay_out(None)[1]


@pytest.mark.parametrize("max_width", range(20, 100))
def test_no_line_is_wider_than_the_terminal(max_width: int) -> None:
    lines = lay_out(max_width)
    assert max(map(len, lines)) <= max_width
    assert "1.2345" in lines[1] and ("Memory" in lines[0]) <= ("What changed" in lines[0])
    cut = lines[1].count("x")
    assert cut == 0 or cut >= MIN_CELL_CHARS - 1


def test_the_room_there_is_goes_to_what_changed() -> None:
    assert len(lay_out(70)[1]) == 70 and "…" in lay_out(70)[1]


def test_names_are_cut_in_the_middle_so_that_both_ends_tell_them_apart() -> None:
    rows = [["1", "with-2-schedule-and-warmup", "", "1.2345", ""], ["2", "with-3-schedule-and-decay", "", "1.2", ""]]
    lines = format_columns(HEADER, rows, max_width=28, names=(1,), longest=2, spared=(4, 2))
    assert [line.split()[1] for line in lines[1:]] == ["with-2-s…d-warmup", "with-3-s…nd-decay"]
    assert max(map(len, lines)) == 28


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("num_arms", [2, 9])
def test_the_last_table_fits_any_terminal_however_long_the_names_are(
    width: int, num_arms: int, tiny_comparison: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = copy.deepcopy(load_document(tiny_comparison))
    best, baseline = document["ranking"]["rows"]
    rows = [{**best, "label": f"{LONG}-{place}"} for place in range(num_arms - 1)]
    failed = {**best, "label": "failed", "rank": None, "gain_percent": None, "reason": "training loss nan at step 50"}
    document["ranking"]["rows"] = [*rows, failed, baseline]
    monkeypatch.setattr("harness.cli.outcome.find_width", lambda: width)
    header, *lines = format_result(document, tiny_comparison).splitlines()[: num_arms + 2]
    assert max(map(len, (header, *lines))) <= width and "Full loss" in header and "Gain" in header
    for place, line in enumerate(lines[:-2]):
        name = line.split()[1]
        assert name.startswith(LONG[:4]) and name.endswith(f"-{place}")
        assert format_percent(best["gain_percent"], 2) in line
    assert "p 50" in lines[-2] and lines[-1].split()[1].startswith("base")


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("has_joint", [False, True])
def test_the_tables_of_an_ablation_fit_any_terminal(width: int, has_joint: bool) -> None:
    interval = {"low_percent": -12.34, "high_percent": -10.12}
    verdict = {
        "gain_percent": -11.23,
        "interval_95": interval,
        "interval_joint": interval if has_joint else None,
        "word": "INCONCLUSIVE",
        "adjusted": {"word": "INCONCLUSIVE"},
    }
    steps = [{"unit": LONG, "impact_nats_per_char": -0.1234, "verdict": verdict}]
    ablation: dict[str, Any] = {"recipe": "optimized", "num_seeds": 1, "whole_nats_per_char": 1.0}
    for kind in ("ladder", "leave_one_out"):
        ablation |= {kind: steps, f"{kind}_sum_nats_per_char": 1.0}
    lines = format_ablation(ablation, width)
    rows = [line for line in lines if "INCONCLUSIVE" in line]
    assert len(rows) == 2 and max(map(len, rows)) <= width
    assert all("−11.23 %" in line and line.split()[1].endswith("rty") for line in rows)
    assert ("95 % at once" in lines[1]) == (has_joint and width > 40) and "Verdict at once" in lines[1]


@pytest.mark.parametrize(("width", "shown"), [(40, "gain verdict"), (60, "pair gain verdict"),
                                               (80, "preset pair seeds gain verdict")])  # fmt: skip
def test_the_list_of_comparisons_fits_any_terminal_and_says_all_in_a_file(
    width: int, shown: str, tiny_comparison: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    names = ["quick-20261201T020840Z", f"{LONG}-1", f"{LONG}-2"]
    for name in names:
        shutil.copytree(tiny_comparison, tmp_path / name)
    (tmp_path / names[2] / "comparison.json").unlink()
    lines = {}
    for at_most in (width, None):
        monkeypatch.setattr("harness.cli.list.find_width", lambda at_most=at_most: at_most)
        assert main(["list", "--results", str(tmp_path)]) == 0
        lines[at_most] = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[width])) <= width
    assert lines[width][0].split() == ["name", *shown.split()]
    for name, short, whole in zip(sorted(names), lines[width][1:], lines[None][1:], strict=True):
        assert whole.startswith(name) and short.startswith(name[:8]) and short.split()[0].endswith(name[-8:])
    assert "known noise" in lines[None][1] and lines[width][2].endswith("not finished")


def test_the_width_is_asked_of_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "91")
    for is_terminal, width in ((True, 91), (False, None)):
        monkeypatch.setattr("sys.stdout.isatty", lambda is_terminal=is_terminal: is_terminal)
        assert table.find_width() == width


def test_what_a_narrow_terminal_does_without_are_columns_of_the_ranking() -> None:
    assert {*LEAST} <= {name for name, _, _ in COLUMNS}
