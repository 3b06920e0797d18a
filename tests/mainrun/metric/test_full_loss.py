import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainrun.metric import full_loss as full_loss_module
from mainrun.metric.full_loss import compute_full_loss, sum_by_title
from tests.mainrun.plain_metric import full_losses
from tests.mainrun.tiny_models import build_model, draw_ids

EOS = 1


@settings(deadline=None, max_examples=40)
@given(block_size=st.integers(1, 7), num_ids=st.integers(1, 150), seed=st.integers(0, 99))
@example(block_size=7, num_ids=6, seed=1)
@example(block_size=7, num_ids=7, seed=1)
@example(block_size=7, num_ids=8, seed=1)
@example(block_size=7, num_ids=7 * 8, seed=1)
@example(block_size=7, num_ids=7 * 8 + 1, seed=1)
def test_it_equals_the_definition_in_words(block_size: int, num_ids: int, seed: int) -> None:
    model, ids = build_model(block_size, seed), draw_ids(num_ids, seed)
    found = compute_full_loss(model, ids, block_size=block_size, num_chars=2 * num_ids)
    expected = full_losses(model.eval(), ids.tolist(), block_size, EOS)
    assert found.token_loss_nats == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert found.loss_nats_per_char == pytest.approx(math.fsum(expected) / (2 * num_ids), rel=1e-5)
    assert found.loss_nats_per_token == pytest.approx(math.fsum(expected) / num_ids, rel=1e-5)


def test_every_id_is_scored_once_in_double_precision() -> None:
    found = compute_full_loss(build_model(7), draw_ids(100), block_size=7, num_chars=300)
    assert found.token_loss_nats.shape == (100,)
    assert found.token_loss_nats.dtype == np.float64


@pytest.mark.parametrize("windows_at_once", [1, 3, 1000])
def test_it_does_not_depend_on_how_many_windows_are_scored_at_once(
    windows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, ids = build_model(7), draw_ids(100)
    before = compute_full_loss(model, ids, block_size=7, num_chars=300)
    monkeypatch.setattr(full_loss_module, "WINDOWS_AT_ONCE", windows_at_once)
    after = compute_full_loss(model, ids, block_size=7, num_chars=300)
    assert after.token_loss_nats == pytest.approx(before.token_loss_nats, rel=1e-5, abs=1e-6)


def test_the_first_id_is_scored_after_a_separator() -> None:
    model, ids = build_model(7), draw_ids(20)
    found = compute_full_loss(model, ids, block_size=7, num_chars=60)
    logits = model.eval()(torch.tensor([[EOS]]))[0, 0].double()
    assert found.token_loss_nats[0] == pytest.approx(-torch.log_softmax(logits, 0)[ids[0]].item(), rel=1e-5)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20))
@settings(deadline=None, max_examples=30)
def test_the_losses_by_title_add_up_to_the_full_sum(num_tokens: list[int]) -> None:
    found = compute_full_loss(build_model(7), draw_ids(sum(num_tokens)), block_size=7, num_chars=300)
    by_title = sum_by_title(found, np.array(num_tokens, np.int32))
    ends = np.cumsum(num_tokens)
    expected = [math.fsum(found.token_loss_nats[end - num : end]) for end, num in zip(ends, num_tokens, strict=True)]
    assert by_title == pytest.approx(expected)
    assert by_title.sum() == pytest.approx(300 * found.loss_nats_per_char, rel=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_restored(training: bool) -> None:
    model = build_model(7).train(training)
    compute_full_loss(model, draw_ids(50), block_size=7, num_chars=100)
    assert {module.training for module in model.modules()} == {training}


def test_it_leaves_neither_gradients_nor_changed_weights_nor_a_moved_random_generator() -> None:
    model = build_model(7).train()
    weights, generator = [p.detach().clone() for p in model.parameters()], torch.get_rng_state()
    compute_full_loss(model, draw_ids(50), block_size=7, num_chars=100)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(old, new) for old, new in zip(weights, model.parameters(), strict=True))
    assert torch.equal(generator, torch.get_rng_state())
