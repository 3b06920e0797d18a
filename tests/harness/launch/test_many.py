"""Many runs at once through the real pipeline: order, faults, interruption, resumption, what they have in common."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.comparison import run_comparison
from harness.launch.again import NAME_END
from harness.launch.job import Job, Outcome
from harness.launch.progress import ProgressDisplay
from harness.launch.schedule import MAX_RESTARTS, run_tasks
from harness.store.document import load_document
from harness.verify.verify import verify
from mainrun.record.errors import InterruptionError, RequestError, RunError
from mainrun.record.run_record import RunRequest
from tests.harness.fakes import MACHINE, FakeLauncher, Mishap, build_request, skip_rendering
from tests.harness.launch.test_schedule import Recorded

SEEDS = (1337, 1, 2)
NAMES = [f"{arm}-s{seed}" for seed, arms in ((1337, "bo"), (1, "ob"), (2, "bo"))
         for arm in ({"b": "baseline", "o": "optimized"}[letter] for letter in arms)]  # fmt: skip
"""In the plan's order: ABBA."""


@dataclass
class WatchedLauncher(FakeLauncher):
    """Notes how many runs went on at once."""

    most_at_once: int = 0

    def start(self, job: Job) -> None:
        super().start(job)
        self.most_at_once = max(self.most_at_once, len(self.running))


def compare(folder: Path, launcher: FakeLauncher, said: list[str] | None = None, **asked: Any) -> Path:
    request = replace(build_request(folder, seeds=SEEDS), **asked)
    display = ProgressDisplay((said if said is not None else []).append)
    with skip_rendering():
        return run_comparison(request, launcher, display)


def read_losses(folder: Path) -> dict[str, list[Any]]:
    """Losses of every run's journal."""
    return {
        path.parent.name: [
            (event["event"], event["step"], event["loss"])
            for event in map(json.loads, path.read_text().splitlines())
            if "loss" in event
        ]
        for path in sorted(folder.glob("runs/*/mainrun.log"))
    }


@pytest.mark.parametrize("jobs", [2, 4])
def test_many_at_once_give_the_losses_of_one_after_the_other(jobs: int, three_seeds: Path, tmp_path: Path) -> None:
    launcher, said = WatchedLauncher(), list[str]()
    folder = compare(tmp_path / "many", launcher, said, jobs=jobs, threads=1)
    assert launcher.launched == NAMES and launcher.most_at_once == jobs
    assert read_losses(folder) == read_losses(three_seeds)
    assert "FAIL" not in {finding.status for finding in verify(folder, None, None, FakeLauncher())}
    text = "".join(said)
    assert "  baseline-s1337 (changed)  step" in text and "  optimized-s1337 (changed)  step" in text


def test_every_job_of_many_has_its_part_of_the_cores_and_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []

    class Noting(FakeLauncher):
        def start(self, job: Job) -> None:
            if not job.name.endswith(NAME_END):  # a check trains as the run was trained
                jobs.append(job)
            super().start(job)

    monkeypatch.setattr("harness.launch.shares.count_cores", lambda: 8)
    compare(tmp_path / "a", Noting(), jobs=4, device="auto")
    assert {(job.num_threads, job.own_gpu) for job in jobs} == {(2, True)}
    jobs.clear()
    compare(tmp_path / "c", Noting(), jobs=4)
    assert {(job.num_threads, job.own_gpu) for job in jobs} == {(2, False)}
    jobs.clear()
    compare(tmp_path / "b", Noting(), device="auto")
    assert {(job.num_threads, job.own_gpu) for job in jobs} == {(None, False)}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_run_that_had_a_gpu_is_given_one_when_it_is_trained_again(device: str, tmp_path: Path) -> None:
    jobs: list[Job] = []

    class Noting(FakeLauncher):
        def start(self, job: Job) -> None:
            jobs.append(job)
            super().start(job)

    machine = {**MACHINE, "device": device}
    folder = compare(tmp_path / "a", FakeLauncher(machine=machine))
    verify(folder, None, 1, Noting(machine=machine))
    assert jobs and {job.own_gpu for job in jobs} == {device == "cuda"}


def test_a_run_that_fails_ends_no_other_of_those_beside_it(tmp_path: Path) -> None:
    launcher = WatchedLauncher(mishaps={"baseline-s1": Mishap("fail", step=40), "optimized-s2": Mishap("never")})
    with pytest.raises(RunError, match=r"2 of 6 runs failed\. optimized-s2: .*|2 of 6 runs failed\. baseline-s1: .*"):
        compare(tmp_path / "a", launcher, jobs=3, threads=1)
    assert load_document(tmp_path / "a")["num_runs_complete"] == 4


