import pytest
import torch
from torch import Tensor

from mainrun.model.dropout import draw_mask, dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_zeros_is_the_probability(p: float) -> None:
    torch.manual_seed(0)
    num = 1_000_000
    share = 1 - draw_mask(torch.Size([num]), p).float().mean().item()
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / num) ** 0.5 + 1 / 2**16)


@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (5,), (2, 3, 7), (0,)])
def test_a_mask_has_any_shape_and_holds_zeros_and_ones(shape: tuple[int, ...]) -> None:
    mask = draw_mask(torch.Size(shape), 0.5)
    assert mask.shape == shape
    assert mask.dtype == torch.uint8
    assert set(mask.flatten().tolist()) <= {0, 1}


def test_neighbouring_elements_are_drawn_independently() -> None:
    """Four of them share one draw of 64 bits."""
    torch.manual_seed(0)
    mask = draw_mask(torch.Size([250_000, 4]), 0.5).double()
    correlations = torch.corrcoef(mask.T) - torch.eye(4, dtype=torch.double)
    assert correlations.abs().max().item() < 5 / 250_000**0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_kept_is_scaled_and_the_gradient_has_the_same_mask(dtype: torch.dtype) -> None:
    x = torch.rand(50, 40, dtype=dtype).add(1).requires_grad_()
    y = dropout(x, 0.2)
    kept = y != 0
    torch.testing.assert_close(y, torch.where(kept, x / 0.8, 0.0))
    (gradient,) = torch.autograd.grad((3 * y).sum(), x)
    torch.testing.assert_close(gradient, torch.where(kept, 3 / 0.8, 0.0).to(dtype))
    assert 0 < kept.double().mean() < 1


def test_probability_zero_changes_nothing_and_draws_nothing() -> None:
    x, before = torch.rand(5), torch.get_rng_state()
    assert torch.equal(dropout(x, 0.0), x)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_seed_gives_one_mask_and_the_next_draw_another() -> None:
    def draw() -> Tensor:
        return draw_mask(torch.Size([100]), 0.5)

    torch.manual_seed(3)
    first, second = draw(), draw()
    torch.manual_seed(3)
    assert torch.equal(draw(), first)
    assert not torch.equal(first, second)
