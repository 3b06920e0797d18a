"""Muon against a second implementation, written as the method is described: one matrix after the other."""

import math

import pytest
import torch
from torch import Tensor, nn

from mainrun.model.counts import list_shapes
from mainrun.model.gpt import GPT
from mainrun.optim.muon import Muon, count_matrices
from mainrun.optim.newton_schulz import orthogonalize
from mainrun.optim.optimizers import build_optimizers, set_learning_rates
from mainrun.recipes import build_named_config
from mainrun.step import TrainingState

SETTINGS = {"n_layer": "2", "n_head": "2", "d_model": "8", "block_size": "4", "batch_size": "3", "optimizer": "muon"}
CONFIG = build_named_config("baseline", "quick", SETTINGS)


def iterate_plainly(matrix: Tensor, num_iterations: int) -> Tensor:
    """On the singular values alone: the iteration is an odd polynomial of each."""
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    s = s / (s.square().sum().sqrt() + 1e-7)
    for _ in range(num_iterations):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    result: Tensor = u @ torch.diag(s) @ vt
    return result


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (1, 5), (16, 2)])
def test_the_iterations_change_singular_values_alone_and_as_the_polynomial_says(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.stack([iterate_plainly(matrix, 5) for matrix in matrices])
    torch.testing.assert_close(orthogonalize(matrices, 5), expected, rtol=1e-6, atol=1e-6)


def test_five_iterations_bring_the_singular_values_of_a_random_matrix_near_one() -> None:
    matrices = torch.randn(2, 64, 256, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalize(matrices, 5))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_gradient_of_zero_gives_no_step_and_no_nan() -> None:
    assert torch.equal(orthogonalize(torch.zeros(1, 3, 4), 5), torch.zeros(1, 3, 4))


def draw_gradients(parameters: dict[str, nn.Parameter], step: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(step)
    return {name: torch.randn(p.shape, generator=generator, dtype=p.dtype) for name, p in parameters.items()}


def test_its_steps_are_those_of_the_described_method_matrix_by_matrix() -> None:
    settings = Muon(learning_rate=0.1, momentum=0.8, weight_decay=0.3, adamw_learning_rate=0.01)
    model = GPT(CONFIG.model, 20).double()
    parameters = dict(model.named_parameters())
    optimizers = build_optimizers(settings, parameters)
    expected = {name: p.detach().clone() for name, p in parameters.items() if count_matrices(name)}
    momentum = {name: torch.zeros_like(value) for name, value in expected.items()}
    for step in (1, 2, 3):
        gradients = draw_gradients(parameters, step)
        set_learning_rates(optimizers, step / 4)
        for name, parameter in parameters.items():
            parameter.grad = gradients[name]
        for optimizer in optimizers:
            optimizer.step()
        for name, value in expected.items():
            momentum[name] = 0.8 * momentum[name] + 0.2 * gradients[name]
            direction = 0.2 * gradients[name] + 0.8 * momentum[name]
            parts = torch.split(direction, 8) if name.endswith("qkv.weight") else [direction]
            update = torch.cat([iterate_plainly(part, 5) for part in parts])
            scale = math.sqrt(max(1, len(parts[0]) / parts[0].shape[1]))
            expected[name] = value * (1 - 0.1 * step / 4 * 0.3) - 0.1 * step / 4 * scale * update
    for name, value in expected.items():
        torch.testing.assert_close(parameters[name].detach(), value, rtol=1e-6, atol=1e-6, msg=name)


def test_muon_takes_the_matrices_of_the_blocks_and_adamw_the_rest_and_decays_the_embedding_alone() -> None:
    model = GPT(CONFIG.model, 20)
    names = {id(p): name for name, p in model.named_parameters()}
    muon, adamw = build_optimizers(Muon(adamw_weight_decay=0.5), dict(model.named_parameters()))
    taken = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    layers = ("attn.qkv", "attn.proj", "mlp.fc", "mlp.proj")
    assert taken == {f"blocks.{block}.{layer}.weight" for block in (0, 1) for layer in layers}
    decayed = {names[id(p)] for group in adamw.param_groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {"token_embedding.weight"}
    assert {group["weight_decay"] for group in adamw.param_groups} == {0.0, 0.5}
    assert muon.param_groups[0]["num_matrices"] == 3


def test_its_peak_rates_are_its_settings() -> None:
    muon, adamw = build_optimizers(Muon(), dict(GPT(CONFIG.model, 20).named_parameters()))
    set_learning_rates([muon, adamw], 0.5)
    assert {group["lr"] for group in muon.param_groups} == {0.01}
    assert {group["lr"] for group in adamw.param_groups} == {1.5e-3}


def test_the_operations_of_its_iterations_are_those_of_their_products() -> None:
    """By hand for one matrix (a, b), a ≤ b: X·Xᵀ and its product with X are 2a²b each, A·A is 2a³."""
    width = 8
    square, wide = 6 * width**3, 4 * width**2 * 4 * width + 2 * width**3
    expected = 2 * 5 * (4 * square + 2 * wide)
    assert CONFIG.optimizer.count_update_flops(list_shapes(CONFIG.model, 20)) == expected


def test_the_weights_after_some_steps_are_the_same_bits_each_time() -> None:
    from tests.mainrun.test_state import BATCHES

    def train() -> list[Tensor]:
        state = TrainingState.build(CONFIG, 20, 1, torch.device("cpu"))
        state.take_steps(BATCHES, 9, 5)
        return list(state.model.parameters())

    assert all(map(torch.equal, train(), train()))
