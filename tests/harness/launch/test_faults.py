"""Every file the program writes, with the disk failing under it: what was there is kept, and --resume goes on."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.launch.job import Job, Outcome
from harness.store.document import load_document
from harness.verify.verify import verify
from mainrun.record.errors import MachineError, ProgramError
from tests.harness.fakes import FakeLauncher, Writing, make_comparison

OPERATIONS = ("write", "flush", "rename")
SCRATCH = f"{tempfile.gettempdir()}/tmp"
"""How folders begin whose files are thrown away."""


@dataclass
class Disk:
    """Counts the atomic writes of a file and fails one of them."""

    operation: str
    fail_at: int | None
    names: list[str] = field(default_factory=list)
    """Name of the file of every write so far, in order."""

    def strike(self, operation: str) -> None:
        if operation == self.operation and len(self.names) == self.fail_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class CatchingLauncher(FakeLauncher):
    """Ends a run as its process would: an error is an exit code."""

    def write_run(self, job: Job) -> Writing:
        try:
            return (yield from super().write_run(job))
        except ProgramError as error:
            return Outcome(error.exit_code, str(error))


@contextmanager
def failing_disk(disk: Disk) -> Iterator[None]:
    real_open, real_fsync, real_replace = Path.open, os.fsync, Path.replace

    def open_file(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if path.name.endswith(".partial") and mode == "wb" and not str(path).startswith(SCRATCH):
            disk.names.append(path.name.removesuffix(".partial").removeprefix("."))
            disk.strike("write")
        return real_open(path, mode, *arguments, **options)

    def fsync(descriptor: int) -> None:
        disk.strike("flush")
        real_fsync(descriptor)

    def replace(path: Path, target: Path) -> Path:
        disk.strike("rename")
        return real_replace(path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", open_file)
        patch.setattr(os, "fsync", fsync)
        patch.setattr(Path, "replace", replace)
        yield


@pytest.fixture(scope="module")
def honest(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """An undisturbed comparison, and the names of the files it wrote, in order."""
    make_comparison(tmp_path_factory.mktemp("first"))  # so that the token streams are cached
    disk = Disk("none", None)
    with failing_disk(disk):
        folder = make_comparison(tmp_path_factory.mktemp("honest"))
    return folder, disk.names


def test_the_faults_reach_every_file_a_comparison_writes(honest: tuple[Path, list[str]]) -> None:
    assert set(honest[1]) >= {
        "plan.json",
        "run.json",
        "tokenizer.json",
        "title_losses.parquet",
        "metrics.parquet",
        "findings.json",
        "comparison.json",
        "PERFORMANCE_SUMMARY.md",
        "TRAINING_OPTIMIZATION_REPORT.md",
    }


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_full_disk_under_any_file_ends_with_6_and_resumes_to_the_same_numbers(
    operation: str, honest: tuple[Path, list[str]], tmp_path: Path
) -> None:
    due = load_document(honest[0])["pairs"]
    for place, name in enumerate(honest[1], 1):
        disk = Disk(operation, place)
        with failing_disk(disk), pytest.raises(MachineError, match=name.replace(".", r"\.")):
            make_comparison(tmp_path / str(place), launcher=CatchingLauncher())
        assert not list((tmp_path / str(place)).rglob("*.partial"))
        for path in (tmp_path / str(place)).rglob("*.json"):
            json.loads(path.read_text(encoding="utf-8"))
        later = CatchingLauncher(launched=["before"])  # or its made-up clock would begin with the first run's again
        folder = make_comparison(tmp_path / str(place), launcher=later, resume=True)
        assert load_document(folder)["pairs"] == due
    findings = verify(folder, None, None, FakeLauncher())
    assert not [finding.name for finding in findings if finding.status == "FAIL"]
