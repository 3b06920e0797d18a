"""One run from start to end: set up or resumed, trained, evaluated as the rules of the task say, written down."""

import math
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

from mainrun.config import Config
from mainrun.data.streams import TOKENIZER_TRAINED_ON, PreparedData, prepare_data
from mainrun.devices import choose_device, choose_precision, choose_products
from mainrun.metric.evaluate import Evaluation, evaluate
from mainrun.metric.full_loss import FullLoss, compute_full_loss, sum_by_title
from mainrun.provenance import (
    compute_source_sha256,
    compute_weights_sha256,
    describe_machine,
    measure_peak_memory_bytes,
)
from mainrun.recipes import build_named_config
from mainrun.record.checkpoint import CheckpointFolder
from mainrun.record.errors import RequestError, RunError
from mainrun.record.files import compute_file_sha256, make_folder, save_json
from mainrun.record.journal import Journal
from mainrun.record.run_record import (
    FILE_NAME,
    HASHED_FILES,
    JOURNAL_NAME,
    TITLE_LOSSES_NAME,
    TOKENIZER_NAME,
    RunRecord,
    RunRequest,
    check_beside,
    check_identity,
    compute_identity,
    load_run_record,
)
from mainrun.record.title_losses import save_title_losses
from mainrun.step import STEPS_AT_ONCE, StepResult, TrainingState


@dataclass(frozen=True)
class Progress:
    """One evaluation of a run that goes on, for whoever watches."""

    step: int
    max_steps: int
    evaluation: Evaluation
    full_loss: FullLoss | None
    """None where it was not measured."""


def train(request: RunRequest) -> Iterator[Progress]:
    """Runs one training in the folder `request.out`, giving each evaluation as it is made.

    Raises `RequestError` for a wrong request, `RunError` where a loss is not finite, `StoredResultsError` where a
    checkpoint cannot be continued, `MachineError` where the machine refuses a file.
    """
    config = build_named_config(request.recipe, request.preset, request.settings)
    device = choose_device(request.device)
    precision = choose_precision(request.precision, device)
    choose_products(device)
    stored = _load_stored(request)
    data = prepare_data(config, request.source)
    record = RunRecord(request, config, data, describe_machine(device, precision), compute_source_sha256())
    identity = compute_identity(record.values)
    if request.beside:
        check_beside(request.beside, record.values)
    make_folder(request.out)
    checkpoints = CheckpointFolder(request.out / "checkpoint", request.checkpoint_every_s)
    if stored:
        check_identity(compute_identity(stored), identity)
        if stored["status"] == "complete":
            checkpoints.remove()  # where the run was killed between its last two acts
            return
    state = TrainingState.build(config, data.streams.tokenizer.vocab_size, request.seed, device, precision)
    record.values["initial_weights_sha256"] = compute_weights_sha256(state.model)
    checkpoint = checkpoints.load() if request.resume else None
    if checkpoint:
        check_identity(checkpoint["identity"], identity)
        state.restore(checkpoint)

    train_ids = torch.from_numpy(data.streams.train_ids).long().to(device)
    validation_ids = torch.from_numpy(data.streams.validation_ids).long().to(device)
    max_steps = data.sizes.max_steps
    last_step = max_steps if request.stop_after is None else min(max_steps, request.stop_after)
    full_loss: FullLoss | None = None
    with Journal(request.out / JOURNAL_NAME, checkpoint["journal_bytes"] if checkpoint else 0) as journal:
        record.save("running")
        save_json(request.out / TOKENIZER_NAME, data.streams.tokenizer.to_json())
        if checkpoint:
            journal.write("run_resumed", step=state.step, gap_s=max(0.0, time.time() - checkpoint["saved_at"]))
        else:
            num_parameters = sum(parameter.numel() for parameter in state.model.parameters())
            _write_opening_events(journal, request, config, data, record, num_parameters)
        wall_start = time.perf_counter() - (checkpoint["wall_elapsed_s"] if checkpoint else 0.0)
        while state.step < last_step:
            num_steps = _count_steps_until_read(state, data.sizes.evaluation_steps, last_step)
            for result in state.take_steps(train_ids, max_steps, num_steps):
                loss, grad_norm = result.loss_nats_per_token, result.grad_norm
                if not (math.isfinite(loss) and math.isfinite(grad_norm)):
                    _fail(record, f"training loss {loss}, gradient norm {grad_norm}", result.step)
                _write_training_step(journal, result, max_steps, time.perf_counter() - wall_start)
            if state.step in data.sizes.evaluation_steps:
                evaluation, full_loss = _measure(state, validation_ids, data)
                losses = [evaluation.loss_nats_per_char, *([full_loss.loss_nats_per_char] if full_loss else [])]
                if not all(map(math.isfinite, losses)):
                    _fail(record, f"validation loss {' and full loss '.join(map(str, losses))}", state.step)
                progress = Progress(state.step, max_steps, evaluation, full_loss)
                _write_validation_step(journal, progress, state, len(validation_ids), time.perf_counter() - wall_start)
                yield progress
            if checkpoints.is_due() and state.step < last_step:
                checkpoints.save(
                    state.to_checkpoint()
                    | {
                        "identity": identity,
                        "journal_bytes": journal.sync(),
                        "wall_elapsed_s": time.perf_counter() - wall_start,
                        "saved_at": time.time(),
                    }
                )
        journal.sync()
    if last_step < max_steps:
        record.save("stopped", reason=f"stopped after step {state.step}")
        return
    assert full_loss is not None
    title_loss_nats = sum_by_title(full_loss, data.streams.title_num_tokens)
    save_title_losses(request.out / TITLE_LOSSES_NAME, data, title_loss_nats)
    record.save(
        "complete",
        final_weights_sha256=compute_weights_sha256(state.model),
        **{key: compute_file_sha256(request.out / name) for name, key in HASHED_FILES.items()},
        peak_memory_bytes=measure_peak_memory_bytes(device),
    )
    checkpoints.remove()


