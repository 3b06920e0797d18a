"""What is shown while runs go on: bars on a terminal, plain lines elsewhere, and how long it will take."""

import os
import re
import sys

import pytest

from harness.cli.terminal import find_style
from harness.launch.bars import Style
from harness.launch.estimate import Work
from harness.launch.progress import ProgressDisplay, RunProgress


def show(*events: dict[str, object], is_terminal: bool = False) -> str:
    written: list[str] = []
    display = ProgressDisplay(written.append, Style(is_terminal=is_terminal))
    run = display.begin("baseline-s1", "[1/2]", 100)
    run.show(events)
    run.finish("complete")
    return "".join(written)


def train(step: int) -> dict[str, object]:
    return {
        "event": "training_step",
        "step": step,
        "max_steps": 30,
        "train_elapsed_s": 2.0 * step,
        "elapsed_time": 3.0 * step,
    }


def evaluate(step: int, loss: float, full: float | None) -> dict[str, object]:
    return {"event": "validation_step", "step": step, "loss": loss, "full_loss_nats_per_char": full}


def test_off_a_terminal_every_evaluation_is_a_line_with_both_losses_speed_and_time_left() -> None:
    text = show(train(1), evaluate(1, 2.0, 2.1), train(10), evaluate(10, 1.5, 1.6))
    assert text.splitlines() == [
        "[1/2] baseline-s1",
        "  step  1/30  frozen 2.0000  full 2.1000",
        "  step 10/30  frozen 1.5000  full 1.6000  50 tokens/s  1 min 00 s left",
        "  baseline-s1: complete",
    ]


def test_a_loss_that_was_measured_earlier_says_when() -> None:
    text = show(train(1), evaluate(1, 2.0, 2.1), train(10), evaluate(10, 1.5, None))
    assert "frozen 1.5000  full 2.1000 at 1 " in text
    live = show(train(1), evaluate(1, 2.0, 2.1), train(4), is_terminal=True)
    assert "step  4/30  frozen 2.0000 at 1  full 2.1000 at 1  50 tokens/s" in live


def test_before_the_first_evaluation_no_loss_is_shown() -> None:
    assert "frozen" not in show(train(1), train(2), is_terminal=True)


def test_a_log_that_begins_at_step_0_and_knows_no_last_step_is_shown() -> None:
    written, run, _ = begin_two(is_terminal=False)
    for step in (0, 5):
        run.show([{**train(step), "max_steps": None}, evaluate(step, 2.0, None)])
    assert [" ".join(line.split()[:5]) for line in written[2:]] == [
        "baseline-s1 step 0/0 frozen 2.0000",
        "baseline-s1 step 5/5 frozen 2.0000",
    ]


def begin_two(*, is_terminal: bool) -> tuple[list[str], RunProgress, RunProgress]:
    written: list[str] = []
    display = ProgressDisplay(written.append, Style(is_terminal=is_terminal))
    return written, display.begin("baseline-s1", "[1/2]", 100), display.begin("optimized-s1", "[2/2]", 100)


def test_off_a_terminal_each_line_of_several_runs_names_its_run() -> None:
    written, one, two = begin_two(is_terminal=False)
    one.show([train(1), evaluate(1, 2.0, 2.1)])
    two.show([train(1), evaluate(1, 1.9, None)])
    one.finish("complete")
    two.show([train(10), evaluate(10, 1.5, None)])
    assert "".join(written).splitlines() == [
        "[1/2] baseline-s1",
        "[2/2] optimized-s1",
        "  baseline-s1  step  1/30  frozen 2.0000  full 2.1000",
        "  optimized-s1  step  1/30  frozen 1.9000",
        "  baseline-s1: complete",
        "  step 10/30  frozen 1.5000  50 tokens/s  1 min 00 s left",
    ]


class Screen:
    """A terminal of some width that stays where it was drawn last."""

    def __init__(self, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((width, 24)))
        self.lines, self.row = [""], 0

    def write(self, text: str) -> None:
        for part in re.findall(r"\x1b\[\d*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", text):
            if part == "\x1b[1A":
                self.row -= 1
            elif part == "\x1b[J":
                self.lines = [*self.lines[: self.row], ""]
            elif part == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif not part.startswith(("\x1b", "\r")):
                self.lines[self.row] += part


WORK = Work(1e9, 30, 4, 2)


def draw(width: int, monkeypatch: pytest.MonkeyPatch, **style: bool) -> list[str]:
    screen, clock = Screen(width, monkeypatch), iter(range(0, 1000, 10))
    display = ProgressDisplay(screen.write, style=Style(True, **style), clock=lambda: float(next(clock)))
    display.expect({"baseline-s1": WORK, "optimized-s1": WORK})
    one = display.begin("baseline-s1", "[1/2]", 100)
    for step in range(1, 16):
        one.show([train(step), *([evaluate(1, 2.0, 2.1)] if step == 1 else [])])
    return screen.lines


