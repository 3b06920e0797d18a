import ast
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainrun.metric import evaluate as evaluate_module
from mainrun.metric.evaluate import evaluate
from tests.mainrun.plain_metric import frozen_spans
from tests.mainrun.tiny_models import build_model, draw_ids


@settings(deadline=None, max_examples=40)
@given(
    block_size=st.integers(1, 6),
    batch_size=st.integers(1, 20),
    num_spans=st.integers(0, 3),
    tail=st.integers(0, 10**6),
    seed=st.integers(0, 99),
)
@example(block_size=5, batch_size=8, num_spans=1, tail=0, seed=1)
@example(block_size=5, batch_size=9, num_spans=0, tail=-1, seed=1)
@example(block_size=5, batch_size=17, num_spans=2, tail=7, seed=1)
def test_it_equals_the_definition_in_words(
    block_size: int, batch_size: int, num_spans: int, tail: int, seed: int
) -> None:
    span = block_size * batch_size + 1
    num_ids = num_spans * span + tail % span
    model, ids = build_model(block_size, seed), draw_ids(num_ids, seed)
    found = evaluate(model, ids, block_size=block_size, batch_size=batch_size, num_chars=3 * num_ids + 1)
    expected = frozen_spans(model.eval(), ids.tolist(), block_size, batch_size)
    assert len(found.span_loss_nats) == num_spans
    assert found.span_loss_nats == pytest.approx(expected, rel=1e-5)
    assert found.loss_nats_per_char == pytest.approx(sum(expected) / (3 * num_ids + 1), rel=1e-5)


@pytest.mark.parametrize(("num_ids", "num_spans"), [(40, 0), (41, 1), (42, 1), (81, 1), (82, 2)])
def test_a_span_counts_from_its_last_id_on(num_ids: int, num_spans: int) -> None:
    found = evaluate(build_model(5), draw_ids(num_ids), block_size=5, batch_size=8, num_chars=100)
    assert len(found.span_loss_nats) == num_spans


def test_without_a_span_the_loss_is_zero() -> None:
    assert evaluate(build_model(5), draw_ids(40), block_size=5, batch_size=8, num_chars=100).loss_nats_per_char == 0


def test_the_tail_and_the_first_id_of_a_span_are_never_scored() -> None:
    model, ids = build_model(5), draw_ids(2 * 41 + 30)
    before = evaluate(model, ids, block_size=5, batch_size=8, num_chars=100)
    ids[82:] = (ids[82:] + 1) % 23
    assert evaluate(model, ids, block_size=5, batch_size=8, num_chars=100) == before


def test_characters_that_are_not_scored_are_still_divided_by() -> None:
    model, ids = build_model(5), draw_ids(100)
    one, two = (evaluate(model, ids, block_size=5, batch_size=8, num_chars=chars) for chars in (100, 200))
    assert one.loss_nats_per_char == pytest.approx(2 * two.loss_nats_per_char)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_restored(training: bool) -> None:
    model = build_model(5).train(training)
    evaluate(model, draw_ids(100), block_size=5, batch_size=8, num_chars=100)
    assert {module.training for module in model.modules()} == {training}


def test_it_leaves_neither_gradients_nor_changed_weights_nor_a_moved_random_generator() -> None:
    model, ids = build_model(5).train(), draw_ids(100)
    weights, generator = [p.detach().clone() for p in model.parameters()], torch.get_rng_state()
    evaluate(model, ids, block_size=5, batch_size=8, num_chars=100)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(old, new) for old, new in zip(weights, model.parameters(), strict=True))
    assert torch.equal(generator, torch.get_rng_state())


def test_its_file_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(evaluate_module.__file__).read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import is one of the project"
            imported.add(str(node.module).partition(".")[0])
    assert imported == {"dataclasses", "torch"}
    assert not {"__import__", "importlib"} & {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