def test_an_interruption_ends_all_and_resume_trains_what_is_missing(tmp_path: Path) -> None:
    launcher = WatchedLauncher(mishaps={"optimized-s1": Mishap("interrupt", step=40)})
    with pytest.raises(InterruptionError):
        compare(tmp_path / "a", launcher, jobs=3, threads=1)
    assert launcher.running == {}
    complete = {path.parent.name for path in (tmp_path / "a").glob("runs/*/run.json")
                if json.loads(path.read_text())["status"] == "complete"}  # fmt: skip
    again = WatchedLauncher()
    folder = compare(tmp_path / "a", again, jobs=3, threads=1, resume=True)
    assert set(again.launched) == set(NAMES) - complete
    assert load_document(folder)["num_runs_complete"] == 6


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_comparison_goes_on_with_the_threads_it_was_begun_with(
    jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.launch.shares.count_cores", lambda: 12)
    with pytest.raises(RunError):
        compare(tmp_path / "a", FakeLauncher({"optimized": Mishap("never")}), jobs=4)
    with pytest.raises(RequestError, match="was begun with --threads 3, not 1"):
        compare(tmp_path / "a", FakeLauncher(), jobs=2, threads=1, resume=True)
    compare(tmp_path / "a", FakeLauncher(), jobs=jobs, resume=True)
    records = [json.loads(path.read_text()) for path in (tmp_path / "a").glob("runs/*/run.json")]
    assert {record["machine"]["num_threads"] for record in records} == {3}


@dataclass
class MixedLauncher(FakeLauncher):
    """Runs of some names are trained on another kind of machine."""

    elsewhere: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def describe_machine(self, job: Job, request: RunRequest) -> dict[str, Any]:
        return {**super().describe_machine(job, request), **self.elsewhere.get(job.name, {})}


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        ({"device_name": "Another CPU"}, r"machine\.device_name \(An invented CPU there, Another CPU here\)"),
        ({"num_threads": 3}, r"machine\.num_threads \(2 there, 3 here\)"),
        ({"cpu_capability": "AVX512"}, r"machine\.cpu_capability"),
    ],
)
def test_a_run_on_another_kind_of_machine_is_refused_unless_asked_for(
    difference: Mapping[str, Any], said: str, tmp_path: Path
) -> None:
    launcher = MixedLauncher(elsewhere={"optimized-s1337": difference})
    with pytest.raises(RequestError, match=said + ".*--mixed-machines"):
        compare(tmp_path / "a", launcher, jobs=2, threads=2)
    assert launcher.running == {}
    assert not (tmp_path / "a" / "runs" / "optimized-s1337").exists()
    assert compare(tmp_path / "a", FakeLauncher(), jobs=2, threads=2, resume=True)
    mixed = MixedLauncher(elsewhere={"optimized-s1337": difference})
    folder = compare(tmp_path / "b", mixed, jobs=2, threads=2, mixed_machines=True)
    assert load_document(folder)["num_runs_complete"] == 6


def test_other_code_is_refused_though_machines_may_be_mixed(tmp_path: Path) -> None:
    other = {**MACHINE["library_versions"], "torch": "2.12.0"}
    launcher = MixedLauncher(elsewhere={"optimized-s1337": {"library_versions": other}})
    with pytest.raises(RequestError, match=r"changed: torch\. Give all runs one version"):
        compare(tmp_path / "a", launcher, jobs=2, mixed_machines=True)


@dataclass
class LosingLauncher:
    """Every job takes some polls; some lose the place they run at, as often as said."""

    losses: dict[str, int]
    polls: dict[str, int] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    most_at_once: int = 0

    def start(self, job: Job) -> None:
        assert job.name not in self.polls and job.name not in self.finished
        self.started.append(job.name)
        self.polls[job.name] = 1 + int(job.name.removeprefix("run-")) % 5
        self.most_at_once = max(self.most_at_once, len(self.polls))

    def poll(self, wait_s: float) -> dict[str, Outcome]:
        ended = {}
        for name in [name for name, left in self.polls.items() if left <= 1]:
            del self.polls[name]
            if self.losses.get(name, 0) > 0:
                self.losses[name] -= 1
                ended[name] = Outcome(3, "its node died", is_lost=True)
            else:
                self.finished.append(name)
                ended[name] = Outcome(0, "")
        self.polls = {name: left - 1 for name, left in self.polls.items()}
        return ended

    def stop(self) -> None:
        raise AssertionError("nothing is to be stopped")


@dataclass
class Failing(Recorded):
    """A task that failed where its outcome says so."""

    def finish(self, outcome: Outcome) -> str | None:
        self.happened.append("finish")
        return outcome.message or None


def build_tasks(num: int) -> Sequence[Failing]:
    return [Failing(Job(f"run-{number}", (), Path("x"), Path("x/log"))) for number in range(num)]


def test_of_200_runs_a_third_of_which_lose_their_place_once_none_is_lost_and_none_is_twice() -> None:
    tasks = build_tasks(200)
    unlucky = random.Random(0).sample([task.job.name for task in tasks], 67)
    launcher = LosingLauncher(dict.fromkeys(unlucky, 1))
    assert run_tasks(iter(tasks), launcher, 16) == {}
    assert sorted(launcher.finished) == sorted(task.job.name for task in tasks)
    assert len(launcher.started) == 200 + 67 and launcher.most_at_once == 16
    for task in tasks:
        assert task.happened.count("finish") == 1
        assert task.happened.count("restart") == (task.job.name in unlucky)


def test_a_run_that_loses_its_place_again_and_again_has_failed() -> None:
    tasks = build_tasks(3)
    launcher = LosingLauncher({"run-1": MAX_RESTARTS + 1, "run-2": MAX_RESTARTS})
    assert run_tasks(iter(tasks), launcher, 2) == {"run-1": "its node died"}
    assert [task.happened.count("restart") for task in tasks] == [0, MAX_RESTARTS, MAX_RESTARTS]
