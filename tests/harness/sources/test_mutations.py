"""However a log is damaged, what is judged of it are the losses that still stand in it; or it is refused, and why."""

import io
import json
import random
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from harness.claims.engine import find_flaw
from harness.store.document import load_document
from harness.store.measurements import load_metrics
from tests.harness.sources.logs import Shape, write_console, write_json
from tests.harness.sources.plain import TRAINING, VALIDATION, Plain, is_step, read_line, read_plainly
from tests.harness.sources.test_imports import compare

SMALL = Shape(1.1, block_size=16, batch_size=8, vocab_size=300, num_train_tokens=1_400, first_training_loss=5.7)
OTHER = Shape(**{**SMALL.__dict__, "final": 0.9})
EXTRA = (
    '{"event": "swa_validation_step", "step": 70, "max_steps": 70, "swa_val_loss": 0.5}',
    '{"event": "Training is about to begin!", "loss": 0.25}',
    '{"event": "run_summary", "best_val_loss": 0.125, "step": 70}',
    '{"event": ["validation_step"], "step": 70, "loss": 0.0625}',
    '[{"event": "validation_step", "step": 70, "loss": 0.0625}]',
    '{"event": "validation_step", "step": 70, "max_steps": 70, "loss": 0.03125, "loss": 0.0625}',
)
VALUES = (
    *("NaN", "Infinity", "-Infinity", "1e308", "1e999", "1e-320", "-1.0", "0", "null", "true", "[]", "{}", '"1.5"'),
    *("3", "1" + "0" * 400, "1" * 5000, str(2**70), "[1, 2]", '"\\ud800"', "0.1"),
)
FIELDS = ("step", "max_steps", "loss", "event", "elapsed_time", "timestamp", "block_size", "tokens_per_epoch")
Mutate = Callable[[list[str], random.Random], list[str]]


def drop(lines: list[str], draw: random.Random) -> list[str]:
    place = draw.randrange(len(lines))
    return lines[:place] + lines[place + draw.choice([1, 1, 30]) :]


def cut(lines: list[str], draw: random.Random) -> list[str]:
    """The file ends in the middle of a line."""
    place = draw.randrange(len(lines))
    return [*lines[:place], lines[place][: draw.randrange(len(lines[place]) + 1)]]


def tear(lines: list[str], draw: random.Random) -> list[str]:
    """Half a line, and the next one behind it."""
    place = draw.randrange(len(lines) - 1)
    torn = lines[place][: draw.randrange(len(lines[place]) + 1)] + lines[place + 1]
    return [*lines[:place], torn, *lines[place + 2 :]]


def swap(lines: list[str], draw: random.Random) -> list[str]:
    one, other = (draw.randrange(len(lines)) for _ in range(2))
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def repeat(lines: list[str], draw: random.Random) -> list[str]:
    return [*lines, *draw.choice([lines, lines[:40], lines[4:], OTHERS, [draw.choice(lines)]])]


def add_event(lines: list[str], draw: random.Random) -> list[str]:
    place = draw.randrange(len(lines) + 1)
    return [*lines[:place], draw.choice(EXTRA), *lines[place:]]


def change_value(lines: list[str], draw: random.Random) -> list[str]:
    """Another value in one line, or in every line that has the field."""
    field, value = draw.choice(FIELDS), draw.choice(VALUES)
    having = [place for place, line in enumerate(lines) if field in read_line(line)]
    for place in draw.choice([having, having[-1:], [draw.choice(having)] if having else []]):
        values = read_line(lines[place])
        lines[place] = json.dumps(values | {field: "@"}).replace('"@"', value)
    return lines


def remove_field(lines: list[str], draw: random.Random) -> list[str]:
    field, name = draw.choice(FIELDS), draw.choice(["", "renamed_field"])
    for place in draw.choice([range(len(lines)), [draw.randrange(len(lines))]]):
        values = read_line(lines[place])
        if field in values:
            values[name] = values.pop(field)
            lines[place] = json.dumps({key: value for key, value in values.items() if key})
    return lines


def rename_events(lines: list[str], draw: random.Random) -> list[str]:
    text = "\n".join(lines).replace('"event": "training_step"', '"event": "train_step"')
    new = text.replace('"validation_step"', '"val_step"')
    if draw.random() < 0.5:
        new = "\n".join(
            line.replace('"loss"', '"val_loss"') if "val_step" in line else line for line in new.split("\n")
        )
    return new.split("\n")


def show_on_console(lines: list[str], draw: random.Random) -> list[str]:
    """The rest of the file as a terminal shows it, progress bars and carriage returns included."""
    place = draw.randrange(len(lines))
    values = [read_line(line) for line in lines[place:]]
    usable = [v for v in values if v.get("event") == VALIDATION and is_step(v) and type(v.get("loss")) is float]
    rest = write_console([v | {"elapsed_time": 1.0} for v in usable if v.get("max_steps")])
    return [*lines[:place], *rest.decode().split("\n")]


