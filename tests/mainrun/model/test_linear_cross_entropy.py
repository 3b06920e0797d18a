import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mainrun.model import linear_cross_entropy as module
from mainrun.model.linear_cross_entropy import linear_cross_entropy

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}


def draw(num_rows: int, dtype: torch.dtype, num_classes: int = 13) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(num_rows)
    hidden = 2 * torch.randn(num_rows, 6, generator=generator, dtype=dtype)
    weight = torch.randn(num_classes, 6, generator=generator, dtype=dtype)
    targets = torch.randint(num_classes, (num_rows,), generator=generator)
    return hidden.requires_grad_(), weight.requires_grad_(), targets


def plain(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(hidden, weight), targets, reduction="sum")


def close(one: Tensor, two: Tensor) -> bool:
    tolerance = TOLERANCE[one.dtype]
    return (
        one.dtype == two.dtype and one.shape == two.shape and torch.allclose(one, two, rtol=tolerance, atol=tolerance)
    )


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("num_rows", [1, 3, 4, 5, 7, 8, 9, 12])
def test_value_and_both_gradients_are_those_of_the_plain_pair(
    num_rows: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 4)
    hidden, weight, targets = draw(num_rows, dtype)
    found, expected = linear_cross_entropy(hidden, weight, targets), plain(hidden, weight, targets)
    assert close(found, expected)
    found_gradients = torch.autograd.grad(found, (hidden, weight))
    expected_gradients = torch.autograd.grad(expected, (hidden, weight))
    assert all(map(close, found_gradients, expected_gradients))


@pytest.mark.parametrize("num_rows", [2047, 2048, 2049, 4096])
def test_the_real_block_size_gives_the_same_at_its_joins(num_rows: int) -> None:
    hidden, weight, targets = draw(num_rows, torch.float64)
    found, expected = linear_cross_entropy(hidden, weight, targets), plain(hidden, weight, targets)
    assert close(found, expected)
    assert all(
        map(close, torch.autograd.grad(found, (hidden, weight)), torch.autograd.grad(expected, (hidden, weight)))
    )


def test_under_autocast_only_the_products_are_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Block by block as by hand: operands and results rounded to bfloat16, all between them in float32."""
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 4)
    hidden, weight, targets = draw(9, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = linear_cross_entropy(hidden, weight, targets)
    h, w = hidden.detach().bfloat16(), weight.detach().bfloat16()
    expected, grad_hidden, grad_weight = torch.zeros(()), torch.zeros(hidden.shape), torch.zeros(weight.shape)
    for first in range(0, 9, 4):
        part = slice(first, first + 4)
        log_probs = (h[part] @ w.T).float().log_softmax(1)
        expected += F.nll_loss(log_probs, targets[part], reduction="sum")
        grad_logits = (log_probs.exp() - F.one_hot(targets[part], len(w))).bfloat16()
        grad_hidden[part] = (grad_logits @ w).float()
        grad_weight += (grad_logits.T @ h[part]).float()
    torch.testing.assert_close(found.detach(), expected, rtol=1e-5, atol=1e-5)
    for one, two in zip(torch.autograd.grad(found, (hidden, weight)), (grad_hidden, grad_weight), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-5)


def test_a_factor_behind_the_loss_reaches_both_gradients() -> None:
    hidden, weight, targets = draw(5, torch.float64)
    found = torch.autograd.grad(3 * linear_cross_entropy(hidden, weight, targets), (hidden, weight))
    expected = torch.autograd.grad(3 * plain(hidden, weight, targets), (hidden, weight))
    assert all(map(close, found, expected))


def test_logits_that_overflow_an_exponential_give_a_finite_loss() -> None:
    hidden, weight, targets = draw(5, torch.float32)
    loss = linear_cross_entropy(hidden * 1000, weight, targets)
    assert close(loss, plain(hidden * 1000, weight, targets))
    assert torch.isfinite(loss)


def test_its_inputs_are_left_as_they_were() -> None:
    hidden, weight, targets = draw(5, torch.float32)
    before = [tensor.detach().clone() for tensor in (hidden, weight, targets)]
    linear_cross_entropy(hidden, weight, targets).backward()  # type: ignore[no-untyped-call]  # torch does not type backward
    assert all(torch.equal(old, new) for old, new in zip(before, (hidden, weight, targets), strict=True))
