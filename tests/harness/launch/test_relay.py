"""The cluster's launcher with its relay and keeper, on a Ray that is made up: only what Ray itself does is left out."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from harness.launch import cluster, training
from harness.launch.cluster import Cluster
from harness.launch.command import build_command_job
from harness.launch.job import Job, Outcome, run_alone
from harness.launch.schedule import run_tasks
from harness.launch.shares import share_nodes
from harness.plan.arms_file import ExternalArm
from harness.plan.plan import PlannedRun
from harness.processes import PLACE
from mainrun.data.corpus import CorpusSource
from mainrun.record.errors import RequestError
from tests.harness.launch.fake_ray import FakeRay, pretend_ray_is_installed

BEGIN = """
import json, os, pathlib, sys, time
out = pathlib.Path(sys.argv[1])
def log(text):
    with open(out / "mainrun.log", "a") as file: file.write(text + "\\n")
def record(status):
    (out / ".run.json.partial").write_text(json.dumps({"status": status}))
    (out / ".run.json.partial").replace(out / "run.json")
"""
ENDS_WELL = BEGIN + "record('running'); log('one'); time.sleep(1.0); log('two'); record('complete')"
GROWS = (
    BEGIN
    + """
open(sys.argv[2], "w").close()
log("begun, and nothing more")
while True: open(sys.argv[2], "a").write("x"); time.sleep(0.02)
"""
)
WITH_CHECKPOINTS = (
    BEGIN
    + """
(out / "checkpoint").mkdir(exist_ok=True)
states = sorted((out / "checkpoint").glob("*.pt"))
begun = int(states[-1].stem) if states else 0
log(f"begun at {begun}")
for step in range(begun + 1, 9):
    log(f"step {step}")
    (out / "checkpoint" / f".{step}.partial").write_text("state")
    (out / "checkpoint" / f".{step}.partial").replace(out / "checkpoint" / f"{step}.pt")
    for older in (out / "checkpoint").glob("*.pt"):
        if older.stem != str(step): older.unlink()
    time.sleep(0.3)
(out / "checkpoint" / "8.pt").unlink(); (out / "checkpoint").rmdir()
"""
)


@pytest.fixture(autouse=True)
def _node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A node whose temporary files are here; as a task that is made up is waited for, each poll takes one frame."""
    monkeypatch.setattr(cluster, "MAX_FRAMES", 1)
    (tmp_path / "node").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "node"))
    with pretend_ray_is_installed():
        yield


def build_job(tmp_path: Path, code: str, *more: str, name: str = "x-s1", **values: Any) -> Job:
    folder = tmp_path / "runs" / name
    folder.mkdir(parents=True)
    argv = (sys.executable, "-c", code, str(folder), *more)
    return Job(name, argv, folder, folder / "mainrun.log", **{"packages": PLACE, "num_threads": 1, **values})


def build_cluster(ray: FakeRay, said: list[str] | None = None, checkpoint_s: float = 600.0) -> Cluster:
    return Cluster(ray, checkpoint_s, (said if said is not None else []).append)


@dataclass
class Followed:
    """A task that notes what its folder holds while it goes on."""

    job: Job
    seen: list[str] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)
    outcome: Outcome | None = None

    def watch(self) -> None:
        if self.job.journal.exists():
            self.seen.append(self.job.journal.read_text())

    def restart(self, reason: str) -> None:
        self.restarts.append(reason)

    def finish(self, outcome: Outcome) -> str | None:
        self.outcome = outcome
        return outcome.message or None

    def close(self) -> None:
        pass


def test_a_run_comes_back_whole_and_its_journal_as_it_grows(tmp_path: Path) -> None:
    ray, task = FakeRay(), Followed(build_job(tmp_path, ENDS_WELL))
    launcher = build_cluster(ray)
    assert run_tasks(iter([task]), launcher) == {}
    assert "one\n" in task.seen and task.seen[-1] == "one\ntwo\n"
    assert json.loads((task.job.folder / "run.json").read_text()) == {"status": "complete"}
    assert sorted(path.name for path in task.job.folder.iterdir()) == ["mainrun.log", "run.json"]
    launcher.clean_up()
    assert list((tmp_path / "node").iterdir()) == []
    assert ray.options[0]["num_cpus"] == 1 and ray.options[0]["num_gpus"] == 0


