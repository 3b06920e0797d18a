import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from mainrun.model.gpt import GPT
from mainrun.optim.adamw import AdamW
from mainrun.optim.optimizers import OPTIMIZERS, build_optimizers, clip_gradients, set_learning_rates
from mainrun.optim.sgd import SGD
from mainrun.recipes import build_named_config

BASELINE = SGD()
OPTIMIZED = AdamW(learning_rate=3e-4, weight_decay=0.1)
Parameters = dict[str, nn.Parameter]


def draw_parameters() -> Parameters:
    generator = torch.Generator().manual_seed(0)
    shapes = {"matrix": (4, 3), "vector": (5,)}
    return {
        name: nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))
        for name, shape in shapes.items()
    }


def copy_values(parameters: Parameters) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in parameters.values()]


def draw_gradients(step: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in [(4, 3), (5,)]]


def take_steps(parameters: Parameters, optimizers: list[Optimizer], num_steps: int) -> None:
    for step in range(1, num_steps + 1):
        for parameter, gradient in zip(parameters.values(), draw_gradients(step), strict=True):
            parameter.grad = gradient
        for optimizer in optimizers:
            optimizer.step()


def test_sgd_goes_against_the_gradient_and_nothing_else() -> None:
    parameters, expected = draw_parameters(), copy_values(draw_parameters())
    take_steps(parameters, build_optimizers(BASELINE, parameters), 3)
    for step in (1, 2, 3):
        expected = [p - 6e-3 * g for p, g in zip(expected, draw_gradients(step), strict=True)]
    assert all(map(torch.allclose, parameters.values(), expected))


def test_sgd_with_momentum_and_decay_keeps_a_velocity_of_the_decayed_gradient() -> None:
    parameters, expected = draw_parameters(), copy_values(draw_parameters())
    take_steps(parameters, build_optimizers(replace(BASELINE, momentum=0.9, weight_decay=0.1), parameters), 3)
    velocity = [torch.zeros_like(p) for p in expected]
    for step in (1, 2, 3):
        velocity = [0.9 * v + g + 0.1 * p for v, g, p in zip(velocity, draw_gradients(step), expected, strict=True)]
        expected = [p - 6e-3 * v for p, v in zip(expected, velocity, strict=True)]
    assert all(map(torch.allclose, parameters.values(), expected))


def test_adamw_is_the_published_formula_with_decay_apart_on_all_parameters() -> None:
    parameters, expected = draw_parameters(), copy_values(draw_parameters())
    take_steps(parameters, build_optimizers(OPTIMIZED, parameters), 5)
    first = second = [torch.zeros_like(p) for p in expected]
    for step in range(1, 6):
        gradients = draw_gradients(step)
        first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
        second = [0.95 * v + 0.05 * g**2 for v, g in zip(second, gradients, strict=True)]
        expected = [
            p - 3e-4 * 0.1 * p - 3e-4 * (m / (1 - 0.9**step)) / (torch.sqrt(v / (1 - 0.95**step)) + 1e-8)
            for p, m, v in zip(expected, first, second, strict=True)
        ]
    assert all(torch.allclose(p, e, rtol=1e-12, atol=1e-12) for p, e in zip(parameters.values(), expected, strict=True))


def test_adamw_reads_its_own_settings() -> None:
    settings = AdamW(beta1=0.8, beta2=0.7, eps=1e-3, weight_decay=0.25, learning_rate=0.5)
    [optimizer] = build_optimizers(settings, draw_parameters())
    [group] = optimizer.param_groups
    assert (group["betas"], group["eps"], group["weight_decay"], group["lr"]) == ((0.8, 0.7), 1e-3, 0.25, 0.5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_holds_every_parameter_once(name: str) -> None:
    parameters = dict(GPT(build_named_config("baseline", "quick", {"d_model": "8"}).model, 20).named_parameters())
    optimizers = build_optimizers(OPTIMIZERS[name](), parameters)
    held = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    assert sorted(map(id, held)) == sorted(map(id, parameters.values()))


@dataclass(frozen=True, kw_only=True)
class Several(SGD):
    """An optimizer for each of the parameters named, whatever the model has."""

    held: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        pass

    def build(self, parameters: Mapping[str, nn.Parameter]) -> list[Optimizer]:
        return [torch.optim.SGD([parameters[name]], lr=rate) for name, rate in self.held]


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (("matrix",), "The parameter 'vector' is held by no groups"),
        (("matrix", "vector", "matrix"), "The parameter 'matrix' is held by 2 groups"),
    ],
)
def test_a_parameter_that_no_optimizer_or_two_take_is_named(held: tuple[str, ...], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        build_optimizers(Several(held=tuple((name, 1.0) for name in held)), draw_parameters())


def test_the_learning_rate_of_a_step_is_a_factor_on_each_groups_own() -> None:
    optimizers = build_optimizers(Several(held=(("matrix", 8.0), ("vector", 0.5))), draw_parameters())
    for factor in (0.25, 1.0, 0.5):
        set_learning_rates(optimizers, factor)
        assert [optimizer.param_groups[0]["lr"] for optimizer in optimizers] == [8.0 * factor, 0.5 * factor]


@pytest.mark.parametrize(("max_norm", "expected"), [(1.0, 1.0), (6.5, 6.5), (100.0, 13.0)])
def test_gradients_are_clipped_by_the_norm_over_all_parameters_together(max_norm: float, expected: float) -> None:
    one, two = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(2))
    one.grad, two.grad = torch.tensor([5.0]), torch.tensor([12.0, 0.0])
    assert clip_gradients([one, two], max_norm).item() == 13.0
    assert math.hypot(one.grad.item(), *two.grad.tolist()) == pytest.approx(expected, rel=1e-5)
    assert one.grad.item() / two.grad[0].item() == pytest.approx(5 / 12)
