"""The files that are not written by a comparison of fakes alone: figures, PDF, TensorBoard, `latest`, and stderr."""

import errno
import json
import os
import shutil
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.comparison import make_reports, run_comparison
from harness.launch.errors_log import MAX_CHARS, hide_folders, save_errors
from harness.launch.job import Job, Outcome, run_alone
from harness.launch.local import LocalLauncher
from harness.launch.progress import ProgressDisplay
from harness.launch.training import build_job
from harness.store.document import load_document
from mainrun.data.corpus import SYNTHETIC, CorpusSource
from mainrun.record.errors import MachineError, RunError
from tests.harness.fakes import FakeLauncher, Writing, build_request, make_comparison, skip_rendering
from tests.harness.launch.test_faults import Disk, failing_disk
from tests.robustness import FAULTS

HOME = "/".join(("", "home", "me"))  # put together, because no tracked file may name such a folder
QUIET = ProgressDisplay(lambda text: None)


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("operation", FAULTS)
def test_a_full_disk_under_a_figure_ends_with_6_and_report_makes_them_all(
    operation: str, own_comparison: Path, tmp_path: Path
) -> None:
    num_figures = len(load_document(own_comparison)["figures"])
    for place in range(4, 4 + num_figures):  # behind metrics and numbers
        disk = Disk(operation, place - 1)
        with skip_rendering(figures=False), failing_disk(disk), pytest.raises(MachineError, match=r"figures/\w+\.svg"):
            make_reports(own_comparison)
        assert not list(own_comparison.rglob("*.partial"))
    with skip_rendering(figures=False):
        make_reports(own_comparison)
    assert len(list((own_comparison / "figures").iterdir())) == num_figures > 5


@pytest.mark.parametrize("operation", FAULTS)
def test_a_full_disk_under_the_pdf_ends_with_6_and_keeps_the_one_before(
    operation: str, own_comparison: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_comparison / "report.pdf").write_bytes(b"before")
    monkeypatch.setattr("harness.report.pdf._ask", lambda renderer, request: b"new")
    monkeypatch.setattr("harness.report.render.save_text", lambda path, text: None)  # written at the same time
    disk = Disk(operation, 3)
    with skip_rendering(pdf=False), failing_disk(disk), pytest.raises(MachineError, match=r"report\.pdf"):
        make_reports(own_comparison)
    assert (own_comparison / "report.pdf").read_bytes() == b"before"


