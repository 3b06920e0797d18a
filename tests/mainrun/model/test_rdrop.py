import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mainrun.model import rdrop as rdrop_module
from mainrun.model.gpt import GPT
from mainrun.model.rdrop import linear_rdrop
from mainrun.recipes import build_named_config
from mainrun.sizes import compute_step_flops
from mainrun.step import TrainingState
from tests.mainrun.test_state import BATCHES, SETTINGS

CPU = torch.device("cpu")


def draw(num_rows: int = 7, width: int = 5, vocab: int = 11) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden, weight = (torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
                      for shape in ((2 * num_rows, width), (vocab, width)))  # fmt: skip
    return hidden, weight, torch.randint(vocab, (num_rows,), generator=generator)


def compute_plainly(hidden: Tensor, weight: Tensor, targets: Tensor, rdrop: float) -> tuple[Tensor, Tensor]:
    """Halved from the paper: both cross-entropies and, times half the weight, both divergences."""
    one, two = (torch.distributions.Categorical(logits=half @ weight.T) for half in hidden.chunk(2))
    cross = -(one.logits + two.logits).gather(1, targets[:, None]).sum()
    apart = torch.distributions.kl_divergence(one, two) + torch.distributions.kl_divergence(two, one)
    return (cross + rdrop / 2 * apart.sum()) / 2, cross / 2


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
@pytest.mark.parametrize("rdrop", [0.5, 2.0])
def test_value_and_gradients_are_those_of_the_paper(
    rdrop: float, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rdrop_module, "ROWS_AT_ONCE", rows_at_once)
    ours, plain = draw(), draw()
    found, expected = linear_rdrop(*ours, rdrop), compute_plainly(*plain, rdrop)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)
    (3 * found[0]).backward()  # type: ignore[no-untyped-call]  # torch does not type backward
    (3 * expected[0]).backward()  # type: ignore[no-untyped-call]  # as above
    for one, two in zip(ours[:2], plain[:2], strict=True):
        torch.testing.assert_close(one.grad, two.grad)
    assert not found[1].requires_grad


def test_two_passes_that_agree_cost_one_cross_entropy() -> None:
    hidden, weight, targets = draw()
    same = torch.cat([hidden.detach()[:7]] * 2).requires_grad_()
    objective, loss = linear_rdrop(same, weight, targets, 2.0)
    expected = F.cross_entropy(same[:7] @ weight.T, targets, reduction="sum")
    torch.testing.assert_close(objective, expected)
    torch.testing.assert_close(loss, expected)


def build(**settings: str) -> TrainingState:
    return TrainingState.build(build_named_config("baseline", "quick", SETTINGS | settings), 20, 1, CPU)


def test_a_step_makes_two_passes_of_different_dropout_and_reports_their_mean_loss() -> None:
    state = build(rdrop="2", dropout="0.3")
    inputs, targets = BATCHES.read(1)
    torch.manual_seed(3)
    found = state.accumulate_gradients(inputs, targets)
    torch.manual_seed(3)
    hidden = state.model.compute_hidden(torch.cat([inputs, inputs])).flatten(0, 1)
    assert not torch.equal(*hidden.chunk(2))
    weight = state.model.token_embedding.weight
    objective, loss = compute_plainly(hidden, weight, targets.flatten(), 2.0)
    torch.testing.assert_close(found, loss.detach() / 12)
    gradients = {name: p.grad for name, p in state.model.named_parameters()}
    state.model.zero_grad()
    (objective / 12).backward()  # type: ignore[no-untyped-call]  # torch does not type backward
    for name, parameter in state.model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, msg=name, rtol=1e-4, atol=1e-6)


def test_without_dropout_it_is_the_plain_step() -> None:
    twice, once = build(rdrop="2", dropout="0"), build(dropout="0")
    for _ in range(3):
        results = [state.take_steps(BATCHES, 9, 1)[0] for state in (twice, once)]
        assert results[0].loss_nats_per_token == pytest.approx(results[1].loss_nats_per_token, rel=1e-5)
        assert results[0].grad_norm == pytest.approx(results[1].grad_norm, rel=1e-4)


def test_the_second_pass_is_counted() -> None:
    once, twice = (build_named_config("optimized", "laptop", {"rdrop": value}) for value in ("0", "1"))
    assert compute_step_flops(twice, 300) == 2 * compute_step_flops(once, 300)


def test_a_batch_goes_through_in_parts_of_as_many_tokens_as_with_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainrun.step.TOKENS_AT_ONCE", 8)
    rows: list[int] = []
    compute_hidden = GPT.compute_hidden

    def count(model: GPT, ids: Tensor) -> Tensor:
        rows.append(len(ids))
        return compute_hidden(model, ids)

    monkeypatch.setattr(GPT, "compute_hidden", count)
    for rdrop in ("0", "1"):
        build(rdrop=rdrop).accumulate_gradients(*BATCHES.read(1))
    assert rows == [2, 1, 2, 2, 2]
