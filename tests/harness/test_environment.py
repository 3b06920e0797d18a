"""Faults of the environment: none is called a bug of ours (exit 70), none ends a training, and what can be known before
one is said before it.
"""

import errno
import fcntl
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.store.locks import hold
from mainrun.record.errors import MachineError, RequestError
from mainrun.record.files import find_machine_fault
from mainrun.record.journal import Journal
from tests.harness.fakes import TINY, make_comparison
from tests.mainrun.tiny_runs import build_arguments, load_record, save_titles

ROOT = Path(__file__).parents[2]
NO_TEMPORARY_FOLDER = """
import tempfile
def fail(*_):
    raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")
tempfile._get_default_tempdir = fail
"""
UNKNOWN_USER = """
import os, pwd
def fail(*_):
    raise KeyError("getpwuid(): uid not found: 12345")
pwd.getpwuid = fail
os.environ.pop("HOME", None)
os.environ.pop("XDG_CACHE_HOME", None)
"""


def run_shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A line of sh in which $harness and $train are the two programs."""
    programs = {"harness": f"{sys.executable} -m harness", "train": f"{sys.executable} -m mainrun.train"}
    variables = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | programs | environment
    return subprocess.run(["sh", "-c", line], cwd=folder, env=variables, capture_output=True, timeout=100)


def hook(folder: Path, code: str) -> str:
    """A PYTHONPATH under which every Python runs this code first."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(code)
    return f"{folder / 'hook'}{os.pathsep}{ROOT}"


# Streams


@pytest.mark.parametrize(
    ("line", "exit_code"),
    [
        ("$harness verify --list-checks >&-", 0),
        ("$harness verify --list-checks 2>&-", 0),
        ("$harness verify nowhere >&- 2>&- <&-", 4),
        ("$harness verify nowhere 2>/dev/full", 4),
        ("$harness nonsense 2>&-", 2),
        ("$harness verify --list-checks >/dev/full", 6),
        ("$harness verify nowhere --json >/dev/full", 4),
        ("($harness verify --list-checks; echo $? >code) | true; exit $(cat code)", 0),
        ("($harness --help; echo $? >code) | true; exit $(cat code)", 0),
        ("$train --recipe none --out x 2>&-", 2),
    ],
)
def test_a_stream_that_is_closed_or_full_or_not_read_leaves_the_exit_code(
    line: str, exit_code: int, tmp_path: Path
) -> None:
    done = run_shell(line, tmp_path)
    assert done.returncode == exit_code, done.stderr
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr


def test_a_result_that_stdout_does_not_take_is_said_on_stderr(tmp_path: Path) -> None:
    done = run_shell("$harness verify --list-checks >/dev/full", tmp_path)
    assert done.stderr.decode() == (
        "error: The result cannot be written to stdout: No space left on device. All else is done.\n"
    )


