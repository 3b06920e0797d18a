from harness.launch.progress import ProgressDisplay


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
