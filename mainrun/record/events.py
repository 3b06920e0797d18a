"""The events of a run, as its journal says them.

Event and field names are those of the task's public logs; our own fields stand beside them, units in their names.
`loss` is nats per token on a `training_step` and nats per character on a `validation_step`, `elapsed_time` is wall time
with evaluations.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mainrun.config import shorten_key
from mainrun.data.streams import TOKENIZER_TRAINED_ON, PreparedData
from mainrun.record.journal import Journal
from mainrun.record.run_record import RunRequest

if TYPE_CHECKING:
    from mainrun.metric.evaluate import Evaluation
    from mainrun.metric.full_loss import FullLoss
    from mainrun.step import StepResult


@dataclass(frozen=True)
class Progress:
    """One evaluation of a run that goes on, for whoever watches."""

    step: int
    max_steps: int
    evaluation: Evaluation
    full_loss: FullLoss | None
    """None where it was not measured."""


def write_opening_events(
    journal: Journal, request: RunRequest, data: PreparedData, record: dict[str, Any], num_parameters: int
) -> None:
    """What the run is asked, where it runs, on which titles, and how large its model is; `record` is its `run.json`."""
    config = record["config"]
    journal.write(
        "hyperparameters_configured",
        **name_publicly(config),
        seed=request.seed,
        recipe=request.recipe,
        preset=request.preset,
        settings=request.settings,
        config=config,
    )
    journal.write("device_info", **record["machine"])
    journal.write(
        "dataset_info",
        titles_count=len(data.corpus.train_titles),
        epochs=config["training.epochs"],
        batches_per_epoch=data.sizes.steps_per_epoch,
        tokens_per_epoch=len(data.streams.train_ids),
        vocab_size=data.streams.tokenizer.vocab_size,
        num_validation_tokens=len(data.streams.validation_ids),
        num_validation_chars=data.num_chars,
        tokenizer_trained_on=TOKENIZER_TRAINED_ON,
        **asdict(data.corpus.record),
    )
    journal.write("model_info", parameters_count=num_parameters, training_flops=data.sizes.training_flops)


def name_publicly(config: dict[str, Any]) -> dict[str, Any]:
    """The settings under the short names of public logs; two that those spell otherwise stand there by both names."""
    counts = Counter(map(shorten_key, config))
    short = {shorten_key(key): value for key, value in config.items() if counts[shorten_key(key)] == 1}
    return {**short, "lr": config["optimizer.learning_rate"], "val_frac": config["data.val_fraction"]}


def write_training_step(journal: Journal, result: StepResult, max_steps: int, wall_elapsed_s: float) -> None:
    """One step that was taken."""
    journal.write(
        "training_step",
        step=result.step,
        max_steps=max_steps,
        loss=result.loss_nats_per_token,
        elapsed_time=wall_elapsed_s,
        prnt=False,
        learning_rate=result.learning_rate,
        grad_norm=result.grad_norm,
        train_elapsed_s=result.train_elapsed_s,
    )


def write_validation_step(
    journal: Journal, progress: Progress, num_tokens: int, wall_elapsed_s: float, train_elapsed_s: float
) -> None:
    """One evaluation on `num_tokens` validation ids; the clocks are at its end."""
    evaluation, full_loss = progress.evaluation, progress.full_loss
    journal.write(
        "validation_step",
        step=progress.step,
        max_steps=progress.max_steps,
        loss=evaluation.loss_nats_per_char,
        elapsed_time=wall_elapsed_s,
        num_spans=len(evaluation.span_loss_nats),
        span_loss_nats=evaluation.span_loss_nats,
        num_chars=evaluation.num_chars,
        num_tokens=num_tokens,
        full_loss_nats_per_char=full_loss.loss_nats_per_char if full_loss else None,
        train_elapsed_s=train_elapsed_s,
    )
