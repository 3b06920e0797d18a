"""What one frozen evaluation costs, against a third of the training time of as many tokens."""

import torch

from benchmarks.train_step import build_state, draw_batches, time_call
from mainrun.devices import choose_products
from mainrun.metric.evaluate import evaluate

CPU = torch.device("cpu")


def measure_costs(preset: str, recipe: str, num_rounds: int) -> list[float]:
    """Seconds of scoring one span ÷ a third of the seconds of one training step, on the CPU, one a round.

    A span has the tokens of a step, and a forward pass a third of the products of a training step.
    """
    choose_products(CPU)
    state, batches = build_state(preset, recipe, CPU, "float32"), draw_batches(preset, CPU)
    block_size, batch_size = batches.block_size, batches.batch_size
    span = batches.ids[: block_size * batch_size + 1]

    def score_span() -> None:
        evaluate(state.model, span, block_size=block_size, batch_size=batch_size, num_chars=1)

    costs = []
    for _ in range(num_rounds + 1):
        train_s = time_call(lambda: state.take_steps(batches, 10**6, 1), CPU)
        costs.append(3 * time_call(score_span, CPU) / train_s)
    return costs[1:]
