import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainrun.data.batches import Batches


def list_starts(num_ids: int, num_steps: int, block_size: int = 4, batch_size: int = 3) -> list[int]:
    """Where the reads of so many steps begin; the ids are their own places."""
    batches = Batches(torch.arange(num_ids), block_size, batch_size)
    return [int(batches.read(step)[0][0, 0]) for step in range(1, num_steps + 1)]


def test_a_read_lays_consecutive_ids_out_in_windows_and_targets_are_the_next_ids() -> None:
    inputs, targets = Batches(torch.arange(100), 4, 3).read(3)
    assert inputs.tolist() == [[24, 25, 26, 27], [28, 29, 30, 31], [32, 33, 34, 35]]
    assert torch.equal(targets, inputs + 1)


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
    assert list_starts(num_ids, 4) == starts


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 200))
def test_an_epoch_reads_the_stream_in_order_and_leaves_only_its_end(block: int, batch: int, more: int) -> None:
    num_targets = block * batch
    num_ids = num_targets + 1 + more
    num_reads = (num_ids - 1) // num_targets
    batches, seen = Batches(torch.arange(num_ids), block, batch), []
    for step in range(1, num_reads + 1):
        inputs, targets = batches.read(step)
        assert inputs.shape == targets.shape == (batch, block)
        seen += targets.flatten().tolist()
    assert seen == list(range(1, num_reads * num_targets + 1))
    assert num_ids - len(seen) - 1 < num_targets
    assert list_starts(num_ids, num_reads + 1, block, batch)[-1] == 0


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 60), st.integers(1, 40))
def test_a_step_reads_what_a_pointer_that_walks_the_stream_would_reach(
    block: int, batch: int, more: int, num_steps: int
) -> None:
    num_targets = block * batch
    num_ids, ptr, walked = num_targets + 1 + more, 0, []
    for _ in range(num_steps):
        ptr = ptr if ptr + num_targets + 1 <= num_ids else 0
        walked.append(ptr)
        ptr += num_targets
    assert list_starts(num_ids, num_steps, block, batch) == walked