def _load_stored(request: RunRequest) -> dict[str, Any] | None:
    """The record of the run that is to go on, or None where there is none; `RequestError` without `--resume`."""
    if not (request.out / FILE_NAME).exists():
        return None
    if not request.resume:
        raise RequestError(f"{request.out} holds a run already. Continue it with --resume or choose another --out.")
    return load_run_record(request.out)


def _count_steps_until_read(state: TrainingState, evaluation_steps: Collection[int], last_step: int) -> int:
    """How many steps the device may take before their losses are read."""
    next_stop = min(step for step in (*evaluation_steps, last_step) if step > state.step)
    return min(next_stop - state.step, STEPS_AT_ONCE[state.device.type])


def _measure(state: TrainingState, validation_ids: Tensor, data: PreparedData) -> tuple[Evaluation, FullLoss | None]:
    config = state.config
    with state.autocast():
        evaluation = evaluate(
            state.model,
            validation_ids,
            block_size=config.block_size,
            batch_size=config.batch_size,
            num_chars=data.num_chars,
        )
        if state.step not in data.sizes.full_loss_steps:
            return evaluation, None
        return evaluation, compute_full_loss(
            state.model, validation_ids, block_size=config.block_size, num_chars=data.num_chars
        )


def _fail(record: RunRecord, what: str, step: int) -> NoReturn:
    reason = f"{what} at step {step}"
    record.save("failed", reason=reason)
    raise RunError(f"The run cannot go on: {reason}. What was measured before it is kept.")


def _write_opening_events(
    journal: Journal, request: RunRequest, config: Config, data: PreparedData, record: RunRecord, num_parameters: int
) -> None:
    journal.write(
        "hyperparameters_configured",
        **record.values["config"],
        lr=config.learning_rate,
        val_frac=config.val_fraction,
        seed=request.seed,
        recipe=request.recipe,
        preset=request.preset,
        settings=request.settings,
    )
    journal.write("device_info", **record.values["machine"])
    journal.write(
        "dataset_info",
        titles_count=len(data.corpus.train_titles),
        epochs=config.epochs,
        batches_per_epoch=data.sizes.steps_per_epoch,
        tokens_per_epoch=len(data.streams.train_ids),
        vocab_size=data.streams.tokenizer.vocab_size,
        num_validation_tokens=len(data.streams.validation_ids),
        num_validation_chars=data.num_chars,
        tokenizer_trained_on=TOKENIZER_TRAINED_ON,
        **asdict(data.corpus.record),
    )
    journal.write("model_info", parameters_count=num_parameters, training_flops=data.sizes.training_flops)


def _write_training_step(journal: Journal, result: StepResult, max_steps: int, wall_elapsed_s: float) -> None:
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


def _write_validation_step(
    journal: Journal, progress: Progress, state: TrainingState, num_tokens: int, wall_elapsed_s: float
) -> None:
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
        train_elapsed_s=state.train_elapsed_s,
    )
