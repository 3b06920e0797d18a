"""The path on a GPU, against that on a CPU; only where there is one."""

from typing import Any

import pytest
import torch

from mainrun.data.batches import Batches
from mainrun.devices import choose_products
from mainrun.recipes import RECIPES, build_named_config
from mainrun.step import StepResult, TrainingState

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
VOCAB, MAX_STEPS = 300, 20
SMALL = {"n_layer": "2", "block_size": "32", "batch_size": "8"}


def build(recipe: str, device: torch.device, precision: str = "float32", **settings: str) -> TrainingState:
    choose_products(device)
    config = build_named_config(recipe, "quick", SMALL | settings)
    return TrainingState.build(config, VOCAB, 7, device, precision)


def build_batches(device: torch.device) -> Batches:
    ids = torch.randint(VOCAB, (4_000,), generator=torch.Generator().manual_seed(1)).to(device)
    return Batches(ids, block_size=32, batch_size=8)


def take_steps(state: TrainingState, num_steps: int) -> list[StepResult]:
    return state.take_steps(build_batches(state.device), MAX_STEPS, num_steps)


def list_numbers(results: list[StepResult]) -> list[float]:
    return [number for result in results for number in (result.loss_nats_per_token, result.grad_norm)]


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [*((recipe, {}) for recipe in RECIPES), ("frontier", {"attention": "title"}), ("frontier", {"rdrop": "0"})],
)
def test_without_dropout_the_first_steps_are_those_of_a_cpu(recipe: str, settings: dict[str, Any]) -> None:
    due, found = (list_numbers(take_steps(build(recipe, at, dropout="0", **settings), 5)) for at in (CPU, CUDA))
    assert found == pytest.approx(due, rel=1e-4)


@pytest.mark.parametrize("recipe", RECIPES)
def test_in_bfloat16_the_first_steps_are_near_those_of_a_cpu(recipe: str) -> None:
    due, found = (list_numbers(take_steps(build(recipe, at, "bfloat16", dropout="0"), 5)) for at in (CPU, CUDA))
    assert found == pytest.approx(due, rel=2e-2)


def test_the_two_passes_of_a_step_have_dropout_of_their_own() -> None:
    state = build("frontier", CUDA, dropout="0.5")
    inputs, targets = build_batches(CUDA).read(1)
    objective, loss = state.model.compute_rdrop(inputs, targets, 2.0)
    assert objective.item() > loss.item()


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_that_goes_on_from_a_checkpoint_draws_the_same_dropout(recipe: str) -> None:
    state = build(recipe, CUDA, "bfloat16")
    take_steps(state, 3)
    checkpoint = state.to_checkpoint()
    due = list_numbers(take_steps(state, 1))
    torch.cuda.manual_seed_all(99)
    other = build(recipe, CUDA, "bfloat16")
    other.restore(checkpoint)
    assert list_numbers(take_steps(other, 1)) == pytest.approx(due, rel=1e-5)


def test_a_checkpoint_of_one_gpu_is_of_that_one_alone() -> None:
    generator = build("baseline", CUDA).to_checkpoint()["cuda_generator"]
    assert isinstance(generator, torch.Tensor)


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_step_waits_for_the_gpu(recipe: str) -> None:
    state, batches = build(recipe, CUDA, "bfloat16"), build_batches(CUDA)
    state.take_steps(batches, MAX_STEPS, 2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        state._launch_step(batches, MAX_STEPS)
    finally:
        torch.cuda.set_sync_debug_mode("default")
