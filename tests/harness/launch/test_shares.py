"""What each of several runs gets of the machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.launch.job import Job
from harness.launch.local import LocalLauncher
from harness.launch.shares import Gpus, choose_num_threads, find_gpus, limit_threads

PRINTS = "import os, sys; sys.exit(' '.join(os.environ.get(name, '-') for name in sys.argv[1:]))"


def run_all(*jobs: Job) -> dict[str, str]:
    """Runs jobs at once; what each printed last."""
    launcher = LocalLauncher()
    said: dict[str, str] = {}
    for job in jobs:
        launcher.start(job)
    while len(said) < len(jobs):
        said.update({name: outcome.message for name, outcome in launcher.poll(0.1).items()})
    return said


def build_job(tmp_path: Path, name: str, **values: object) -> Job:
    import sys

    argv = (sys.executable, "-c", PRINTS, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    return Job(name, argv, tmp_path, tmp_path / "log", **values)  # type: ignore[arg-type]  # one call for many fields


@pytest.mark.parametrize(
    ("asked", "num_at_once", "chosen"),
    [(None, 1, None), (3, 1, 3), (None, 2, 4), (None, 3, 2), (None, 99, 1), (5, 2, 5)],
)
def test_threads_are_as_asked_or_an_equal_part_of_the_cores(
    asked: int | None, num_at_once: int, chosen: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.launch.shares.count_cores", lambda: 8)
    assert choose_num_threads(asked, num_at_once) == chosen


def test_a_job_computes_with_its_threads_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    said = run_all(build_job(tmp_path, "free"), build_job(tmp_path, "two", num_threads=2))
    assert said == {"free": "7 -", "two": "2 2"}
    assert limit_threads(None) == {}


def test_an_arms_own_environment_has_the_last_word(tmp_path: Path) -> None:
    job = build_job(tmp_path, "own", num_threads=2, env={"OMP_NUM_THREADS": "5"})
    assert run_all(job)["own"].startswith("5 2")


def test_jobs_get_gpus_by_turns_and_one_that_is_given_back_is_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    gpus = Gpus()
    taken = [gpus.take(name)["CUDA_VISIBLE_DEVICES"] for name in ("a", "b", "c", "d")]
    assert taken == ["3", "5", "3", "5"]
    gpus.give_back("b")
    assert gpus.take("e") == {"CUDA_VISIBLE_DEVICES": "5"}


def test_a_job_alone_sees_every_gpu_and_one_of_several_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    one, two = (build_job(tmp_path, name, own_gpu=True) for name in ("one", "two"))
    said = run_all(build_job(tmp_path, "alone"), one, two)
    assert {name: text.split()[-1] for name, text in said.items()} == {"alone": "0,1", "one": "0", "two": "1"}


def test_a_job_that_cannot_be_started_holds_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    absent = replace(build_job(tmp_path, "absent", own_gpu=True), argv=("no-such-program",))
    said = run_all(absent, *(build_job(tmp_path, name, own_gpu=True) for name in ("one", "two")))
    assert "cannot be started" in said.pop("absent")
    assert {name: text.split()[-1] for name, text in said.items()} == {"one": "0", "two": "1"}


def test_gpus_are_those_the_environment_names_or_the_machine_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nvidia10", "nvidia0", "nvidiactl", "nvidia-uvm", "tty"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert find_gpus(tmp_path) == ["0", "1"]  # as CUDA counts them, whatever the files are called
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_gpus(tmp_path) == []
    assert Gpus().take("a") == {}
