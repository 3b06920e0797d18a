"""The benchmark's plain step and ours compute the same thing, and the benchmark measures both."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.plain_step import compute_plain_loss, take_plain_step
from mainrun import step as state_module
from mainrun.data.batches import Batches
from mainrun.model import attention as attention_module
from mainrun.model import gpt as model_module
from mainrun.recipes import build_named_config
from mainrun.step import TrainingState

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
CONFIG = build_named_config(
    "optimized",
    "quick",
    {"n_layer": "2", "n_head": "2", "d_model": "16", "block_size": "8", "batch_size": "5", "dropout": "0"},
)
VOCAB = 50
IDS = torch.randint(VOCAB, (200,), generator=torch.Generator().manual_seed(0))
BATCHES = Batches(IDS, block_size=8, batch_size=5)


def build() -> TrainingState:
    return TrainingState.build(CONFIG, VOCAB, 1337, CPU)


@pytest.mark.parametrize("attention", ["fused", "with dropout"])
@pytest.mark.parametrize("tokens_at_once", [1, 8, 16, 24, 40, 1000])
def test_loss_and_gradients_are_those_of_the_plain_step(
    tokens_at_once: int, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attention with dropout is a code path of its own: it is taken here, with masks that keep everything."""
    monkeypatch.setattr(state_module, "TOKENS_AT_ONCE", tokens_at_once)
    for module in (model_module, attention_module):
        monkeypatch.setattr(module, "dropout", lambda x, p: x)
    config = replace(CONFIG, model=replace(CONFIG.model, dropout=0.0 if attention == "fused" else 0.3))
    ours, plain = (TrainingState.build(config, VOCAB, 1337, CPU) for _ in range(2))
    inputs, targets = BATCHES.read(1)
    found = ours.accumulate_gradients(inputs, targets)
    expected = compute_plain_loss(plain.model, inputs, targets, CONFIG.model.n_head, p=0.0)
    expected.backward()  # type: ignore[no-untyped-call]  # torch does not type backward
    torch.testing.assert_close(found, expected.detach())
    for (name, one), two in zip(ours.model.named_parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, msg=name)


def test_several_steps_of_both_stay_together() -> None:
    ours, plain = build(), build()
    for step in range(1, 6):
        loss = ours.take_steps(BATCHES, 10**6, 1)[0].loss_nats_per_token
        plain.optimizers[0].param_groups[0]["lr"] = ours.optimizers[0].param_groups[0]["lr"]
        assert loss == pytest.approx(take_plain_step(plain, BATCHES), rel=1e-5), step


def test_the_plain_step_drops_out_as_often_as_ours() -> None:
    """Dropout raises the spread of the loss over repeats; both by about as much."""
    spreads = []
    inputs, targets = BATCHES.read(1)
    for is_plain in (False, True):
        state = TrainingState.build(replace(CONFIG, model=replace(CONFIG.model, dropout=0.5)), VOCAB, 1337, CPU)
        for parameter in state.model.parameters():
            parameter.data.mul_(10)
        losses = [
            compute_plain_loss(state.model, inputs, targets, CONFIG.model.n_head, p=0.5).item()
            if is_plain
            else state.model.compute_loss(inputs, targets).item() / targets.numel()
            for _ in range(200)
        ]
        spreads.append(torch.tensor(losses).std().item())
    assert spreads[0] == pytest.approx(spreads[1], rel=0.25)


def test_the_benchmark_prints_one_flat_object_with_the_goals_first() -> None:
    command = [sys.executable, "-m", "benchmarks.train_step", "--preset=quick", "--rounds=1", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert list(found)[:2] == ["step_time_ratio", "peak_memory_ratio"]
    assert found["step_time_ratio"] == pytest.approx(found["plain_s"] / found["ours_s"])
    assert not [value for value in found.values() if isinstance(value, dict | list)]
