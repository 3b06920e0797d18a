from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainrun.model.counts import compute_num_parameters
from mainrun.model.gpt import GPT
from mainrun.model.settings import ModelSettings
from mainrun.recipes import build_named_config
from mainrun.sizes import RunSizes, compute_run_sizes

MAINRUN = build_named_config("baseline", "mainrun", {})
OFFICIAL = compute_run_sizes(MAINRUN, vocab_size=16_000, num_train_ids=1_102_455, num_validation_ids=121_150)
STAND_IN = compute_run_sizes(MAINRUN, vocab_size=16_000, num_train_ids=1_156_000, num_validation_ids=127_000)
JUNE_2026 = compute_run_sizes(MAINRUN, vocab_size=16_000, num_train_ids=1_168_720, num_validation_ids=128_000)


def count_parameters(model: ModelSettings, vocab_size: int) -> int:
    return sum(parameter.numel() for parameter in GPT(model, vocab_size).parameters())


def test_mainrun_has_27_172_864_parameters_by_formula_and_by_count() -> None:
    assert compute_num_parameters(MAINRUN.model, 16_000) == 27_172_864
    assert count_parameters(MAINRUN.model, 16_000) == 27_172_864
    assert OFFICIAL.num_parameters == 27_172_864


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(1, 20), st.integers(1, 50))
def test_the_formula_counts_any_model(n_layer: int, n_head: int, per_head: int, block_size: int, vocab: int) -> None:
    model = replace(MAINRUN.model, n_layer=n_layer, n_head=n_head, d_model=n_head * per_head, block_size=block_size)
    assert compute_num_parameters(model, vocab) == count_parameters(model, vocab)


def test_the_official_data_gives_938_steps_and_23_evaluations() -> None:
    assert (OFFICIAL.steps_per_epoch, OFFICIAL.max_steps) == (134, 938)
    assert OFFICIAL.evaluation_steps == (1, *range(44, 925, 44), 938)
    assert len(OFFICIAL.evaluation_steps) == 23


def test_the_official_data_gives_14_spans_and_a_coverage_of_94_7_percent() -> None:
    assert OFFICIAL.num_spans == 14
    assert OFFICIAL.coverage == pytest.approx(14 * 8192 / 121_150)
    assert round(OFFICIAL.coverage, 3) == 0.947


def test_the_stand_in_gives_987_steps_and_22_evaluations() -> None:
    assert (STAND_IN.steps_per_epoch, STAND_IN.max_steps) == (141, 987)
    assert STAND_IN.evaluation_steps == (1, *range(47, 988, 47))
    assert len(STAND_IN.evaluation_steps) == 22


def test_the_data_of_june_2026_gives_994_steps() -> None:
    assert (JUNE_2026.steps_per_epoch, JUNE_2026.max_steps) == (142, 994)


def test_the_full_loss_comes_first_last_and_with_every_third_interval_evaluation() -> None:
    assert OFFICIAL.full_loss_steps == (1, 132, 264, 396, 528, 660, 792, 924, 938)
    assert STAND_IN.full_loss_steps == (1, 141, 282, 423, 564, 705, 846, 987)


def test_one_step_of_mainrun_is_1_34_tflop() -> None:
    assert OFFICIAL.training_flops / OFFICIAL.max_steps == pytest.approx(1.34e12, rel=0.02)


def run_sizes(num_train_ids: int, num_validation_ids: int, **changes: int) -> RunSizes:
    settings = {"block_size": 4, "batch_size": 3, **changes}
    config = build_named_config("baseline", "mainrun", {key: str(value) for key, value in settings.items()})
    return compute_run_sizes(config, vocab_size=9, num_train_ids=num_train_ids, num_validation_ids=num_validation_ids)


@pytest.mark.parametrize(("num_ids", "num_spans"), [(0, 0), (12, 0), (13, 1), (25, 1), (26, 2), (38, 2), (39, 3)])
def test_a_span_is_one_id_more_than_a_step(num_ids: int, num_spans: int) -> None:
    sizes = run_sizes(100, num_ids)
    assert sizes.num_spans == num_spans
    assert sizes.coverage == (12 * num_spans / num_ids if num_ids else 0)


def test_less_than_three_steps_an_epoch_are_evaluated_at_every_step() -> None:
    assert run_sizes(25, 13, epochs=2).evaluation_steps == (1, 2, 3, 4)
    assert run_sizes(25, 13, epochs=2).full_loss_steps == (1, 3, 4)


def test_where_no_step_fits_nothing_is_evaluated() -> None:
    sizes = run_sizes(11, 13)
    assert (sizes.max_steps, sizes.evaluation_steps, sizes.full_loss_steps) == (0, (), ())


SMALL = st.integers(0, 500)


@given(SMALL, SMALL, st.integers(1, 8), st.integers(1, 5))
def test_a_run_is_evaluated_at_its_ends_in_order_and_full_losses_are_some_of_it(
    num_train_ids: int, num_validation_ids: int, epochs: int, evals_per_epoch: int
) -> None:
    sizes = run_sizes(num_train_ids, num_validation_ids, epochs=epochs, evals_per_epoch=evals_per_epoch)
    ends: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda steps: (*steps[:1], *steps[-1:])  # noqa: E731
    assert sizes.max_steps == num_train_ids // 12 * epochs
    if sizes.max_steps:
        assert ends(sizes.evaluation_steps) == ends(sizes.full_loss_steps) == (1, sizes.max_steps)
    assert list(sizes.evaluation_steps) == sorted(set(sizes.evaluation_steps))
    assert set(sizes.full_loss_steps) <= set(sizes.evaluation_steps)