def test_programs_and_titles_are_put_once_for_all_runs(tmp_path: Path) -> None:
    (tmp_path / "titles.txt").write_text("a title")
    reads = BEGIN + "log(open(sys.argv[2]).read())"
    jobs = [
        build_job(tmp_path, reads, str(tmp_path / "titles.txt"), name=f"x-s{seed}", inputs=(tmp_path / "titles.txt",))
        for seed in (1, 2, 3)
    ]
    ray, tasks = FakeRay(), [Followed(job) for job in jobs]
    run_tasks(iter(tasks), build_cluster(ray), 3)
    assert ray.num_put == 2
    assert [job.journal.read_text() for job in jobs] == ["a title\n"] * 3


def test_titles_of_the_hub_travel_in_its_cache_and_no_other_commit_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for commit in ("a" * 40, "b" * 40):
        folder = tmp_path / "cache" / "julien040___hacker-news-posts" / "default" / "0.0.0" / commit
        folder.mkdir(parents=True)
        (folder / "rows.arrow").write_text(f"rows of {commit}")
    due = training.build_job("x", [], CorpusSource("hub", "a" * 40), tmp_path)
    reads = BEGIN + (
        "root = pathlib.Path(os.environ['HF_DATASETS_CACHE'])\n"
        "for path in root.rglob('*.arrow'): log(f'{path.parent.relative_to(root)} {path.read_text()}')\n"
        "log(str(root))"
    )
    jobs = [build_job(tmp_path, reads, name=name, env=due.env, dataset=due.dataset) for name in ("x-s1", "x-s2")]
    ray = FakeRay()
    run_tasks(iter([Followed(job) for job in jobs]), build_cluster(ray), 2)
    line, place = jobs[0].journal.read_text().splitlines()
    assert line == f"julien040___hacker-news-posts/default/0.0.0/{'a' * 40} rows of {'a' * 40}"
    assert place.startswith(str(tmp_path / "node")) and jobs[1].journal.read_text().splitlines() == [line, place]
    assert ray.num_put == 2
    assert training.build_job("x", [], CorpusSource("hub", "c" * 40), tmp_path).dataset is None


def test_a_run_that_fails_says_so_as_it_would_here(tmp_path: Path) -> None:
    failing = BEGIN + "log('one'); print('much'); sys.exit('error: it broke')"
    outcome = run_alone(build_cluster(FakeRay()), build_job(tmp_path, failing))
    assert (outcome.exit_code, outcome.message, outcome.is_lost) == (1, "it broke", False)
    assert "much" in outcome.errors


def test_a_run_whose_node_died_goes_on_from_the_checkpoint_that_came_back(tmp_path: Path) -> None:
    ray = FakeRay(faults=[5])
    task = Followed(build_job(tmp_path, WITH_CHECKPOINTS))
    assert run_tasks(iter([task]), build_cluster(ray, checkpoint_s=0.0)) == {}
    assert task.restarts == ["its node died"]
    lines = task.job.journal.read_text().splitlines()
    begun = [int(line.rpartition(" ")[2]) for line in lines if line.startswith("begun")]
    assert len(begun) == 2 and begun[0] == 0 < begun[1]
    assert lines[-1] in ("step 8", "begun at 8") and not (task.job.folder / "checkpoint").exists()


def test_every_checkpoint_of_a_run_that_keeps_them_comes_back(tmp_path: Path) -> None:
    keeps = BEGIN + (
        "(out / 'checkpoint').mkdir()\n"
        "for step in range(4): (out / 'checkpoint' / f'{step}.pt').write_text(str(step)); time.sleep(0.3)"
    )
    job = build_job(tmp_path, keeps, "--keep-checkpoints")
    outcome = run_alone(build_cluster(FakeRay(), checkpoint_s=0.0), job)
    assert (outcome.exit_code, outcome.message) == (0, "")
    assert sorted(path.name for path in job.folder.glob("checkpoint/*")) == [f"{step}.pt" for step in range(4)]


