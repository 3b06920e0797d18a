"""A table for a terminal is no wider than it, and loses what matters least first."""

from pathlib import Path

import pytest

from harness.cli import table
from harness.cli.outcome import format_result
from harness.cli.table import MIN_CELL_CHARS, format_columns
from harness.report.front import COLUMNS, LEAST
from harness.store.document import load_document

HEADER = ["", "Arm", "What changed", "Loss", "Memory"]
ROWS = [["1", "a", "x" * 60, "1.2345", "400 MiB"], ["2", "base", "the baseline", "2.3456", "401 MiB"]]


def lay_out(max_width: int | None) -> list[str]:
    return format_columns(HEADER, ROWS, (3, 4), max_width=max_width, longest=2, spared=(4,))


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


def test_the_last_table_fits_a_terminal_of_80_columns(tiny_comparison: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = load_document(tiny_comparison)
    monkeypatch.setattr("harness.cli.outcome.find_width", lambda: 80)
    ranked = format_result(document, tiny_comparison).splitlines()[:3]
    assert max(map(len, ranked)) <= 80 and all(row["label"] in "".join(ranked) for row in document["ranking"]["rows"])


def test_the_width_is_asked_of_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "91")
    for is_terminal, width in ((True, 91), (False, None)):
        monkeypatch.setattr("sys.stdout.isatty", lambda is_terminal=is_terminal: is_terminal)
        assert table.find_width() == width


def test_what_a_narrow_terminal_does_without_are_columns_of_the_ranking() -> None:
    assert {*LEAST} <= {name for name, _, _ in COLUMNS}
