"""Counts of a run that follow from its configuration and its token counts: steps, evaluations, spans, FLOPs.

Pure arithmetic, without torch, so that a plan can be shown before anything is trained.
"""

from dataclasses import dataclass

from mainrun.config import Config
from mainrun.model.counts import compute_num_parameters, compute_token_flops, list_shapes

FULL_LOSS_EVERY = 3
"""The full loss is measured with every so-many-th interval evaluation."""


@dataclass(frozen=True)
class RunSizes:
    """How long a run is and how much it computes."""

    num_parameters: int
    steps_per_epoch: int
    max_steps: int
    evaluation_steps: tuple[int, ...]
    """Steps after whose update the frozen evaluation runs, ascending."""
    full_loss_steps: tuple[int, ...]
    """The subset of `evaluation_steps` at which the full loss is measured too."""
    num_spans: int
    """Spans the frozen evaluation scores; 0 where not one fits."""
    coverage: float
    """Scored ids / ids of the validation stream, 0 to 1."""
    training_flops: int
    """Floating-point operations of all training steps, by `compute_step_flops`."""


def compute_run_sizes(config: Config, *, vocab_size: int, num_train_ids: int, num_validation_ids: int) -> RunSizes:
    """All counts of a run; `vocab_size` is what the tokenizer really has."""
    tokens_per_step = config.model.block_size * config.training.batch_size
    steps_per_epoch = num_train_ids // tokens_per_step
    max_steps = steps_per_epoch * config.training.epochs
    interval = max(1, steps_per_epoch // config.training.evals_per_epoch)
    at_interval = range(interval, max_steps + 1, interval)
    num_spans = num_validation_ids // (tokens_per_step + 1)
    return RunSizes(
        num_parameters=compute_num_parameters(config.model, vocab_size),
        steps_per_epoch=steps_per_epoch,
        max_steps=max_steps,
        evaluation_steps=_steps(max_steps, at_interval),
        full_loss_steps=_steps(max_steps, at_interval[FULL_LOSS_EVERY - 1 :: FULL_LOSS_EVERY]),
        num_spans=num_spans,
        coverage=num_spans * tokens_per_step / num_validation_ids if num_validation_ids else 0.0,
        training_flops=max_steps * compute_step_flops(config, vocab_size),
    )


def compute_step_flops(config: Config, vocab_size: int) -> int:
    """FLOPs of one training step: all passes over its tokens, and what the optimizer multiplies."""
    num_passes = 2 if config.training.rdrop else 1
    num_tokens = num_passes * config.model.block_size * config.training.batch_size
    return num_tokens * compute_token_flops(config.model, vocab_size) + config.optimizer.count_update_flops(
        list_shapes(config.model, vocab_size)
    )


def _steps(max_steps: int, at_interval: range) -> tuple[int, ...]:
    return tuple(sorted({1, *at_interval, max_steps})) if max_steps else ()
