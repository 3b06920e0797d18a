from copy import deepcopy
from typing import Any

import pytest
import torch

from mainrun.data.batches import Batches
from mainrun.recipes import build_named_config
from mainrun.step import StepResult, TrainingState

CPU = torch.device("cpu")
SETTINGS = {"n_layer": "1", "n_head": "1", "d_model": "8", "block_size": "4", "batch_size": "3", "warmup_fraction": "0"}
BATCHES = Batches(torch.randint(20, (45,), generator=torch.Generator().manual_seed(0)), block_size=4, batch_size=3)


def build(seed: int = 1, **settings: float) -> TrainingState:
    given = SETTINGS | {key: str(value) for key, value in settings.items()}
    return TrainingState.build(build_named_config("optimized", "quick", given), 20, seed, CPU)


def take_steps(state: TrainingState, num_steps: int) -> list[StepResult]:
    return [state.take_steps(BATCHES, 9, 1)[0] for _ in range(num_steps)]


def test_a_step_uses_the_rate_of_its_own_number_and_moves_on() -> None:
    state = build()
    first, second = state.take_steps(BATCHES, 2, 1)[0], state.take_steps(BATCHES, 2, 1)[0]
    assert (first.learning_rate, second.learning_rate) == (3e-4, 1.5e-4)
    assert state.step == 2
    assert state.train_elapsed_s > 0


def test_the_first_step_of_a_warm_up_changes_no_weight() -> None:
    state = build(warmup_fraction=0.5)
    before = [p.detach().clone() for p in state.model.parameters()]
    assert state.take_steps(BATCHES, 10, 1)[0].learning_rate == 0
    assert all(map(torch.equal, before, state.model.parameters()))


def test_the_gradient_norm_is_that_before_clipping() -> None:
    loose, tight = (build(dropout=0.0, grad_clip=clip).take_steps(BATCHES, 9, 1)[0] for clip in (1e9, 1e-3))
    assert loose.grad_norm == tight.grad_norm > 1e-3


def test_clipping_holds_the_step_back() -> None:
    config = build_named_config("baseline", "quick", SETTINGS | {"learning_rate": "1", "grad_clip": "1e-3"})
    state = TrainingState.build(config, 20, 1, CPU)
    before = [p.detach().clone() for p in state.model.parameters()]
    state.take_steps(BATCHES, 9, 1)
    moved = sum(
        float(((new.detach() - old) ** 2).sum()) for old, new in zip(before, state.model.parameters(), strict=True)
    )
    assert moved**0.5 == pytest.approx(1e-3, rel=1e-2)


def test_a_step_trains_with_dropout() -> None:
    assert (
        build(dropout=0.0).take_steps(BATCHES, 9, 1)[0].loss_nats_per_token
        != build().take_steps(BATCHES, 9, 1)[0].loss_nats_per_token
    )


def test_gradients_of_one_step_do_not_reach_the_next() -> None:
    once, twice = build(dropout=0.0, learning_rate=1e-30), build(dropout=0.0, learning_rate=1e-30)
    once.step = 1
    twice.take_steps(BATCHES, 9, 1)
    assert once.take_steps(BATCHES, 9, 1)[0].grad_norm == twice.take_steps(BATCHES, 9, 1)[0].grad_norm


def test_a_seed_decides_the_weights_and_the_dropout() -> None:
    one, same, other = (take_steps(build(seed), 3) for seed in (1, 1, 2))
    assert one == same
    assert one != other


EVERY_CHOICE = {"positions": "rope", "attention": "title", "mlp": "swiglu", "biases": "false", "shifts": "true",
                "residual_init": "scaled", "rdrop": "1", "schedule": "wsd", "optimizer": "muon"}  # fmt: skip


@pytest.mark.parametrize(
    "settings", [{}, {"optimizer": "sgd", "momentum": "0.9"}, {"optimizer": "muon"}, EVERY_CHOICE], ids=len
)
def test_a_restored_state_goes_on_bit_for_bit(settings: dict[str, Any]) -> None:
    straight = build(**settings)
    take_steps(straight, 3)
    stored = deepcopy(straight.to_checkpoint())
    expected = take_steps(straight, 4)
    resumed = build(seed=5, **settings)
    resumed.restore(stored)
    assert take_steps(resumed, 4) == expected
    assert all(map(torch.equal, straight.model.parameters(), resumed.model.parameters()))
    assert resumed.train_elapsed_s > stored["train_elapsed_s"] > 0
