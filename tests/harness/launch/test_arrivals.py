"""What arrives of a run that goes on elsewhere is put together as it was, or refused."""

from pathlib import Path
from typing import Any

import pytest

from harness.launch.arrivals import Arrivals, DamagedError
from mainrun.record.errors import MachineError
from mainrun.record.files import compute_sha256
from tests.harness.launch.test_faults import Disk, failing_disk
from tests.robustness import FAULTS


@pytest.fixture
def arrivals(tmp_path: Path) -> Arrivals:
    return Arrivals(tmp_path)


def send(arrivals: Arrivals, kind: str, name: str, content: bytes, **header: Any) -> None:
    arrivals.take({"kind": kind, "name": name, "sha256": compute_sha256(content), **header}, content)


def test_a_journal_grows_and_is_cut_back(arrivals: Arrivals, tmp_path: Path) -> None:
    send(arrivals, "append", "mainrun.log", b"one\n", offset=0)
    send(arrivals, "append", "mainrun.log", b"two\n", offset=4)
    assert (tmp_path / "mainrun.log").read_bytes() == b"one\ntwo\n"
    send(arrivals, "append", "mainrun.log", b"three\n", offset=4)
    assert (tmp_path / "mainrun.log").read_bytes() == b"one\nthree\n"
    send(arrivals, "append", "mainrun.log", b"new\n", offset=0)
    assert (tmp_path / "mainrun.log").read_bytes() == b"new\n"


def test_a_new_checkpoint_takes_the_place_of_the_one_before(arrivals: Arrivals, tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        send(arrivals, "whole", f"checkpoint/{name}", name.encode())
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["b.pt"]


def test_what_the_run_has_no_more_goes_and_what_it_has_stays(arrivals: Arrivals, tmp_path: Path) -> None:
    contents = {"run.json": b"{}", "work/deep/log": b"x"}
    for name, content in {**contents, "checkpoint/a.pt": b"state"}.items():
        send(arrivals, "whole", name, content)
    arrivals.finish({name: compute_sha256(content) for name, content in contents.items()})
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "run.json",
        "work",
        "work/deep",
        "work/deep/log",
    ]


def test_other_bytes_a_gap_and_a_missing_file_are_damage(arrivals: Arrivals, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"run\.json has arrived damaged"):
        arrivals.take({"kind": "whole", "name": "run.json", "sha256": "0" * 64}, b"{}")
    with pytest.raises(DamagedError, match="with a gap"):
        send(arrivals, "append", "mainrun.log", b"two\n", offset=4)
    send(arrivals, "whole", "run.json", b"{}")
    for hashes in ({"run.json": "0" * 64}, {"absent": "0" * 64}):
        with pytest.raises(DamagedError, match="has not arrived as it is"):
            arrivals.finish(hashes)
    assert (tmp_path / "run.json").exists()


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", ""])
def test_a_name_that_leads_outside_the_run_is_refused(name: str, arrivals: Arrivals, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="names no file of a run"):
        send(arrivals, "whole", name, b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("operation", FAULTS)
def test_a_full_disk_under_what_comes_back_from_a_cluster_keeps_what_was_there(
    operation: str, arrivals: Arrivals, tmp_path: Path
) -> None:
    send(arrivals, "whole", "run.json", b"before")
    with failing_disk(Disk(operation, 1)), pytest.raises(MachineError, match=r"run\.json"):
        send(arrivals, "whole", "run.json", b"after")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert (tmp_path / "run.json").read_bytes() == b"before"


def test_a_journal_that_cannot_be_written_is_the_machines_fault(arrivals: Arrivals, tmp_path: Path) -> None:
    (tmp_path / "mainrun.log").mkdir()
    with pytest.raises(MachineError, match=r"mainrun\.log"):
        send(arrivals, "append", "mainrun.log", b"one\n", offset=0)
