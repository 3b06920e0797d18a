"""The loop that runs: order, how many at once, and what an error ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.launch.job import Job, Outcome
from harness.launch.schedule import run_tasks
from mainrun.record.errors import MachineError


@dataclass
class CountingLauncher:
    """Every job ends well after as many polls as its name says."""

    running: dict[str, int] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    most_at_once: int = 0
    is_stopped: bool = False

    def start(self, job: Job) -> None:
        self.started.append(job.name)
        self.running[job.name] = int(job.name.rpartition("-")[2])
        self.most_at_once = max(self.most_at_once, len(self.running))

    def poll(self, wait_s: float) -> dict[str, Outcome]:
        self.running = {name: left - 1 for name, left in self.running.items()}
        ended = {name: Outcome(0, "") for name, left in self.running.items() if left <= 0}
        self.running = {name: left for name, left in self.running.items() if left > 0}
        return ended

    def stop(self) -> None:
        self.is_stopped = True
        self.running.clear()


@dataclass
class Recorded:
    """A task that notes what happens to it."""

    job: Job
    failure: str | Exception | None = None
    happened: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.happened.append("watch")

    def restart(self, reason: str) -> None:
        self.happened.append("restart")

    def finish(self, outcome: Outcome) -> str | None:
        self.happened.append("finish")
        if isinstance(self.failure, Exception):
            raise self.failure
        return self.failure

    def close(self) -> None:
        self.happened.append("close")


def build_tasks(*names: str, failures: dict[str, str | Exception] | None = None) -> list[Recorded]:
    return [Recorded(Job(name, (), Path(name), Path(name) / "log"), (failures or {}).get(name)) for name in names]


@pytest.mark.parametrize("num_at_once", [1, 2, 3, 9])
def test_runs_start_in_the_order_given_and_no_more_at_once_than_asked(num_at_once: int) -> None:
    launcher, tasks = CountingLauncher(), build_tasks("a-3", "b-1", "c-4", "d-2", "e-1")
    assert run_tasks(iter(tasks), launcher, num_at_once) == {}
    assert launcher.started == ["a-3", "b-1", "c-4", "d-2", "e-1"]
    assert launcher.most_at_once == min(num_at_once, 5)
    assert not launcher.is_stopped


def test_every_run_is_watched_once_more_after_it_ended_and_then_concluded_once() -> None:
    tasks = build_tasks("a-3", "b-1")
    run_tasks(iter(tasks), CountingLauncher(), 2)
    assert [task.happened for task in tasks] == [["watch"] * 3 + ["finish"], ["watch", "finish"]]


def test_a_task_is_asked_for_only_when_there_is_room_for_it() -> None:
    launcher, asked = CountingLauncher(), []

    def build() -> Iterator[Recorded]:
        for task in build_tasks("a-1", "b-1", "c-1"):
            asked.append((task.job.name, len(launcher.running)))
            yield task

    run_tasks(build(), launcher)
    assert asked == [("a-1", 0), ("b-1", 0), ("c-1", 0)]


def test_a_failed_run_ends_no_other() -> None:
    tasks = build_tasks("a-2", "b-1", "c-3", failures={"b-1": "it broke", "c-3": "it too"})
    assert run_tasks(iter(tasks), CountingLauncher(), 2) == {"b-1": "it broke", "c-3": "it too"}
    assert all(task.happened[-1] == "finish" for task in tasks)


def test_what_would_end_every_run_ends_those_that_go_on_and_starts_no_other() -> None:
    launcher = CountingLauncher()
    first, second, third = build_tasks("a-1", "b-5", "c-1", failures={"a-1": MachineError("the disk is full")})
    with pytest.raises(MachineError):
        run_tasks(iter([first, second, third]), launcher, 2)
    assert launcher.is_stopped and launcher.started == ["a-1", "b-5"]
    assert second.happened[-1] == "close" and third.happened == []


def test_an_interruption_while_the_next_run_is_prepared_ends_those_that_go_on() -> None:
    def build() -> Iterator[Recorded]:
        yield build_tasks("a-5")[0]
        raise KeyboardInterrupt

    launcher = CountingLauncher()
    with pytest.raises(KeyboardInterrupt):
        run_tasks(build(), launcher, 2)
    assert launcher.is_stopped
