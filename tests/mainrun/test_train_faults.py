"""A real training whose disk is full at one write: exit code 6, nothing half written, and --resume ends the same."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mainrun.record import checkpoint as checkpoint_module
from tests.mainrun.tiny_runs import list_losses, load_record, save_titles, train_tiny
from tests.robustness import FAULTS, FAULTY_FILES

SHORT = {"epochs": "1"}
EACH_STEP = ("--checkpoint-every-s", "0")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The titles, and the run that nothing disturbed."""
    titles = save_titles(tmp_path_factory.mktemp("data"))
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train_tiny(titles, out, **SHORT) == 0
    return titles, out


@pytest.fixture(autouse=True)
def _checkpoints_may_take_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_module, "MAX_SHARE_OF_TIME", float("inf"))


def full(*_: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail_on(patch: pytest.MonkeyPatch, suffix: str, operation: str) -> None:
    """Makes `operation` fail from the second file on whose name ends so; of the journal, its tenth write."""
    count, current = 0, ""
    real_open, real_fsync, real_replace, real_write = Path.open, os.fsync, Path.replace, os.write

    def open_file(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        nonlocal count, current
        if path.name.endswith(".partial"):
            current = path.name.removesuffix(".partial")
            count += current.endswith(suffix)
            if operation == "write" and strikes():
                full()
        return real_open(path, mode, *arguments, **options)

    def strikes() -> bool:
        return current.endswith(suffix) and count >= (2 if suffix in (".pt", "run.json") else 1)

    def write(descriptor: int, content: bytes) -> int:
        nonlocal count
        count += 1
        return full() if count == 10 else real_write(descriptor, content)

    def fsync(file: int) -> None:
        if current.endswith(suffix) and strikes() if suffix != "mainrun.log" else not current:
            full()
        real_fsync(file)

    def replace(path: Path, target: Path) -> Path:
        nonlocal current
        if operation == "rename" and strikes():
            full()
        current = ""  # from here on a flush is the journal's, which is written under its own name
        return real_replace(path, target)

    if (suffix, operation) == ("mainrun.log", "write"):
        patch.setattr(os, "write", write)
        return
    patch.setattr(Path, "open", open_file)
    patch.setattr(Path, "replace", replace)
    if operation == "flush":
        patch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize(
    ("suffix", "operation"),
    [
        *(
            (suffix, operation)
            for suffix in ("run.json", "tokenizer.json", ".pt", "losses.parquet")
            for operation in FAULTS
        ),
        *(("mainrun.log", operation) for operation in FAULTY_FILES["mainrun.log"]),
    ],
)
def test_a_full_disk_ends_a_training_with_6_and_it_resumes_to_the_same_bits(
    suffix: str, operation: str, whole: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    titles, due = whole
    with pytest.MonkeyPatch.context() as patch:
        fail_on(patch, suffix, operation)
        assert train_tiny(titles, tmp_path, *EACH_STEP, **SHORT) == 6
    said = capsys.readouterr().err
    assert suffix in said and "Traceback" not in said
    assert not list(tmp_path.rglob("*.partial"))
    for path in tmp_path.rglob("*.json"):
        json.loads(path.read_text())
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 0
    assert list_losses(tmp_path) == list_losses(due)
    for key in ("status", "final_weights_sha256", "title_losses_sha256"):
        assert load_record(tmp_path)[key] == load_record(due)[key]