def end_in_carriage_returns(lines: list[str], draw: random.Random) -> list[str]:
    return [f"{line}\r" for line in lines]


def begin_with_a_mark(lines: list[str], draw: random.Random) -> list[str]:
    return ["\ufeff" + lines[0].removeprefix("\ufeff"), *lines[1:]]


MUTATIONS: tuple[Mutate, ...] = (
    *(drop, cut, tear, swap, repeat, add_event, change_value, change_value, change_value, remove_field),
    *(rename_events, show_on_console, end_in_carriage_returns, begin_with_a_mark),
)


def build_lines(shape: Shape) -> list[str]:
    """A log whose lowest loss is not its last one."""
    events = shape.build()
    (last_but_one,) = [event for event in events if event["event"] == VALIDATION and event["step"] == 66]
    last_but_one["loss"] = 0.95 * shape.final
    return write_json(events).decode().splitlines()


LINES, OTHERS = build_lines(SMALL), build_lines(OTHER)


@pytest.mark.parametrize("seed", range(100))
def test_a_damaged_log_is_refused_or_judged_by_the_losses_in_it(seed: int, tmp_path: Path) -> None:
    draw, lines = random.Random(seed), list(LINES)
    for how in draw.choices(MUTATIONS, k=draw.choice([1, 2, 3])):
        lines = how(lines, draw) or [""]
    contents = {"whole": "\n".join(OTHERS).encode(), "mutated": "\n".join(lines).encode("utf-8", "surrogatepass")}
    for name, content in contents.items():
        (tmp_path / f"{name}.log").write_bytes(content)
    names = draw.sample(sorted(contents), 2)
    printed, written = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(written):
        code = compare([str(tmp_path / f"{name}.log") for name in names], tmp_path / "out")
    said = written.getvalue()
    if code in (0, 3):
        assert code == 0 or "-s1337 failed: " in printed.getvalue()
        judge_numbers(tmp_path / "out", {name: read_plainly(content) for name, content in contents.items()})
    else:
        assert code in (2, 4) and said.startswith("error: ") and said.count("\n") == 1 and "mutated.log" in said
        assert not (tmp_path / "out").exists()


def judge_numbers(folder: Path, plain: dict[str, Plain]) -> None:
    document, rows = load_document(folder), load_metrics(folder)
    for arm in document["arms"]:
        due = plain[arm["name"]]
        for kind, split, unit in ((TRAINING, "train", "token"), (VALIDATION, "validation", "char")):
            own = [row for row in rows if (row["arm"], row["split"]) == (arm["name"], split)]
            assert {row["step"]: row[f"loss_nats_per_{unit}"] for row in own} == due.get_losses(kind)
        if arm["final"] is not None:
            judge_arm(arm, due)
    for pair in document["pairs"]:
        finals = [next(arm["final"] for arm in document["arms"] if arm["name"] == pair[side]) for side in SIDES]
        for gain, field in GAINS.items():
            before, after = (final[field] for final in finals)
            if None in (before, after):
                assert pair[gain] is None
            else:
                assert pair[gain] == pytest.approx(100 * (before - after) / before, rel=1e-6)
        assert pair["verdict"]["word"] == "INCONCLUSIVE"
    claims = [*document["claims"], *document["caveats"], *(c for pair in document["pairs"] for c in pair["claims"])]
    assert [flaw for claim in claims if (flaw := find_flaw(claim, document))] == []


SIDES = ("baseline", "candidate")
GAINS = {"reported_gain_percent": "loss_nats_per_char", "matched_gain_percent": "matched_loss_nats_per_char"}


def judge_arm(arm: dict[str, Any], plain: Plain) -> None:
    """Last and lowest loss, and the coverage, from the lines alone."""
    losses = plain.get_losses(VALIDATION)
    last, lowest = max(losses), min(losses, key=lambda step: losses[step])
    assert plain.is_finite and max([last, *plain.get_losses(TRAINING)]) >= max(plain.max_steps, default=0)
    assert arm["final"]["step"] == last and arm["min_frozen"]["step"] == lowest
    assert arm["final"]["loss_nats_per_char"] == pytest.approx(losses[last], rel=1e-11)
    assert arm["min_frozen"]["loss_nats_per_char"] == pytest.approx(losses[lowest], rel=1e-11)
    if arm["final"]["coverage_percent"] is None:
        return
    counts = [plain.headers[key] for key in ("block_size", "batch_size", "tokens_per_epoch")]
    assert all(len(set(map(json.dumps, values))) == 1 for values in counts)
    block, batch, tokens = (values[0] for values in counts)
    scored, held_out = block * batch, round(tokens / 9)
    share = held_out // (scored + 1) * scored / held_out
    assert arm["final"]["coverage_percent"] == pytest.approx(100 * share)
    matched = losses[last] / share if share else None
    assert arm["final"]["matched_loss_nats_per_char"] == pytest.approx(matched, rel=1e-9)
