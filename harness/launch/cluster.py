"""The launcher for a cluster: each run is a task of Ray, which finds a node with room for it.

The only module that imports Ray, once it is needed. Programs and titles travel through Ray's object store, and what a
run writes comes back as it grows, so that its folder here is at any time one to go on from.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.launch import relay
from harness.launch.arrivals import Arrivals, DamagedError
from harness.launch.job import KEEP_CHECKPOINTS, Job, Outcome
from harness.launch.shares import count_cores, share_nodes
from harness.launch.travel import Content, archive_folder, build_order, load_dataset, load_file, load_packages
from harness.processes import PLACE, end_as_by_ctrl_c
from mainrun.record.errors import MachineError, RequestError, RunError

WAIT_SAID_S = 30.0
"""A run that finds no room for so long is spoken of."""
MAX_FRAMES = 100
"""Of one run, before others are looked at."""
REACH_S = 10.0
"""How long the head of a cluster may take to answer."""
STOP_S = 20.0
"""How long runs that are ended may take for it."""
NOT_THERE = "; on a cluster the command of an external arm, its folder and its files have to be on every node"


@contextmanager
def open_cluster(address: str | None, checkpoint_minutes: float, say: Callable[[str], None]) -> Iterator["Cluster"]:
    """A launcher on the cluster at `address` (`auto`, `HOST:PORT`), or on a Ray of its own on this machine for None.

    `say` gets a line where a run waits for room. Raises `MachineError` where Ray is not installed or not reached.
    """
    try:
        import ray
    except ImportError:
        raise MachineError(
            "--launcher ray needs Ray. Install it in the checkout: pip install -c constraints.txt -e '.[cluster]'"
        ) from None
    _check_reachable(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own: dict[str, Any] = {"address": "local", "num_cpus": count_cores(), "include_dashboard": False}
    if address is None:
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    try:
        ray.init(**(own if address is None else {"address": address}), logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        what = "a Ray on this machine" if address is None else f"a Ray cluster at --address {address}"
        raise MachineError(f"Cannot reach {what}: {str(error).strip().splitlines()[0]}") from None
    end_as_by_ctrl_c()  # Ray has put a handler of its own in its place
    cluster = Cluster(ray, checkpoint_minutes * 60, say)
    try:
        yield cluster
    finally:
        try:
            cluster.clean_up()
        finally:
            ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """`MachineError` where nobody listens at `HOST:PORT`, of which Ray itself would find out after minutes."""
    host, colon, port = (address or "").rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()
    except (OSError, ValueError) as error:
        raise MachineError(f"Cannot reach a Ray cluster at --address {address}: {error}.") from None


@dataclass
class _Running:
    job: Job
    frames: Any
    """Ray's generator of references to what the relay yields."""
    arrivals: Arrivals
    asked_at: float
    num_gpus: int
    has_begun: bool = False
    outcome: Outcome | None = None
    """As the last frame says it; the run has ended once the generator has."""


