"""Folders of TensorBoard event files as different writers leave them: read, or refused by file and reason."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from harness.cli.app import main
from harness.sources.event_files import list_event_files
from harness.store.document import load_document
from tests.harness.sources.reading import get_last, get_losses, read
from tests.harness.sources.test_imports import compare

Value = tuple[str, int, float]
"""Tag, step and value."""
FULL = "full_loss_nats_per_char"


def write_events(path: Path, values: Sequence[Value], *, as_tensors: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=1.0, file_version="brain.Event:2").SerializeToString())
        for tag, step, value in values:
            writer.write(_make_event(tag, step, value, as_tensors).SerializeToString())
    return path


def _make_event(tag: str, step: int, value: float, as_tensors: bool) -> Any:
    if not as_tensors:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
    else:
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))
        summary = Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(value))])
    return Event(wall_time=1.0 + step, step=step, summary=summary)


def name_file(time: int = 1_700_000_000) -> str:
    return f"events.out.tfevents.{time}.someone-laptop.42.0"


def series(tag: str, last: int, final: float) -> list[Value]:
    """A value at every hundredth step, from 4.0 down to the final one, exact in single precision."""
    return [(tag, step, 4.0 - (4.0 - final) * step / last) for step in range(0, last + 1, 100)]


RUN = [*series("train/loss", 800, 2.0), *series("val/loss", 800, 1.5)]
RIGHT = (800, 1.5)


def test_scalars_written_as_tensors_are_scalars(tmp_path: Path) -> None:
    write_events(tmp_path / name_file(), RUN, as_tensors=True)
    assert get_last(read(tmp_path)) == RIGHT


def test_of_two_files_in_one_folder_the_last_run_is_judged_and_the_first_named(tmp_path: Path) -> None:
    write_events(tmp_path / name_file(1_700_000_999), RUN)
    write_events(tmp_path / name_file(1_700_000_000), [*series("val/loss", 1600, 1.25)])
    log = read(tmp_path)
    assert get_last(log) == RIGHT and max(get_losses(log)) == 800
    (note,) = [note for note in log.notes if "holds 2 runs" in note]
    assert "events.out.tfevents.1700000000 (file 1 of 2)" in note and "1700000999 (file 2 of 2)" in note


def test_a_place_is_in_the_file_that_holds_it_and_not_in_an_empty_one_before_it(tmp_path: Path) -> None:
    write_events(tmp_path / name_file(1), [])
    write_events(tmp_path / name_file(2), [*RUN[:-1], ("val/loss", 800, float("nan"))])
    assert f"value {len(RUN)} of events.out.tfevents.2 (file 2 of 2)" in str(read(tmp_path).reason)


def test_a_second_file_that_goes_on_from_a_checkpoint_takes_the_place_of_what_was_after_it(tmp_path: Path) -> None:
    write_events(tmp_path / name_file(1), series("val/loss", 1600, 1.25))
    write_events(tmp_path / name_file(2), [("val/loss", step, 2.0) for step in (400, 500, 600)])
    log = read(tmp_path)
    assert get_last(log) == (600, 2.0) and "goes back to step 400" in " ".join(log.notes)


def test_folders_of_train_and_validation_are_one_run(tmp_path: Path) -> None:
    write_events(tmp_path / "train" / name_file(), series("loss", 800, 2.0))
    write_events(tmp_path / "validation" / name_file(), series("loss", 800, 1.5))
    log = read(tmp_path)
    assert get_last(log) == RIGHT and get_losses(log, "training_step")[800] == 2.0


def test_scalars_added_together_are_read_from_their_folders(tmp_path: Path) -> None:
    write_events(tmp_path / name_file(), [("lr", 0, 0.1)])
    write_events(tmp_path / "loss_train" / name_file(), series("loss", 800, 2.0))
    write_events(tmp_path / "loss_val" / name_file(), series("loss", 800, 1.5))
    log = read(tmp_path)
    assert get_last(log) == RIGHT and get_losses(log, "training_step")[800] == 2.0


def test_two_runs_with_folders_for_their_parts_are_told_apart_by_time(tmp_path: Path) -> None:
    for time, last, final in ((1, 1600, 1.25), (2, 800, 1.5)):
        write_events(tmp_path / "validation" / name_file(time), series("loss", last, final))
        write_events(tmp_path / "train" / name_file(time), series("loss", last, 2.0))
    log = read(tmp_path)
    assert get_last(log) == RIGHT and max(get_losses(log, "training_step")) == 800


def test_a_resumed_run_keeps_what_it_trained_again_wherever_its_parts_are_written(tmp_path: Path) -> None:
    for part, first, again in (("train", 2.0, 3.0), ("validation", 1.25, 1.5)):
        write_events(tmp_path / part / name_file(1), series("loss", 1600, first))
        write_events(tmp_path / part / name_file(2), [("loss", step, again) for step in (400, 500, 600)])
    log = read(tmp_path)
    for kind, again in (("training_step", 3.0), ("validation_step", 1.5)):
        losses = get_losses(log, kind)
        assert [*losses] == [0, 100, 200, 300, 400, 500, 600] and losses[400] == losses[600] == again


def test_a_full_loss_written_before_its_frozen_loss_is_not_the_run_befores(tmp_path: Path) -> None:
    frozen, full = "validation/frozen_loss_nats_per_char", "validation/full_loss_nats_per_char"
    write_events(tmp_path / name_file(1), [(frozen, step, 2.0 - step / 1600) for step in (0, 400, 800)])
    again = [value for step in (0, 400, 800) for value in ((full, step, 2.25), (frozen, step, 3.0 - step / 800))]
    write_events(tmp_path / name_file(2), again)
    evaluations = [event for event in read(tmp_path, None).events if event["event"] == "validation_step"]
    assert [event["loss"] for event in evaluations] == [3.0, 2.5, 2.0]
    assert [event[FULL] for event in evaluations[1:]] == [2.25, 2.25]


def test_a_full_loss_belongs_to_the_frozen_loss_it_was_written_beside(tmp_path: Path) -> None:
    frozen, full = "validation/frozen_loss_nats_per_char", "validation/full_loss_nats_per_char"
    first = [value for step in (0, 400, 800) for value in ((frozen, step, 2.0 - step / 1600), (full, step, 2.25))]
    write_events(tmp_path / name_file(1), first)
    write_events(tmp_path / name_file(2), [(frozen, step, 3.0 - step / 800) for step in (0, 400, 800)])
    log = read(tmp_path, None)
    assert get_last(log) == (800, 2.0)
    assert {event[FULL] for event in log.events if event["event"] == "validation_step"} == {None}
    (tmp_path / name_file(2)).unlink()
    assert [event[FULL] for event in read(tmp_path, None).events if FULL in event] == [2.25] * 3


def test_tags_that_differ_by_case_are_refused_by_name(tmp_path: Path) -> None:
    write_events(tmp_path / name_file(), [*RUN, *series("Val/Loss", 800, 1.25)])
    assert "more than one validation loss: 'val/loss', 'Val/Loss'" in str(read(tmp_path).reason)


@pytest.mark.parametrize("offset", [-200, 0])
def test_a_damaged_record_is_refused_with_its_file_and_number(offset: int, tmp_path: Path) -> None:
    path = write_events(tmp_path / name_file(), RUN)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 + offset] ^= 0xFF
    path.write_bytes(content)
    log = read(tmp_path)
    assert log.status == "failed" and "record" in str(log.reason) and "is damaged" in str(log.reason)
    assert "events.out.tfevents.1700000000" in str(log.reason) and "someone" not in str(log.reason)


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    path = write_events(tmp_path / name_file(), series("val/loss", 300, 1.5))
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        assert "is damaged" in str(read(path).reason) or "has no validation loss" in str(read(path).reason)


def test_a_writer_that_was_stopped_within_a_record_is_read_up_to_there_and_it_is_said(tmp_path: Path) -> None:
    path = write_events(tmp_path / name_file(), [*RUN, ("val/loss", 900, 1.25)])
    path.write_bytes(path.read_bytes()[:-3])
    log = read(tmp_path)
    assert get_last(log) == RIGHT and "ends within its record" in " ".join(log.notes)


def test_a_loss_that_is_no_number_fails_the_run(tmp_path: Path) -> None:
    write_events(tmp_path / name_file(), [*RUN[:-1], ("val/loss", 800, float("nan"))])
    log = read(tmp_path)
    assert log.status == "failed" and "it diverged" in str(log.reason) and "at step 700" in str(log.reason)


def test_copies_and_links_beside_an_event_file_count_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_events(folder / name_file(), RUN)
    for name in ("old.tfevents.bak", f"{name_file(1)}.bak", f"{name_file(1)}~"):
        write_events(folder / name, series("val/loss", 1600, 1.0))
    (folder / name_file(3)).symlink_to(folder / "old.tfevents.bak")
    assert len(list_event_files(folder)) == 1 and get_last(read(folder)) == RIGHT


def test_what_the_dry_run_reads_is_what_the_comparison_reads_and_verify_reads_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, final in (("a", 1.5), ("b", 1.25)):
        write_events(tmp_path / name / "train" / name_file(), series("loss", 800, 2.0))
        write_events(tmp_path / name / "validation" / name_file(), series("loss", 800, final))
        write_events(tmp_path / name / "old.tfevents.bak", series("val/loss", 1600, 1.0))
    words = [str(tmp_path / "a"), str(tmp_path / "b"), "--loss-unit", "nats_per_char"]
    assert compare(words, tmp_path / "out", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "last at step 800: 1.5;" in said and "last at step 800: 1.25;" in said
    assert compare(words, tmp_path / "out") == 0
    finals = [arm["final"]["loss_nats_per_char"] for arm in load_document(tmp_path / "out")["arms"]]
    assert finals == [1.5, 1.25]
    stored = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out/runs/a-s1337").rglob("*tfevents*"))
    assert [path.as_posix() for path in stored] == [
        "runs/a-s1337/source/train/events.out.tfevents.1700000000.0001",
        "runs/a-s1337/source/validation/events.out.tfevents.1700000000.0002",
    ]
    assert main(["verify", str(tmp_path / "out")]) == 0


def test_a_folder_of_runs_with_an_event_file_of_its_own_names_the_folders_to_give(tmp_path: Path) -> None:
    write_events(tmp_path / name_file(), [("hparam/lr", 0, 0.1)])
    for name in ("a", "b"):
        write_events(tmp_path / name / name_file(), RUN)
    write_events(tmp_path / "c" / "validation" / name_file(), series("loss", 800, 1.5))
    assert "Its folders 'a', 'b', 'c' have one: give each by its own path." in str(read(tmp_path).reason)
    assert get_last(read(tmp_path / "a")) == get_last(read(tmp_path / "c")) == RIGHT


def test_the_losses_that_keras_writes_for_each_epoch_are_known(tmp_path: Path) -> None:
    write_events(tmp_path / "train" / name_file(), series("epoch_loss", 800, 2.0))
    write_events(tmp_path / "validation" / name_file(), series("epoch_loss", 800, 1.5))
    log = read(tmp_path)
    assert get_last(log) == RIGHT and get_losses(log, "training_step")[800] == 2.0


def test_a_mean_of_an_epoch_beside_the_losses_of_the_steps_is_not_used(tmp_path: Path) -> None:
    write_events(tmp_path / name_file(), [*RUN, *series("train/epoch_loss", 800, 3.0)])
    log = read(tmp_path)
    assert get_last(log) == RIGHT and get_losses(log, "training_step")[800] == 2.0


def test_one_event_file_is_a_source_as_its_folder_is(tmp_path: Path) -> None:
    assert get_last(read(write_events(tmp_path / name_file(), RUN))) == RIGHT