def test_on_a_terminal_there_is_a_bar_for_the_run_and_one_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert draw(80, monkeypatch) == [
        "[1/2] baseline-s1",
        "  about 2 min 00 s for all 2 runs, by the first steps of baseline-s1",
        "━━━━━━━━━━╌╌╌╌╌╌╌╌╌  50 %  baseline-s1  45.0 s left",
        "  step 15/30  frozen 2.0000 at 1  full 2.1000 at 1  50 tokens/s",
        "━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌  25 %  all  0 of 2 runs  8 min 02 s left",
    ]


def test_on_a_narrow_terminal_the_time_left_stays_and_no_line_is_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = draw(40, monkeypatch)[2:]
    assert lines == [
        "━━━━╌╌╌╌╌  50 %  baseline…  45.0 s left",
        "  step 15/30  frozen 2.0000 at 1",
        "━━╌╌╌╌╌╌╌  25 %  all  8 min 02 s left",
    ]
    assert max(map(len, lines)) <= 40


def test_colour_and_blocks_are_used_only_where_they_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert draw(40, monkeypatch, has_blocks=False)[2].startswith("####.....  50 %")
    written: list[str] = []
    for has_color in (True, False):
        display = ProgressDisplay(written.append, style=Style(True, has_color))
        display.begin("a", "[1/1]").show([train(1), train(2)])
        assert ("\x1b[36m" in "".join(written)) is has_color
        written.clear()


@pytest.mark.parametrize(
    ("is_tty", "variables", "expected"),
    [
        (True, {"TERM": "xterm"}, (True, True)),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, (True, False)),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, (True, True)),
        (True, {"TERM": "dumb"}, (False, False)),
        (True, {}, (False, False)),
        (False, {"TERM": "xterm"}, (False, False)),
    ],
)
def test_bars_are_drawn_on_terminals_that_can_and_colour_where_it_is_wanted(
    is_tty: bool, variables: dict[str, str], expected: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", type("Terminal", (), {"isatty": lambda self: is_tty, "encoding": "ascii"})())
    style = find_style()
    assert (style.is_terminal, style.has_color) == expected
    assert not style.has_blocks


def test_what_is_said_stands_above_the_bars_which_are_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(80, monkeypatch)
    display = ProgressDisplay(screen.write, Style(is_terminal=True))
    one, two = display.begin("one", "[1/2]", 100), display.begin("two", "[2/2]", 100)
    one.show([train(1), train(3)])
    two.show([train(6)])
    one.finish("complete")
    assert screen.lines == ["[1/2] one", "[2/2] two", "  one: complete", ""]


def test_a_name_with_control_characters_moves_no_cursor() -> None:
    written: list[str] = []
    ProgressDisplay(written.append, Style(is_terminal=True)).begin("\x1b[2Jx", "[1/1]").show([train(1)])
    assert "\x1b[2J" not in "".join(written)


def test_how_long_all_will_take_is_said_once_and_other_runs_count_by_their_work() -> None:
    written: list[str] = []
    display = ProgressDisplay(written.append)
    display.expect({"a": WORK, "b": Work(3e9, 30, 4, 2)})
    display.begin("a", "[1/2]").show([train(1), evaluate(1, 2.0, 2.1) | {"elapsed_time": 7.0}])
    display.begin("c", "[1/2]").show([train(step) for step in range(1, 30)])
    assert not [line for line in written if "about" in line]
    run = display.begin("a", "[1/2]")
    run.show([train(1), evaluate(1, 2.0, 2.1) | {"elapsed_time": 7.0}, *map(train, range(2, 20))])
    run.show([train(20)])
    # 30 steps of 2 s and 6 passes of 2 s, and three times that
    assert [line for line in written if "about" in line] == [
        "  about 4 min 48 s for all 2 runs, by the first steps of a\n"
    ]


def test_runs_that_go_on_at_once_share_the_time_that_is_told() -> None:
    written: list[str] = []
    display = ProgressDisplay(written.append)
    display.expect({name: Work(30 * 1e12, 30, 4, 2) for name in "abcd"}, num_at_once=2)
    display.begin("a", "[1/4]").show([train(1), train(2), train(3)])
    assert written[-1] == "  about 2 min 00 s for all 4 runs, by the first steps of a\n"


def test_of_large_steps_three_tell_how_long_all_will_take() -> None:
    written: list[str] = []
    display = ProgressDisplay(written.append)
    display.expect({"a": Work(30 * 1e12, 30, 4, 2)})
    run = display.begin("a", "[1/1]")
    run.show([train(1), train(2)])
    assert not [line for line in written if "about" in line]
    run.show([train(3)])
    assert written[-1] == "  about 1 min 00 s for the run, by the first steps of a\n"


def test_nothing_is_foretold_where_the_work_of_a_run_is_not_known() -> None:
    written: list[str] = []
    display = ProgressDisplay(written.append)
    display.expect({"a": WORK, "external": None})
    display.begin("a", "[1/2]").show([train(step) for step in range(1, 30)])
    assert not [line for line in written if "about" in line]