def test_a_run_whose_node_died_before_a_checkpoint_begins_again(tmp_path: Path) -> None:
    task = Followed(build_job(tmp_path, WITH_CHECKPOINTS))
    assert run_tasks(iter([task]), build_cluster(FakeRay(faults=[3, 1, 2]))) == {}
    assert task.restarts == ["its node died"] * 3
    assert task.job.journal.read_text().endswith("step 7\nstep 8\n")


def test_a_run_whose_nodes_die_four_times_has_failed(tmp_path: Path) -> None:
    task = Followed(build_job(tmp_path, ENDS_WELL))
    assert run_tasks(iter([task]), build_cluster(FakeRay(faults=[1] * 4))) == {"x-s1": "its node died"}
    assert "192.0.2.7" not in str(task.outcome)


@pytest.mark.parametrize("before", [None, "one\n"])
def test_a_journal_that_is_empty_at_the_end_comes_back_empty(before: str | None, tmp_path: Path) -> None:
    job = build_job(tmp_path, "import sys; open(sys.argv[1] + '/mainrun.log', 'w').close()")
    if before is not None:
        job.journal.write_text(before)
    assert run_alone(build_cluster(FakeRay()), job).exit_code == 0
    assert job.journal.read_text() == ""


def test_a_keeper_that_cannot_work_on_its_node_fails_the_run_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program" / "harness").mkdir(parents=True)
    (tmp_path / "program" / "harness" / "start.py").write_text("import absent_library")
    monkeypatch.setattr(cluster, "PLACE", tmp_path / "program")
    monkeypatch.setattr("harness.launch.travel.PLACE", tmp_path / "program")
    outcome = run_alone(build_cluster(FakeRay()), build_job(tmp_path, ENDS_WELL, packages=tmp_path / "program"))
    assert (outcome.exit_code, outcome.is_lost) == (3, False)
    assert outcome.message.endswith("keeper on the node failed: ModuleNotFoundError: No module named 'absent_library'")


def test_a_journal_that_was_cut_back_and_has_grown_past_where_it_was_comes_back_as_it_is(tmp_path: Path) -> None:
    job = build_job(tmp_path, BEGIN + "open(out / 'mainrun.log', 'w').write('one\\nTWO and more\\n')")
    job.journal.write_text("one\ntwo\n")
    outcome = run_alone(build_cluster(FakeRay()), job)
    assert (outcome.message, job.journal.read_text()) == ("", "one\nTWO and more\n")


def stands_still(path: Path) -> bool:
    size = path.stat().st_size
    time.sleep(0.3)
    return path.stat().st_size == size


@pytest.mark.parametrize("end", ["stop", "keeper"])
def test_where_nobody_listens_any_more_the_run_is_ended_and_leaves_nothing(end: str, tmp_path: Path) -> None:
    ray, grows = FakeRay(), tmp_path / "grows"
    launcher = build_cluster(ray)
    launcher.start(build_job(tmp_path, GROWS, str(grows)))
    while not grows.exists():
        launcher.poll(0.05)
    launcher.stop() if end == "stop" else ray.tasks[0].generator.close()
    assert stands_still(grows)
    assert not list((tmp_path / "node").rglob("x-s1"))


def build_command(tmp_path: Path, code: str, journal: str = "{out}/log", cwd: Path | None = None) -> Job:
    arm = ExternalArm("x", (sys.executable, "-c", code, "{out}"), journal, cwd or tmp_path)
    return replace(build_command_job(arm, PlannedRun("x", 1), tmp_path / "runs" / "x-s1"), num_threads=1)


def test_a_command_brings_back_what_it_wrote_and_starts_anew_where_its_node_died(tmp_path: Path) -> None:
    writes = "import sys, time; open(sys.argv[1] + '/log', 'a').write('line\\n'); time.sleep(0.7); print('said')"
    task = Followed(build_command(tmp_path, writes))
    assert run_tasks(iter([task]), build_cluster(FakeRay(faults=[2]))) == {}
    assert len(task.restarts) == 1
    assert task.job.journal.read_text() == "line\n"
    assert (task.job.folder / "output.log").read_text() == "said\n"


def test_a_command_that_is_not_on_the_node_says_that_it_has_to_be(tmp_path: Path) -> None:
    job = replace(build_command(tmp_path, ""), argv=("absent-program",))
    outcome = run_alone(build_cluster(FakeRay()), job)
    assert outcome.message.startswith("absent-program cannot be started: No such file or directory; on a cluster")


