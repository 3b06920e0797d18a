"""What travels with a job, and what its words come to where it arrives."""

import io
import sys
import tarfile
from pathlib import Path

import pytest

from harness.launch.command import build_command_job
from harness.launch.training import build_job
from harness.launch.travel import archive_folder, build_job_there, build_order, load_file, load_packages, relocate
from harness.plan.arms_file import ExternalArm
from harness.plan.plan import PlannedRun
from harness.processes import PLACE
from harness.store.runs import WORK_FOLDER
from mainrun.data.corpus import CorpusSource

PLACES = {"results/a/runs/x-s1": "/n/x-s1", "/data/titles.txt": "/n/file/titles.txt", "/data": "/n/data"}


@pytest.mark.parametrize(
    ("word", "there"),
    [
        ("--out=results/a/runs/x-s1", "--out=/n/x-s1"),
        (f"results/a/runs/x-s1/{WORK_FOLDER}/log", f"/n/x-s1/{WORK_FOLDER}/log"),
        ("results/a/runs/x-s10", "results/a/runs/x-s10"),
        ("--data=/data/titles.txt", "--data=/n/file/titles.txt"),
        ("--data=/data/other.txt", "--data=/n/data/other.txt"),
        ("/database", "/database"),
        ("--set=a=/data", "--set=a=/n/data"),
        ("a=/data", "a=/data"),
        ("--resume", "--resume"),
    ],
)
def test_a_word_that_names_a_place_names_it_as_it_is_called_there(word: str, there: str) -> None:
    assert relocate(word, PLACES) == there


def test_packages_are_their_sources_and_always_the_same_bytes() -> None:
    packages = load_packages(PLACE)
    assert packages.content == load_packages(PLACE).content
    with tarfile.open(fileobj=io.BytesIO(packages.content)) as files:
        names = files.getnames()
        assert {entry.mtime for entry in files} == {0}
    assert {"mainrun/train.py", "harness/start.py", "harness/launch/keeper.py"} <= set(names)
    assert all(name.endswith(".py") for name in names)


def test_a_folder_travels_as_far_as_it_is_whole(tmp_path: Path) -> None:
    assert archive_folder(tmp_path / "absent") == b""
    (tmp_path / "checkpoint").mkdir()
    for name in ("mainrun.log", "checkpoint/a.pt", ".run.json.partial"):
        (tmp_path / name).write_text(name)
    with tarfile.open(fileobj=io.BytesIO(archive_folder(tmp_path))) as files:
        assert files.getnames() == ["checkpoint/a.pt", "mainrun.log"]


def test_our_job_runs_there_with_that_machines_python_program_titles_and_folder(tmp_path: Path) -> None:
    titles = tmp_path / "titles.txt"
    titles.touch()
    arguments = [f"--data={titles}", f"--out={tmp_path / 'x-s1'}", "--seed=1"]
    job = build_job("x-s1", arguments, CorpusSource(str(titles)), tmp_path / "x-s1")
    assert job.inputs == (titles,)
    order = build_order(job, "root", [load_packages(PLACE), load_file(titles)], 600.0)
    places = {str(PLACE): "/n/program", str(titles): "/n/titles.txt", str(job.folder): "/n/x-s1"}
    there = build_job_there({**order, "places": places, "python": [order["python"], "/n/python"]})
    assert there.argv[:4] == ("/n/python", "-P", "/n/program/harness/start.py", "/n/program")
    assert there.argv[-3:] == ("--data=/n/titles.txt", "--out=/n/x-s1", "--seed=1")
    assert (there.folder, there.journal) == (Path("/n/x-s1"), Path("/n/x-s1/mainrun.log"))


def test_a_job_without_a_file_of_titles_has_none_to_send() -> None:
    assert build_job("x", [], CorpusSource("synthetic"), Path("x")).inputs == ()
    assert build_job("x", [], CorpusSource("hub"), Path("x")).inputs == ()


def test_a_command_keeps_its_own_python_and_folder_and_finds_its_place_for_results(tmp_path: Path) -> None:
    command = (sys.executable, "run.py", "--log={out}/log")
    arm = ExternalArm("mine", command, "{out}/log", tmp_path, {"LOG": "{out}"})
    job = build_command_job(arm, PlannedRun("mine", 1), tmp_path / "mine-s1")
    order = build_order(job, "root", [load_packages(PLACE)], 600.0)
    places = dict.fromkeys(order["folders"], "/n/mine-s1")
    there = build_job_there({**order, "places": places, "python": [order["python"], "/n/python"]})
    assert there.argv == (sys.executable, "run.py", f"--log=/n/mine-s1/{WORK_FOLDER}/log")
    assert (there.cwd, there.env) == (tmp_path, {"LOG": f"/n/mine-s1/{WORK_FOLDER}"})
    assert (there.journal, there.output) == (Path(f"/n/mine-s1/{WORK_FOLDER}/log"), Path("/n/mine-s1/output.log"))
    assert there.own_session and there.stall_s == job.stall_s