class Cluster:
    """Runs jobs as tasks of Ray, wherever there is room."""

    def __init__(self, ray: Any, checkpoint_s: float, say: Callable[[str], None]) -> None:
        self._ray, self._checkpoint_s, self._say = ray, checkpoint_s, say
        self._root = f"mainrun-{secrets.token_hex(8)}"
        self._running: dict[str, _Running] = {}
        self._contents: dict[Path, tuple[Content, Any]] = {}
        self._is_waiting_said = False
        ray.cloudpickle.register_pickle_by_value(relay)

    def share(self, num_at_once: int | None, num_threads: int | None, *, wants_gpu: bool) -> tuple[int, int]:
        """How many runs at once, and with how many threads each: as given, else as `share_nodes` says."""
        return share_nodes(self._list_nodes(), num_at_once, num_threads, wants_gpu=wants_gpu)

    def start(self, job: Job) -> None:
        contents = [self._load(PLACE, load_packages)]
        if job.packages is not None and job.packages != PLACE:
            contents.append(self._load(job.packages, load_packages))
        try:
            contents += [self._load(path, load_file) for path in job.inputs]
            contents += [self._load(path, load_dataset) for path in [job.dataset] if path is not None]
        except OSError as error:
            raise RequestError(f"{error.filename} cannot be read: {error.strerror}.") from None
        if not job.journal.absolute().is_relative_to(job.folder.absolute()):
            raise RequestError(
                f"{job.name} writes its journal to {job.journal.name} in a folder of its own. On a cluster it has to "
                "be in {out}, which comes back: put it there in the arms file."
            )
        order = build_order(job, self._root, [content for content, _ in contents], self._checkpoint_s)
        folder = archive_folder(job.folder) if job.packages is not None else b""
        num_gpus = int(job.own_gpu and any(node.get("GPU", 0) for node in self._list_nodes()))
        task = self._ray.remote(relay.relay).options(
            name=job.name,
            num_cpus=job.num_threads or 1,
            num_gpus=num_gpus,
            num_returns="streaming",
            max_retries=0,  # a run goes on from what has come back, which Ray does not know of
        )
        frames = task.remote(order, folder, *(reference for _, reference in contents))
        arrivals = Arrivals(job.folder, keep=KEEP_CHECKPOINTS in job.argv)
        self._running[job.name] = _Running(job, frames, arrivals, time.monotonic(), num_gpus)

    def poll(self, wait_s: float) -> dict[str, Outcome]:
        if self._running:
            self._ray.wait([one.frames for one in self._running.values()], timeout=wait_s, fetch_local=False)
        ended = {}
        for name, running in list(self._running.items()):
            if (outcome := self._receive(running)) is not None:
                del self._running[name]
                ended[name] = outcome
        self._say_who_waits()
        return ended

    def stop(self) -> None:
        running, self._running = list(self._running.values()), {}
        for one in running:
            self._ray.cancel(one.frames, force=True)
        deadline = time.monotonic() + STOP_S
        for one in running:
            while time.monotonic() < deadline and self._receive(one) is None:
                time.sleep(0.05)

    def clean_up(self) -> None:
        """Removes what was put onto the nodes, as far as they answer."""
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        nodes = [node["NodeID"] for node in self._ray.nodes() if node["Alive"]] if self._contents else []
        task = self._ray.remote(relay.remove)
        done = [
            task.options(num_cpus=0, max_retries=0, scheduling_strategy=strategy(node, soft=False)).remote(self._root)
            for node in nodes
        ]
        if done:
            self._ray.wait(done, num_returns=len(done), timeout=STOP_S)

    def _load(self, path: Path, load: Callable[[Path], Content]) -> tuple[Content, Any]:
        """What stands at a path, and its reference in the object store, where it is put once."""
        if path not in self._contents:
            content = load(path)
            self._contents[path] = content, self._ray.put(content.content)
        return self._contents[path]

    def _receive(self, running: _Running) -> Outcome | None:
        """Takes what has come of a run; its outcome once it has ended, or was lost."""
        errors = self._ray.exceptions
        try:
            for _ in range(MAX_FRAMES):
                ready, _ = self._ray.wait([running.frames], timeout=0)
                if not ready:
                    return None
                header, content = self._ray.get(next(running.frames))
                self._take(running, header, content)
        except StopIteration:
            return running.outcome or _lose("its keeper on the node ended without a word")
        except DamagedError as error:
            self._ray.cancel(running.frames, force=True)
            return _lose(str(error))
        except errors.RayError as error:
            return running.outcome or _lose(_describe(error))
        return None

    def _take(self, running: _Running, header: dict[str, Any], content: bytes) -> None:
        match header["kind"]:
            case "begun":
                running.has_begun, self._is_waiting_said = True, False
            case "end":
                running.arrivals.finish(header["files"])
                outcome = Outcome(**header["outcome"])
                if outcome.exit_code == RunError.exit_code and running.job.packages is None:
                    outcome = Outcome(outcome.exit_code, outcome.message + NOT_THERE, outcome.errors)
                running.outcome = outcome
            case "broken":
                running.outcome = Outcome(RunError.exit_code, f"its keeper on the node failed: {header['message']}")
            case _:
                running.arrivals.take(header, content)

    def _say_who_waits(self) -> None:
        now = time.monotonic()
        for name, running in self._running.items():
            if not running.has_begun and now - running.asked_at > WAIT_SAID_S and not self._is_waiting_said:
                self._is_waiting_said = True
                num_cpus, gpu = running.job.num_threads or 1, " and a GPU" if running.num_gpus else ""
                nodes = self._list_nodes()
                cores = ", ".join(f"{node.get('CPU', 0):g}" for node in nodes)
                free = self._ray.available_resources()
                self._say(
                    f"  {name} has waited for {num_cpus} CPU(s){gpu} for {WAIT_SAID_S:.0f} s: the cluster has "
                    f"{len(nodes)} node(s) with {cores} CPUs, {free.get('CPU', 0):g} of them free, and "
                    f"{sum(node.get('GPU', 0) for node in nodes):g} GPU(s), {free.get('GPU', 0):g} of them free. It "
                    "begins once a node has room; fewer --threads need less."
                )

    def _list_nodes(self) -> list[dict[str, float]]:
        """What each node that is alive has."""
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]


def _lose(why: str) -> Outcome:
    return Outcome(RunError.exit_code, why, is_lost=True)


def _describe(error: Exception) -> str:
    """What happened to a task, without the addresses that Ray's own words hold."""
    known = {
        "NodeDiedError": "its node died",
        "WorkerCrashedError": "its worker was killed",
        "OutOfMemoryError": "its worker was killed because the node ran out of memory",
        "TaskCancelledError": "it was cancelled",
        "ObjectLostError": "what it sent was lost on the way",
    }
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((known[name] for name in names if name in known), f"its worker failed ({names[0]})")
