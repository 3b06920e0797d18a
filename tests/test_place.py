"""The program trains with its own code, whatever stands where it is called from: the folder of the public task, say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.comparison import run_comparison
from harness.launch.job import Job, Outcome
from harness.launch.progress import ProgressDisplay
from mainrun.record.errors import EXIT_DONE, RunError
from tests.harness.fakes import TINY, FakeLauncher, Writing, build_request

ROOT = Path(__file__).parents[1]
STRANGERS = ("queue", "token", "types", "enum", "re", "signal", "copy", "logging")
"""Names of Python's own modules that people give their scripts."""


@pytest.fixture
def public_folder(tmp_path: Path) -> Path:
    """The layout of the public task, with scripts that have the names of Python's modules."""
    trainer = f"open({str(tmp_path / 'wrong')!r}, 'w')\nprint('trained by somebody else')\n"
    for place in ("", "elsewhere"):
        (tmp_path / place / "mainrun").mkdir(parents=True)
        (tmp_path / place / "mainrun" / "__init__.py").write_text(trainer)
        (tmp_path / place / "mainrun" / "train.py").write_text(trainer)
    (tmp_path / "scripts").mkdir()
    for name in STRANGERS:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not the module of that name')\n")
        (tmp_path / "scripts" / f"{name}.py").write_text("raise SystemExit('not the module of that name')\n")
    return tmp_path


def test_compare_trains_with_its_own_program_in_the_folder_of_the_public_task(public_folder: Path) -> None:
    settings = [f"--set={arm}.{key}={value}" for arm in ("baseline", "optimized") for key, value in TINY.items()]
    command = ["compare", "--out", "out", "--device", "cpu", *settings]
    environment = os.environ | {"PYTHONPATH": f"{public_folder / 'elsewhere'}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "harness", *command], cwd=public_folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode in (0, 6), done.stderr  # 6: no PDF can be made here, all else is there
    assert not (public_folder / "wrong").exists()
    for arm in ("baseline", "optimized"):
        record = json.loads((public_folder / "out" / "runs" / f"{arm}-s1337" / "run.json").read_text())
        assert record["status"] == "complete"


def test_a_run_that_ends_well_and_leaves_no_record_failed(tmp_path: Path) -> None:
    class Idler(FakeLauncher):
        def write_run(self, job: Job) -> Writing:
            yield
            return Outcome(EXIT_DONE, "")

    with pytest.raises(RunError, match="left no whole run"):
        run_comparison(build_request(tmp_path / "idle"), Idler(), ProgressDisplay(lambda text: None))
