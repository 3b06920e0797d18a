from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainrun.recipes import build_named_config
from mainrun.step import StepResult, TrainingState, read_batch

CPU = torch.device("cpu")
CONFIG = build_named_config(
    "optimized",
    "quick",
    {"n_layer": "1", "n_head": "1", "d_model": "8", "block_size": "4", "batch_size": "3", "warmup_fraction": "0"},
)
IDS = torch.randint(20, (45,), generator=torch.Generator().manual_seed(0))


def walk(num_ids: int, num_steps: int, block_size: int = 4, batch_size: int = 3) -> list[int]:
    """Where the reads of so many steps begin; the ids are their own places."""
    ids, ptr, starts = torch.arange(num_ids), 0, []
    for _ in range(num_steps):
        inputs, _, ptr = read_batch(ids, ptr, block_size, batch_size)
        starts.append(int(inputs[0, 0]))
    return starts


def test_a_read_lays_consecutive_ids_out_in_windows_and_targets_are_the_next_ids() -> None:
    inputs, targets, ptr = read_batch(torch.arange(100), 24, 4, 3)
    assert inputs.tolist() == [[24, 25, 26, 27], [28, 29, 30, 31], [32, 33, 34, 35]]
    assert torch.equal(targets, inputs + 1)
    assert ptr == 36


@pytest.mark.parametrize(
    ("num_ids", "starts"),
    [
        (13, [0, 0, 0, 0]),
        (24, [0, 0, 0, 0]),  # two steps an epoch by the count of tokens, but a second read lacks its last target
        (25, [0, 12, 0, 12]),
        (36, [0, 12, 0, 12]),
        (37, [0, 12, 24, 0]),
    ],
)
def test_reading_goes_back_to_the_start_where_no_whole_read_is_left(num_ids: int, starts: list[int]) -> None:
    assert walk(num_ids, 4) == starts


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 200))
def test_an_epoch_reads_the_stream_in_order_and_leaves_only_its_end(block: int, batch: int, more: int) -> None:
    num_targets = block * batch
    num_ids = num_targets + 1 + more
    num_reads = (num_ids - 1) // num_targets
    ids, ptr, seen = torch.arange(num_ids), 0, []
    for _ in range(num_reads):
        inputs, targets, ptr = read_batch(ids, ptr, block, batch)
        assert inputs.shape == targets.shape == (batch, block)
        seen += targets.flatten().tolist()
    assert seen == list(range(1, num_reads * num_targets + 1))
    assert num_ids - len(seen) - 1 < num_targets
    assert walk(num_ids, num_reads + 1, block, batch)[-1] == 0


def build(seed: int = 1, **changes: float) -> TrainingState:
    return TrainingState.build(replace(CONFIG, **changes), 20, seed, CPU)  # type: ignore[arg-type]  # mypy wants each field's own type


def take_steps(state: TrainingState, num_steps: int) -> list[StepResult]:
    return [state.take_steps(IDS, 9, 1)[0] for _ in range(num_steps)]


def test_a_step_uses_the_rate_of_its_own_number_and_moves_on() -> None:
    state = build()
    first, second = state.take_steps(IDS, 2, 1)[0], state.take_steps(IDS, 2, 1)[0]
    assert (first.learning_rate, second.learning_rate) == (3e-4, 1.5e-4)
    assert (state.step, state.ptr) == (2, 24)
    assert state.train_elapsed_s > 0


def test_the_first_step_of_a_warm_up_changes_no_weight() -> None:
    state = build(warmup_fraction=0.5)
    before = [p.detach().clone() for p in state.model.parameters()]
    assert state.take_steps(IDS, 10, 1)[0].learning_rate == 0
    assert all(map(torch.equal, before, state.model.parameters()))


def test_the_gradient_norm_is_that_before_clipping() -> None:
    loose, tight = (build(dropout=0.0, grad_clip=clip).take_steps(IDS, 9, 1)[0] for clip in (1e9, 1e-3))
    assert loose.grad_norm == tight.grad_norm > 1e-3


def test_clipping_holds_the_step_back() -> None:
    config = replace(CONFIG, optimizer="sgd", learning_rate=1.0, weight_decay=0.0, grad_clip=1e-3)
    state = TrainingState.build(config, 20, 1, CPU)
    before = [p.detach().clone() for p in state.model.parameters()]
    state.take_steps(IDS, 9, 1)
    moved = sum(
        float(((new.detach() - old) ** 2).sum()) for old, new in zip(before, state.model.parameters(), strict=True)
    )
    assert moved**0.5 == pytest.approx(1e-3, rel=1e-2)


def test_a_step_trains_with_dropout() -> None:
    assert (
        build(dropout=0.0).take_steps(IDS, 9, 1)[0].loss_nats_per_token
        != build().take_steps(IDS, 9, 1)[0].loss_nats_per_token
    )


def test_gradients_of_one_step_do_not_reach_the_next() -> None:
    once, twice = build(dropout=0.0, learning_rate=1e-30), build(dropout=0.0, learning_rate=1e-30)
    once.ptr = 12
    twice.take_steps(IDS, 9, 1)
    assert once.take_steps(IDS, 9, 1)[0].grad_norm == twice.take_steps(IDS, 9, 1)[0].grad_norm


def test_a_seed_decides_the_weights_and_the_dropout() -> None:
    one, same, other = (take_steps(build(seed), 3) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_a_restored_state_goes_on_bit_for_bit() -> None:
    straight = build()
    take_steps(straight, 3)
    stored = deepcopy(straight.to_checkpoint())
    expected = take_steps(straight, 4)
    resumed = build(seed=5)
    resumed.restore(stored)
    assert take_steps(resumed, 4) == expected
    assert all(map(torch.equal, straight.model.parameters(), resumed.model.parameters()))
    assert resumed.train_elapsed_s > stored["train_elapsed_s"] > 0
