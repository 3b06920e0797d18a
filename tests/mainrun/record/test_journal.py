import errno
import json
import os
import time
from pathlib import Path

import pytest

from mainrun.record.errors import MachineError, RequestError, StoredResultsError
from mainrun.record.journal import Journal


def load(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_is_one_line_with_its_name_and_time(tmp_path: Path) -> None:
    before = time.time()
    with Journal(tmp_path / "log") as journal:
        journal.write("training_step", step=1, loss=0.1)
    [event] = load(tmp_path / "log")
    assert list(event) == ["event", "timestamp", "step", "loss"]
    assert (event["event"], event["step"], event["loss"]) == ("training_step", 1, 0.1)
    assert before <= float(str(event["timestamp"])) <= time.time()
    assert (tmp_path / "log").read_bytes().endswith(b"}\n")


def test_text_with_line_ends_stays_one_line(tmp_path: Path) -> None:
    with Journal(tmp_path / "log") as journal:
        journal.write("note", text="a\nb\u2028c\r")
    assert (tmp_path / "log").read_bytes().count(b"\n") == 1
    assert load(tmp_path / "log")[0]["text"] == "a\nb\u2028c\r"


def test_an_event_is_in_the_file_before_the_journal_is_closed(tmp_path: Path) -> None:
    with Journal(tmp_path / "log") as journal:
        journal.write("one")
        assert len(load(tmp_path / "log")) == 1


def test_losses_come_back_bit_for_bit(tmp_path: Path) -> None:
    losses = [0.1 + 0.2, 1 / 3, 9.774e-300, 2**-1074]
    with Journal(tmp_path / "log") as journal:
        journal.write("validation_step", span_loss_nats=losses)
    assert load(tmp_path / "log")[0]["span_loss_nats"] == losses


def test_a_journal_begins_anew_without_bytes_to_keep(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old\n")
    with Journal(tmp_path / "log") as journal:
        journal.write("new")
    assert [event["event"] for event in load(tmp_path / "log")] == ["new"]


def test_a_resumed_journal_is_cut_back_to_its_checkpoint(tmp_path: Path) -> None:
    with Journal(tmp_path / "log") as journal:
        journal.write("kept")
        num_bytes = journal.sync()
        journal.write("lost")
    with Journal(tmp_path / "log", num_bytes) as journal:
        journal.write("again")
    assert [event["event"] for event in load(tmp_path / "log")] == ["kept", "again"]


def test_sync_gives_the_size_of_the_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "log") as journal:
        journal.write("one", text="é")
        assert journal.sync() == (tmp_path / "log").stat().st_size


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_is_refused_and_nothing_is_written(loss: float, tmp_path: Path) -> None:
    with Journal(tmp_path / "log") as journal, pytest.raises(ValueError, match="JSON"):
        journal.write("training_step", loss=loss)
    assert load(tmp_path / "log") == []


def test_a_place_that_cannot_be_written_is_a_machine_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"Cannot write .*file/log"):
        Journal(tmp_path / "file" / "log")


def test_a_full_disk_is_a_machine_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(tmp_path / "log") as journal, monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        with pytest.raises(MachineError, match="No space left on device"):
            journal.write("one")


def test_a_write_that_the_system_takes_in_parts_arrives_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with Journal(tmp_path / "log") as journal, monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, content: write(file, content[:5]))
        journal.write("one", text="longer than five bytes")
    assert load(tmp_path / "log")[0]["text"] == "longer than five bytes"


def test_a_journal_shorter_than_what_it_is_to_keep_is_refused_not_filled_up(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"event": "kept"}\n')
    with pytest.raises(StoredResultsError, match="log"), Journal(tmp_path / "log", 100):
        pass
    assert (tmp_path / "log").read_text() == '{"event": "kept"}\n'


def count_open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_journal_that_another_writes_is_refused_and_not_left_open(tmp_path: Path) -> None:
    with Journal(tmp_path / "log"):
        before = count_open_files()
        with pytest.raises(RequestError, match="Another process is training"):
            Journal(tmp_path / "log")
        assert count_open_files() == before


def test_a_journal_that_cannot_be_cut_back_is_refused_and_not_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: int, num_bytes: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "ftruncate", refuse)
    before = count_open_files()
    with pytest.raises(MachineError, match="Input/output error"):
        Journal(tmp_path / "log")
    assert count_open_files() == before
