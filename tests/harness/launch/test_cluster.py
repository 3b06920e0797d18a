"""Runs on a real Ray of several nodes on this machine: the same bits as here, also where a node or worker dies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.comparison import run_comparison
from harness.launch.cluster import Cluster, open_cluster
from harness.launch.job import Job, Launcher
from harness.launch.local import LocalLauncher
from harness.launch.progress import ProgressDisplay
from harness.store.runs import load_comparison
from mainrun.record.errors import MachineError
from tests.harness.fakes import TINY, build_request, skip_rendering

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[cluster]'")
SEEDS = (1337, 1, 2)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster without room on its head, to which tests add nodes."""
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield nodes
    nodes.shutdown()


@dataclass
class Disturbing:
    """A cluster's launcher that does something to a run's surroundings once its journal is so long."""

    launcher: Cluster
    disturb: Any
    num_bytes: int = 3_000
    is_done: bool = False
    started: list[Job] = field(default_factory=list)

    def start(self, job: Job) -> None:
        self.started.append(job)
        self.launcher.start(replace(job, argv=(*job.argv, "--checkpoint-every-s=0")))

    def poll(self, wait_s: float) -> Any:
        ended = self.launcher.poll(wait_s)
        journal = self.started[0].journal
        if not self.is_done and journal.exists() and journal.stat().st_size > self.num_bytes:
            self.is_done = True
            self.disturb()
        return ended

    def stop(self) -> None:
        self.launcher.stop()


def compare(folder: Path, launcher: Launcher, said: list[str], name: str) -> Path:
    request = replace(build_request(folder, seeds=SEEDS), jobs=3, threads=1, launcher=name)
    with skip_rendering():
        return run_comparison(request, launcher, ProgressDisplay(said.append))


def read_runs(folder: Path) -> dict[str, Any]:
    """What must be the same bits: losses, and hashes of weights and of losses by title."""
    runs = {}
    for path in sorted(folder.glob("runs/*/mainrun.log")):
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        losses = {
            (event["event"], event["step"]): (event["loss"], event.get("full_loss_nats_per_char"))
            for event in events
            if "loss" in event
        }
        record = json.loads((path.parent / "run.json").read_text(encoding="utf-8"))
        hashes = [record[key] for key in ("final_weights_sha256", "title_losses_sha256", "tokenizer_sha256", "status")]
        runs[path.parent.name] = losses, hashes
    return runs


@pytest.fixture(scope="module")
def locally(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same runs, trained here."""
    return read_runs(compare(tmp_path_factory.mktemp("locally") / "a", LocalLauncher(), [], "local"))


def test_two_recipes_and_three_seeds_are_complete_with_the_same_bits_though_a_node_is_removed_in_the_middle(
    nodes: Any, locally: dict[str, Any], tmp_path: Path
) -> None:
    three = [nodes.add_node(num_cpus=1) for _ in range(3)]
    said: list[str] = []
    with open_cluster(nodes.address, 0.01, said.append) as launcher:
        assert launcher.share(None, None, wants_gpu=True) == (3, 1)
        disturbing = Disturbing(launcher, lambda: nodes.remove_node(three[1], allow_graceful=False))
        folder = compare(tmp_path / "a", disturbing, said, "ray")
    for node in (three[0], three[2]):
        nodes.remove_node(node)
    assert disturbing.is_done and "".join(said).count("begins again") == 1
    trained = [job for job in disturbing.started if not any(word.startswith("--stop-after") for word in job.argv)]
    assert len(trained) == 7
    assert read_runs(folder) == locally
    assert load_comparison(folder).unfinished == []
    for path in folder.glob("runs/*/run.json"):
        text = path.read_text(encoding="utf-8")
        assert os.uname().nodename not in text and three[0].node_ip_address not in text


def find_children(pattern: str) -> list[int]:
    """Processes of this machine whose command line holds a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if pattern in path.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_a_worker_that_is_killed_is_replaced_and_goes_on_from_a_checkpoint_to_the_same_bits(
    nodes: Any, locally: dict[str, Any], tmp_path: Path
) -> None:
    node = nodes.add_node(num_cpus=1)
    said: list[str] = []
    arms = ("baseline", "optimized")
    request = build_request(tmp_path / "a", arms, (1,), {arm: {"batch_size": "4"} for arm in arms})
    request = replace(request, jobs=1, threads=1, launcher="ray")

    def kill_worker() -> None:
        for pid in find_children("ray::"):
            if b"baseline-s1" in Path(f"/proc/{pid}/cmdline").read_bytes() or len(find_children("ray::")) == 1:
                os.kill(pid, signal.SIGKILL)

    with open_cluster(nodes.address, 0.001, said.append) as launcher, skip_rendering():
        disturbing = Disturbing(launcher, kill_worker, num_bytes=100_000)
        display = ProgressDisplay(said.append)
        folder = run_comparison(request, disturbing, display)
    nodes.remove_node(node)
    assert "baseline-s1 (changed): begins again, from what has come back: its worker was killed" in "".join(said)
    journal = (folder / "runs" / "baseline-s1" / "mainrun.log").read_text(encoding="utf-8")
    assert "run_resumed" in journal
    with skip_rendering():
        here = run_comparison(
            replace(request, out=tmp_path / "b", launcher="local"),
            LocalLauncher(),
            ProgressDisplay(lambda text: None),
        )
    assert read_runs(folder) == read_runs(here)


def test_a_driver_that_dies_leaves_no_orphan_and_resume_goes_on(nodes: Any, tmp_path: Path) -> None:
    node = nodes.add_node(num_cpus=2)
    settings = [f"--set={arm}.{key}={value}" for arm in ("baseline", "optimized") for key, value in TINY.items()]
    settings += [f"--set={arm}.batch_size=4" for arm in ("baseline", "optimized")]
    command = [sys.executable, "-m", "harness", "compare", *[word for word in settings if "batch_size=16" not in word],
               "--device=cpu", "--threads=1", "--launcher=ray", f"--address={nodes.address}", f"--out={tmp_path / 'a'}",
               "--checkpoint-minutes=0.001"]  # fmt: skip
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    journal = tmp_path / "a" / "runs" / "baseline-s1337" / "mainrun.log"
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.stat().st_size > 20_000) and time.monotonic() < deadline:
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    size = journal.stat().st_size
    while find_children("--arm=baseline") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not find_children("--arm=baseline") and journal.stat().st_size == size
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    nodes.remove_node(node)
    assert done.returncode in (0, 6), done.stderr  # 6: no PDF can be made here, all else is there
    assert {values[1][-1] for values in read_runs(tmp_path / "a").values()} == {"complete"}


def test_a_cluster_that_is_not_there_is_one_clear_error() -> None:
    with (
        pytest.raises(MachineError, match=r"Cannot reach a Ray cluster at --address 127\.0\.0\.1:1"),
        open_cluster("127.0.0.1:1", 10.0, lambda text: None),
    ):
        pass
