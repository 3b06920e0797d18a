"""As much of Ray as the launcher uses, in this process: a task is its generator, and a node is a name."""

import itertools
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest


class RayError(Exception):
    """Base of Ray's errors."""


class NodeDiedError(RayError):
    """The node that a task ran on is gone."""


class TaskCancelledError(RayError):
    """The task was cancelled."""


@dataclass
class Frames:
    """A task that goes on; `fail_after` so many frames its node dies."""

    generator: Generator[Any, None, None]
    fail_after: int | None = None
    num_given: int = 0
    is_cancelled: bool = False

    def __next__(self) -> Any:
        if self.is_cancelled:
            raise TaskCancelledError
        if self.num_given == self.fail_after:
            self.generator.close()
            raise NodeDiedError("Node IP: 192.0.2.7")
        self.num_given += 1
        return next(self.generator)


@dataclass
class FakeRay:
    """`faults` holds for each task in order after how many frames its node dies; tasks beyond it end as they do."""

    faults: list[int | None] = field(default_factory=list)
    nodes_: list[dict[str, float]] = field(default_factory=lambda: [{"CPU": 2.0}])
    has_room: bool = True
    tasks: list[Frames] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    num_put: int = 0
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayError=RayError))
    cloudpickle: Any = field(default_factory=lambda: SimpleNamespace(register_pickle_by_value=lambda module: None))

    def __post_init__(self) -> None:
        strategy = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: node)
        self.util = SimpleNamespace(scheduling_strategies=strategy)

    def put(self, value: bytes) -> bytes:
        self.num_put += 1
        return value

    def get(self, reference: Any) -> Any:
        return reference

    def remote(self, function: Callable[..., Any]) -> Any:
        def begin(*arguments: Any) -> Any:
            result = function(*arguments)
            if isinstance(result, Iterator):
                place = len(self.tasks)
                fail_after = self.faults[place] if place < len(self.faults) else None
                self.tasks.append(Frames(result, fail_after))  # type: ignore[arg-type]  # the relay is a generator
                return self.tasks[-1]
            return result

        def take_options(**options: Any) -> Any:
            self.options.append(options)
            return SimpleNamespace(remote=begin)

        return SimpleNamespace(options=take_options, remote=begin)

    def wait(self, tasks: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return (tasks, []) if self.has_room else ([], tasks)

    def cancel(self, task: Frames, *, force: bool) -> None:
        task.is_cancelled = True
        task.generator.close()

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": str(place), "Alive": True, "Resources": node} for place, node in enumerate(self.nodes_)]

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 0.0}


@contextmanager
def pretend_ray_is_installed() -> Iterator[None]:
    """What runs in a worker asks Ray for the name of its node: here it is `node`, of each context another."""
    number = next(_NUMBERS)
    context = SimpleNamespace(get_runtime_context=lambda: SimpleNamespace(get_node_id=lambda: f"node-{number}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "ray", context)
        yield


_NUMBERS = itertools.count()