def test_characters_that_a_stream_cannot_encode_are_shown_by_their_code_points(tmp_path: Path) -> None:
    done = run_shell("$harness verify 'n\N{LATIN SMALL LETTER E WITH ACUTE}'", tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (4, b"error: n\\xe9 is no comparison: there is no such folder.\n")


@pytest.mark.parametrize("streams", [">&- 2>&- <&-", ">/dev/full 2>/dev/full"])
def test_a_training_goes_on_without_streams_and_writes_into_no_file_what_was_meant_for_them(
    streams: str, tmp_path: Path
) -> None:
    arguments = " ".join(build_arguments(save_titles(tmp_path), tmp_path / "run", "--stop-after", "20"))
    done = run_shell(f"$train {arguments} {streams}", tmp_path)
    assert done.returncode == (6 if "full" in streams else 0)
    assert load_record(tmp_path / "run")["status"] == "stopped"
    for line in (tmp_path / "run" / "mainrun.log").read_text().splitlines():
        json.loads(line)


def test_no_file_takes_the_number_of_a_stream_that_is_closed(tmp_path: Path) -> None:
    code = "import os, sys; from mainrun.record.console import run_program\n"
    code += "sys.exit(run_program(lambda: os.open('file', os.O_CREAT)))"
    assert run_shell(f'{sys.executable} -c "{code}" >&- 2>&- <&-', tmp_path).returncode == 3


# Folders and users


def test_without_a_folder_for_temporary_files_nothing_is_begun(tmp_path: Path) -> None:
    path = hook(tmp_path, NO_TEMPORARY_FOLDER)
    settings = " ".join(
        f"--set {arm}.{key}={value}" for arm in ("baseline", "optimized") for key, value in TINY.items()
    )
    for line in (f"$harness compare --out out {settings}", "$train --recipe baseline --out out"):
        done = run_shell(line, tmp_path, PYTHONPATH=path)
        assert done.returncode == 6
        assert b"TMPDIR" in done.stderr and b"Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()


def test_a_user_without_a_name_or_a_home_trains(tmp_path: Path) -> None:
    arguments = " ".join(build_arguments(save_titles(tmp_path), tmp_path / "run", "--stop-after", "1"))
    done = run_shell(f"$train {arguments}", tmp_path, PYTHONPATH=hook(tmp_path, UNKNOWN_USER))
    assert done.returncode == 0, done.stderr
    assert load_record(tmp_path / "run")["status"] == "stopped"


def test_a_file_that_belongs_to_another_user_is_the_machines_fault(
    tiny_comparison: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("harness.store.locks.compute_file_sha256", refuse)
    assert main(["report", str(tiny_comparison)]) == 6
    said = capsys.readouterr().err
    assert "plan.json: Permission denied" in said or "run.json: Permission denied" in said
    assert "Traceback" not in said


def test_an_error_that_is_not_the_machines_stays_a_bug() -> None:
    assert find_machine_fault(FileNotFoundError(errno.ENOENT, "No such file or directory", "x")) is None
    assert find_machine_fault(ValueError("x")) is None
    assert isinstance(find_machine_fault(OSError(errno.EIO, "Input/output error", b"x\xff")), MachineError)


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text are made on Linux alone")
def test_a_name_that_is_no_text_is_stored_with_replacements_or_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = save_titles(tmp_path).rename(tmp_path / os.fsdecode(b"a\xff.txt"))
    settings = [f"--set={arm}.{key}={value}" for arm in ("baseline", "optimized")
                for key, value in (TINY | {"num_titles": "300"}).items()]  # fmt: skip
    assert main(["compare", "--dry-run", "--json", "--data", str(data), "--out", str(tmp_path / "x"), *settings]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["corpus"]["name"] == "a\ufffd.txt"
    assert main(["compare", "--out", str(tmp_path / os.fsdecode(b"\xff")), *settings]) == 2
    assert "no text in this locale" in capsys.readouterr().err


# File systems


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.parametrize("no_locks", [errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP], indirect=True)
@pytest.mark.usefixtures("no_locks")
def test_a_file_system_without_locks_is_worked_on_without_and_that_is_said_once_a_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_comparison(tmp_path)
    assert (folder / "comparison.json").exists()
    assert [record.args[0] for record in caplog.records if record.args].count(str(folder)) == 1  # type: ignore[index]
    assert "cannot be locked" in caplog.text and "no other process" in caplog.text


@pytest.mark.parametrize("no_locks", [errno.EACCES, errno.EAGAIN], indirect=True)
@pytest.mark.usefixtures("no_locks")
def test_a_lock_that_another_process_holds_is_told_from_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="Another process"), hold(tmp_path, is_new=True):
        pass
    with pytest.raises(RequestError, match="Another process"):
        Journal(tmp_path / "log")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES])
@pytest.mark.parametrize("operation", ["symlink_to", "replace"])
def test_where_no_symbolic_link_can_be_made_latest_is_left_and_that_is_said(
    number: int, operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = getattr(Path, operation)

    def refuse(path: Path, target: Any) -> Any:
        if "latest" in path.name:
            raise OSError(number, os.strerror(number))
        return real(path, target)

    monkeypatch.setattr(Path, operation, refuse)
    caplog.set_level(logging.WARNING)
    folder = make_comparison(tmp_path / "results", name="new")
    assert (folder / "comparison.json").exists()
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["new"]
    assert "does not lead to the newest comparison" in caplog.text