def test_a_journal_outside_the_runs_own_folder_cannot_come_back_and_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"x-s1 writes its journal to mine\.log .* in \{out\}"):
        build_cluster(FakeRay()).start(build_command(tmp_path, "", journal="mine.log"))


def test_a_file_of_titles_that_is_gone_is_a_request_that_cannot_be_met(tmp_path: Path) -> None:
    job = build_job(tmp_path, ENDS_WELL, inputs=(tmp_path / "absent.txt",))
    with pytest.raises(RequestError, match=r"absent\.txt cannot be read"):
        build_cluster(FakeRay()).start(job)


def test_a_run_that_finds_no_room_is_spoken_of_once_with_what_it_asks_and_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "WAIT_SAID_S", -1.0)
    said: list[str] = []
    launcher = build_cluster(FakeRay(nodes_=[{"CPU": 2.0}, {"CPU": 1.0}], has_room=False), said)
    for seed in (1, 2):
        launcher.start(build_job(tmp_path, ENDS_WELL, name=f"x-s{seed}", num_threads=4))
    for _ in range(3):
        assert launcher.poll(0.0) == {}
    (line,) = said
    assert "x-s1 has waited for 4 CPU(s)" in line
    assert "2 node(s) with 2, 1 CPUs, 0 of them free, and 0 GPU(s)" in line


@pytest.mark.parametrize(
    ("nodes", "asked", "wants_gpu", "given"),
    [
        ([{"CPU": 4}, {"CPU": 8}], (None, None), False, (3, 4)),
        ([{"CPU": 4}, {"CPU": 8}], (None, 2), False, (6, 2)),
        ([{"CPU": 4}, {"CPU": 8}], (6, None), False, (6, 2)),
        ([{"CPU": 4}, {"CPU": 8}], (1, None), False, (1, 4)),
        ([{"CPU": 4}], (None, 8), False, (1, 8)),
        ([{"CPU": 16, "GPU": 4}, {"CPU": 16, "GPU": 2}], (None, None), True, (6, 4)),
        ([{"CPU": 16, "GPU": 4}], (None, None), False, (1, 16)),
        ([{}, {"CPU": 2}], (None, None), True, (1, 2)),
    ],
)
def test_the_room_of_a_cluster_is_shared_out(
    nodes: list[dict[str, float]], asked: tuple[int | None, int | None], wants_gpu: bool, given: tuple[int, int]
) -> None:
    assert share_nodes(nodes, *asked, wants_gpu=wants_gpu) == given
    assert build_cluster(FakeRay(nodes_=nodes)).share(*asked, wants_gpu=wants_gpu) == given


def test_a_run_gets_a_gpu_where_the_cluster_has_any(tmp_path: Path) -> None:
    for nodes, expected in (([{"CPU": 2.0, "GPU": 1.0}], 1), ([{"CPU": 2.0}], 0)):
        ray = FakeRay(nodes_=nodes)
        build_cluster(ray).start(build_job(tmp_path, ENDS_WELL, name=f"x-{expected}", own_gpu=True))
        assert ray.options[0]["num_gpus"] == expected


def test_runs_that_need_the_same_titles_prepare_them_once_a_node(tmp_path: Path) -> None:
    prepares = (
        BEGIN
        + """
cache = pathlib.Path(os.environ["XDG_CACHE_HOME"]); cache.mkdir(exist_ok=True)
if not (cache / "ids").exists():
    time.sleep(0.5)
    open(cache / "prepared", "a").write("once\\n")
    (cache / "ids").touch()
log((cache / "prepared").read_text().strip())
"""
    )
    tasks = [Followed(build_job(tmp_path, prepares, "--data=synthetic", name=f"x-s{seed}")) for seed in (1, 2, 3)]
    clusters = [build_cluster(FakeRay()) for _ in tasks]
    for other in clusters[1:]:
        other._root = clusters[0]._root  # so that each is a task of one cluster, on one node
    threads = [Thread(target=run_alone, args=(one, task.job)) for one, task in zip(clusters, tasks, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [task.job.journal.read_text() for task in tasks] == ["once\n"] * 3