def test_the_pdf_is_awaited_where_it_can_be_interrupted(own_comparison: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        assert threading.current_thread() is threading.main_thread()
        raise KeyboardInterrupt

    (own_comparison / "PERFORMANCE_SUMMARY.md").unlink()
    monkeypatch.setattr("harness.report.render.render_pdf", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_reports(own_comparison)
    assert (own_comparison / "PERFORMANCE_SUMMARY.md").exists()


def test_where_no_renderer_can_be_started_all_else_is_written_and_report_ends_with_6(
    own_comparison: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    rebuilt = ("PERFORMANCE_SUMMARY.md", "TRAINING_OPTIMIZATION_REPORT.md", "metrics.parquet", "comparison.json")
    expected = read_files(own_comparison)
    for name in rebuilt:
        (own_comparison / name).unlink()
    shutil.rmtree(own_comparison / "logs")
    monkeypatch.setattr("harness.report.pdf.subprocess.Popen", refuse)
    assert main(["report", str(own_comparison)]) == 6
    assert "cannot start the PDF renderer" in capsys.readouterr().err
    written = read_files(own_comparison)
    assert written.pop("report.html") and expected.pop("report.html")  # its figures were not drawn before
    assert {name: content for name, content in written.items() if not name.startswith("figures/")} == expected
    num_figures = len(load_document(own_comparison)["figures"])
    assert len([name for name in written if name.startswith("figures/")]) == num_figures


@pytest.mark.parametrize("operation", ["open", "write", "flush"])
def test_a_full_disk_under_tensorboards_file_ends_with_6_and_resumes(
    operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = Path.open

    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, content: bytes) -> int:
            if operation == "write" and len(content) > 60:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(self.file.write(content))

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def close(self) -> None:
            self.file.close()

    def open_file(path: Path, *arguments: Any, **options: Any) -> Any:
        if not path.name.startswith("events.out"):
            return real_open(path, *arguments, **options)
        if operation == "open":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return Full(real_open(path, *arguments, **options))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_file)
        with pytest.raises(MachineError, match=r"events\.out\.tfevents"):
            make_comparison(tmp_path)
    make_comparison(tmp_path, resume=True)


@pytest.mark.parametrize("operation", ["symlink", "rename"])
def test_where_latest_cannot_be_written_it_ends_with_6_and_still_points_to_the_one_before(
    operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    results = tmp_path / "results"
    (results / "older").mkdir(parents=True)
    (results / "latest").symlink_to("older")
    real = Path.replace

    def move(path: Path, target: Path) -> Path:
        return Path(refuse()) if target.name == "latest" else real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, *(("symlink_to", refuse) if operation == "symlink" else ("replace", move)))
        with pytest.raises(MachineError, match="latest"):
            make_comparison(results, name="new")
    assert (results / "latest").readlink() == Path("older")
    make_comparison(results, name="new", resume=True)
    assert (results / "latest").readlink() == Path("new")


class Crashing(FakeLauncher):
    """Its second run says much and ends with a traceback of an absolute path."""

    def write_run(self, job: Job) -> Writing:
        if len(self.launched) == 2:
            said = f'Traceback:\n  File "{Path(__file__)}", line 3, in x\n  File "{HOME}/a b/lib.py"\nValueError: bad'
            return Outcome(70, f"ValueError: bad {HOME}/x/y.txt", f"{said}\x1b[31m")
        return (yield from super().write_run(job))


def test_all_a_failed_run_said_is_kept_and_no_folder_of_the_machine(tmp_path: Path) -> None:
    said: list[str] = []
    with skip_rendering(), pytest.raises(RunError, match="1 of 2 runs failed"):
        run_comparison(build_request(tmp_path / "a"), Crashing(), ProgressDisplay(said.append))
    kept = (tmp_path / "a" / "logs" / "errors" / "optimized-s1337.log").read_text()
    assert "tests/harness/report/test_faults_of_reports.py" in kept and "ValueError: bad" in kept
    assert "logs/errors/optimized-s1337.log" in "".join(said)
    for text in (kept, *(path.read_text() for path in (tmp_path / "a").rglob("*.json"))):
        assert HOME not in text and str(Path(__file__).parents[3]) not in text and "\x1b" not in text


@pytest.mark.parametrize("operation", FAULTS)
def test_a_full_disk_under_logs_errors_ends_with_6(operation: str, tmp_path: Path) -> None:
    with failing_disk(Disk(operation, 1)), pytest.raises(MachineError, match="logs/errors"):
        save_errors(tmp_path, tmp_path / "runs" / "a-s1", "much")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("operation", ["copy", "rename"])
def test_a_run_that_is_taken_over_is_there_whole_or_not_at_all(
    operation: str, tiny_comparison: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    request = replace(build_request(tmp_path / "new"), reuse=(tiny_comparison,))
    real = Path.replace
    with monkeypatch.context() as patch, skip_rendering(), pytest.raises(MachineError, match="baseline-s1337"):
        patch.setattr("harness.launch.reuse.shutil.copyfile", refuse if operation == "copy" else shutil.copyfile)
        if operation == "rename":
            patch.setattr(Path, "replace", lambda path, to: refuse() if to.name.endswith("s1337") else real(path, to))
        run_comparison(request, FakeLauncher(), QUIET)
    assert not list((tmp_path / "new" / "runs").iterdir())
    with skip_rendering():
        run_comparison(replace(request, resume=True), FakeLauncher(), QUIET)
    assert "taken_over" in (tmp_path / "new" / "runs" / "baseline-s1337" / "run.json").read_text()


def test_what_a_run_said_is_bounded_and_keeps_its_end(tmp_path: Path) -> None:
    name = save_errors(tmp_path, tmp_path / "runs" / "a-s1", f"first{'x' * 2 * MAX_CHARS}last")
    kept = (tmp_path / name).read_text()
    assert len(kept) < MAX_CHARS + 100
    assert kept.startswith("first") and kept.endswith("last") and "characters are left out" in kept


def test_paths_are_cut_to_what_says_which_file_is_meant(tmp_path: Path) -> None:
    assert hide_folders(f"{tmp_path}/runs/x", tmp_path) == "runs/x"
    assert hide_folders('File "/opt/x/y/z.py", line 1', tmp_path) == 'File "…/z.py", line 1'
    assert hide_folders("1/2 http://127.0.0.1:6006 a/b", tmp_path) == "1/2 http://127.0.0.1:6006 a/b"


def test_a_process_the_system_kills_for_memory_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\necho much >&2\nkill -{int(signal.SIGKILL)} $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    outcome = run_alone(LocalLauncher(), build_job("a-s1", [], CorpusSource(SYNTHETIC), tmp_path))
    assert (outcome.exit_code, outcome.errors) == (137, "much\n")
    assert outcome.message == "the process was ended by SIGKILL, as the system does where memory runs out"


@pytest.mark.parametrize(
    "error",
    [
        "MemoryError()",
        'RuntimeError("DefaultCPUAllocator: can\'t allocate memory")',
        'RuntimeError("CUDA error: out of memory")',
        'RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")',
    ],
)
def test_a_training_that_runs_out_of_memory_ends_with_3_and_the_reason(
    error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mainrun.train import main
    from tests.harness.fakes import TINY

    def fail(*_: Any) -> None:
        raise eval(error)

    monkeypatch.setattr("mainrun.step.TrainingState.take_steps", fail)
    settings = [f"--set={key}={value}" for key, value in TINY.items()]
    assert main(["--recipe=baseline", f"--out={tmp_path / 'run'}", "--device=cpu", *settings]) == 3
    assert "ran out of memory" in capsys.readouterr().err.splitlines()[-1]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "failed" and "ran out of memory" in record["reason"]
