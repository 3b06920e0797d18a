from harness.launch.progress import ProgressDisplay, RunProgress


def show(*events: dict[str, object], is_terminal: bool = False) -> str:
    written: list[str] = []
    display = ProgressDisplay(written.append, is_terminal=is_terminal)
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
    assert "step  4/30  frozen 2.0000 at 1  full 2.1000 at 1 " in live


def test_before_the_first_evaluation_no_loss_is_shown() -> None:
    assert "frozen" not in show(train(1), train(2), is_terminal=True)


def begin_two(*, is_terminal: bool) -> tuple[list[str], RunProgress, RunProgress]:
    written: list[str] = []
    display = ProgressDisplay(written.append, is_terminal=is_terminal)
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


def test_on_a_terminal_one_line_shows_all_runs_and_what_is_said_stands_below_it() -> None:
    written, one, two = begin_two(is_terminal=True)
    one.show([train(1), evaluate(1, 2.0, 2.1)])
    two.show([train(4)])
    one.finish("complete")
    text = "".join(written)
    assert text.startswith("[1/2] baseline-s1\n[2/2] optimized-s1\n\r  step  1/30  frozen 2.0000")
    assert "\r  baseline-s1 1/30 2.0000  optimized-s1 4/30 " in text
    assert text.endswith(" \n  baseline-s1: complete\n")
