"""Our training step against a plain eager one of the same model, side by side: `python -m benchmarks.train_step`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Self

import torch
from torch import Tensor

from benchmarks.plain_step import take_plain_step
from harness.launch.training import ENVIRONMENT
from mainrun.data.batches import Batches
from mainrun.devices import DEVICES, PRECISIONS, choose_device, choose_precision, choose_products
from mainrun.provenance import measure_peak_memory_bytes
from mainrun.recipes import PRESETS, build_named_config
from mainrun.rules import SEED
from mainrun.sizes import compute_step_flops
from mainrun.step import TrainingState

WAIT_POLICY = "OMP_WAIT_POLICY"
"""Read when torch is imported."""
DENSE_SECONDS = 0.5
PLAIN_RECIPES = ("baseline", "optimized")
"""Those whose model and loss the plain step has."""


@dataclass(frozen=True)
class Measurement:
    """What one benchmark measured; the first two fields are the goals."""

    step_time_ratio: float
    """Plain ÷ ours, of the median seconds."""
    peak_memory_ratio: float
    """Ours ÷ plain."""
    dense_share_percent: float
    """FLOP/s of our step, of the rate of dense products measured in the same run."""
    default_dense_share_percent: float
    """The same, of the rate with the library that torch takes by itself."""
    ours_s: float
    ours_min_s: float
    ours_max_s: float
    plain_s: float
    plain_min_s: float
    plain_max_s: float
    ratio_min: float
    """Of the ratios of neighbouring steps."""
    ratio_max: float
    num_rounds: int
    gflop_per_s: float
    dense_gflop_per_s: float
    default_dense_gflop_per_s: float
    ours_peak_memory_bytes: int
    plain_peak_memory_bytes: int
    preset: str
    recipe: str
    device: str
    precision: str
    """Of the products of both steps and of the dense rate."""
    num_threads: int
    torch_version: str


def measure(preset: str, recipe: str, device: torch.device, precision: str, num_rounds: int) -> Measurement:
    """Times both steps in turn, ours first in every second round, after one unmeasured round.

    Each has a process of its own, as both would have: the memory that one keeps for its next step is not the other's,
    and the peak of each is its own. Dense products are timed with torch's default library and with that of our step.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", "plain")}
    dense_rates, default_dense_rates = [], []
    given = [f"--preset={preset}", f"--recipe={recipe}", f"--device={device.type}", f"--precision={precision}"]
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(name, given)) for name in seconds}
        for number in range(num_rounds + 1):
            for name in sorted(workers, reverse=number % 2 == 0):
                torch.set_float32_matmul_precision("highest")
                default_rate = measure_dense_flops_per_s(preset, device, precision)
                choose_products(device)
                rate = measure_dense_flops_per_s(preset, device, precision)
                spent = workers[name].time_step()
                if number:
                    seconds[name].append(spent)
                    dense_rates.append(rate)
                    default_dense_rates.append(default_rate)
        memory = {name: worker.measure_peak_memory_bytes() for name, worker in workers.items()}
    ratios = [plain / ours for plain, ours in zip(seconds["plain"], seconds["ours"], strict=True)]
    ours_s, plain_s = median(seconds["ours"]), median(seconds["plain"])
    config = build_named_config(recipe, preset, {})
    flops_per_s, dense = compute_step_flops(config, config.data.vocab_size) / ours_s, median(dense_rates)
    default_dense = median(default_dense_rates)
    return Measurement(
        step_time_ratio=plain_s / ours_s,
        peak_memory_ratio=memory["ours"] / memory["plain"],
        dense_share_percent=100 * flops_per_s / dense,
        default_dense_share_percent=100 * flops_per_s / default_dense,
        ours_s=ours_s,
        ours_min_s=min(seconds["ours"]),
        ours_max_s=max(seconds["ours"]),
        plain_s=plain_s,
        plain_min_s=min(seconds["plain"]),
        plain_max_s=max(seconds["plain"]),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        num_rounds=num_rounds,
        gflop_per_s=flops_per_s / 1e9,
        dense_gflop_per_s=dense / 1e9,
        default_dense_gflop_per_s=default_dense / 1e9,
        ours_peak_memory_bytes=memory["ours"],
        plain_peak_memory_bytes=memory["plain"],
        preset=preset,
        recipe=recipe,
        device=device.type,
        precision=precision,
        num_threads=torch.get_num_threads(),
        torch_version=torch.__version__,
    )


class Worker:
    """A process that takes steps of one kind, one at a time as it is asked."""

    def __init__(self, name: str, given: list[str]) -> None:
        command = [sys.executable, "-m", "benchmarks.train_step", f"--worker={name}", *given]
        environment = {key: value for key, value in os.environ.items() if key != WAIT_POLICY}  # `mainrun` has set it
        if name == "ours":  # as the harness starts a run
            environment |= {WAIT_POLICY: "PASSIVE"} | ENVIRONMENT
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def time_step(self) -> float:
        """Seconds of one step, measured by the process that takes it."""
        return float(self._ask("step"))

    def measure_peak_memory_bytes(self) -> int:
        """The most memory the process has held so far."""
        return int(self._ask("memory"))

    def _ask(self, question: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(question, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, f"the process of a step ended when it was asked for '{question}'; what it said stands above"
        return answer


def work(name: str, preset: str, recipe: str, device: torch.device, precision: str) -> None:
    """The other side of `Worker`: answers on stdout each line that comes on stdin."""
    if name == "ours":
        choose_products(device)
    step = build_step(name, preset, recipe, device, precision)
    for question in sys.stdin:
        answer = time_call(step, device) if question.strip() == "step" else measure_peak_memory_bytes(device)
        print(answer, flush=True)


def build_step(name: str, preset: str, recipe: str, device: torch.device, precision: str) -> Callable[[], object]:
    """`ours` or `plain`; both begin with the same weights and read the same random ids."""
    state, batches = build_state(preset, recipe, device, precision), draw_batches(preset, device)

    def take_plain() -> float:
        with state.autocast():
            return take_plain_step(state, batches)

    return take_plain if name == "plain" else lambda: state.take_steps(batches, 10**6, 1)


def build_state(preset: str, recipe: str, device: torch.device, precision: str) -> TrainingState:
    """A fresh model in training, with the vocabulary that the preset asks for."""
    config = build_named_config(recipe, preset, {})
    return TrainingState.build(config, config.data.vocab_size, SEED, device, precision)


def draw_batches(preset: str, device: torch.device) -> Batches:
    """Two batches of random ids."""
    config = build_named_config("baseline", preset, {})
    block_size, batch_size = config.model.block_size, config.training.batch_size
    generator = torch.Generator().manual_seed(SEED)
    ids = torch.randint(config.data.vocab_size, (2 * block_size * batch_size + 1,), generator=generator)
    return Batches(ids.to(device), block_size, batch_size)


def measure_dense_flops_per_s(preset: str, device: torch.device, precision: str) -> float:
    """The rate of products of the shape of the model's widest hidden layer."""
    config, kind = build_named_config("baseline", preset, {}), getattr(torch, precision)
    rows, width = config.model.block_size * config.training.batch_size, config.model.d_model
    a: Tensor = torch.randn(rows, width, device=device, dtype=kind)
    b: Tensor = torch.randn(width, 4 * width, device=device, dtype=kind)
    out = a @ b
    num_products, started = 0, time.perf_counter()
    while time.perf_counter() - started < DENSE_SECONDS:
        time_call(lambda: torch.mm(a, b, out=out), device)
        num_products += 1
    return 2 * rows * width * 4 * width * num_products / (time.perf_counter() - started)


def time_call(step: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, the device's work included."""
    started = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def format_measurement(found: Measurement) -> str:
    """The numbers as text, one a line."""
    return "\n".join(
        [
            f"one step of {found.recipe} at {found.preset}: {found.device}, {found.precision}, "
            f"{found.num_threads} threads, torch {found.torch_version}, {found.num_rounds} rounds",
            f"plain  {found.plain_s:8.3f} s  ({found.plain_min_s:.3f}–{found.plain_max_s:.3f})  "
            f"peak {found.plain_peak_memory_bytes / 1e6:,.0f} MB",
            f"ours   {found.ours_s:8.3f} s  ({found.ours_min_s:.3f}–{found.ours_max_s:.3f})  "
            f"peak {found.ours_peak_memory_bytes / 1e6:,.0f} MB",
            f"time ratio {found.step_time_ratio:.2f} ({found.ratio_min:.2f}–{found.ratio_max:.2f}), "
            f"memory ratio {found.peak_memory_ratio:.2f}",
            f"{found.gflop_per_s:.0f} GFLOP/s, {found.dense_share_percent:.0f} % of the dense rate of "
            f"{found.dense_gflop_per_s:.0f} GFLOP/s, {found.default_dense_share_percent:.0f} % of torch's default of "
            f"{found.default_dense_gflop_per_s:.0f} GFLOP/s",
        ]
    )


def main() -> None:
    """Measures, or takes the steps that a measurement asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_step", description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="mainrun")
    parser.add_argument("--recipe", choices=PLAIN_RECIPES, default="baseline")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one flat JSON object")
    parser.add_argument("--worker", choices=("ours", "plain"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    device = choose_device(given.device)
    precision = choose_precision(given.precision, device)
    if given.worker:
        work(given.worker, given.preset, given.recipe, device, precision)
        return
    found = measure(given.preset, given.recipe, device, precision, given.rounds)
    print(json.dumps(asdict(found), allow_nan=False) if given.json else format_measurement(found))


if __name__ == "__main__":
    main()
