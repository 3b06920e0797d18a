"""The training loop: one run of one configuration, measured as the rules of the task say."""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from mainrun.checkpoint import CheckpointFolder
from mainrun.config import Config, unknown_name
from mainrun.errors import RequestError, RunError, StoredResultsError
from mainrun.evaluate import evaluate
from mainrun.files import compute_file_sha256, make_folder, save_json
from mainrun.full_loss import FullLoss, compute_full_loss
from mainrun.journal import Journal
from mainrun.model import GPT, init_weights
from mainrun.optimizers import OPTIMIZERS, clip_gradients, set_learning_rate
from mainrun.prepare import PreparedData, prepare_data
from mainrun.provenance import (
    compute_source_sha256,
    compute_weights_sha256,
    describe_machine,
    measure_peak_memory_bytes,
)
from mainrun.recipes import build_named_config
from mainrun.run_record import (
    FILE_NAME,
    JOURNAL_NAME,
    TITLE_LOSSES_NAME,
    TOKENIZER_NAME,
    RunRecord,
    RunRequest,
    find_identity_change,
    load_run_record,
)
from mainrun.schedules import SCHEDULES
from mainrun.title_losses import save_title_losses


@dataclass(frozen=True)
class Progress:
    """One evaluation of a run that goes on, for whoever watches."""

    step: int
    max_steps: int
    loss_nats_per_char: float
    full_loss_nats_per_char: float | None


def train(request: RunRequest) -> Iterator[Progress]:
    """Runs one training in the folder `request.out`, giving each evaluation as it is made.

    Raises `RequestError` for a wrong request, `RunError` where the loss is not finite, `StoredResultsError` where
    a checkpoint cannot be continued, `MachineError` where the machine refuses a file or lacks the device.
    """
    folder = request.out
    if (folder / FILE_NAME).exists():
        if not request.resume:
            raise RequestError(f"{folder} holds a run already. Continue it with --resume or choose another --out.")
        if load_run_record(folder)["status"] == "complete":
            return
    config = build_named_config(request.recipe, request.preset, request.settings)
    _check_names(config)
    device = _choose_device(request.device)
    data = prepare_data(config, request.source)
    make_folder(folder)
    record = RunRecord(request, config, data, describe_machine(device), compute_source_sha256())

    vocab_size = data.streams.tokenizer.vocab_size
    model = GPT(config, vocab_size)
    init_weights(model, request.seed)
    record.values["initial_weights_sha256"] = compute_weights_sha256(model)
    model.to(device)
    optimizer = OPTIMIZERS[config.optimizer](model.parameters(), config)
    torch.manual_seed(request.seed)

    checkpoints = CheckpointFolder(folder / "checkpoint", request.checkpoint_every_s)
    state = checkpoints.load() if request.resume else None
    step = ptr = journal_bytes = 0
    train_elapsed_s = wall_elapsed_s = 0.0
    if state:
        refusal = find_identity_change(state["identity"], record.identity())
        if refusal:
            raise refusal
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        _restore_generators(state["generators"])
        step, ptr, journal_bytes = state["step"], state["ptr"], state["journal_bytes"]
        train_elapsed_s, wall_elapsed_s = state["train_elapsed_s"], state["wall_elapsed_s"]
        if (folder / JOURNAL_NAME).stat().st_size < journal_bytes:
            raise StoredResultsError(f"{folder / JOURNAL_NAME} is shorter than its checkpoint says it was.")

    record.save("running")
    save_json(folder / TOKENIZER_NAME, data.streams.tokenizer.to_json())
    train_ids = torch.from_numpy(data.streams.train_ids).long().to(device)
    validation_ids = torch.from_numpy(data.streams.validation_ids).long().to(device)
    sizes, max_steps = data.sizes, data.sizes.max_steps
    last_step = max_steps if request.stop_after is None else min(max_steps, request.stop_after)
    full_loss: FullLoss | None = None

    with Journal(folder / JOURNAL_NAME, journal_bytes) as journal:
        if state:
            journal.write("run_resumed", step=step, gap_s=max(0.0, time.time() - state["saved_at"]))
        else:
            _write_opening_events(journal, request, config, data, record)
        wall_start = time.perf_counter() - wall_elapsed_s
        model.train()
        while step < last_step:
            step += 1
            step_start = time.perf_counter()
            inputs, targets, ptr = read_batch(train_ids, ptr, config.block_size, config.batch_size)
            learning_rate = config.learning_rate * SCHEDULES[config.schedule](step, max_steps, config)
            set_learning_rate(optimizer, learning_rate)
            with _precision(device):
                loss = model.compute_loss(inputs, targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not type backward
            grad_norm = clip_gradients(model.parameters(), config.grad_clip)
            optimizer.step()
            loss_nats, norm = loss.item(), grad_norm.item()
            train_elapsed_s += time.perf_counter() - step_start
            if not (math.isfinite(loss_nats) and math.isfinite(norm)):
                reason = f"Training loss {loss_nats} and gradient norm {norm} at step {step} of {max_steps}"
                record.save("failed", reason=reason)
                raise RunError(f"{reason}: the run cannot go on. What it measured before is in {folder}.")
            journal.write(
                "training_step",
                step=step,
                max_steps=max_steps,
                loss=loss_nats,
                elapsed_time=time.perf_counter() - wall_start,
                prnt=False,
                learning_rate=learning_rate,
                grad_norm=norm,
                train_elapsed_s=train_elapsed_s,
            )
            if step in sizes.evaluation_steps:
                with _precision(device):
                    evaluation = evaluate(
                        model,
                        validation_ids,
                        block_size=config.block_size,
                        batch_size=config.batch_size,
                        num_chars=data.num_chars,
                    )
                    full_loss = None
                    if step in sizes.full_loss_steps:
                        full_loss = compute_full_loss(
                            model, validation_ids, block_size=config.block_size, num_chars=data.num_chars
                        )
                progress = Progress(
                    step,
                    max_steps,
                    evaluation.loss_nats_per_char,
                    full_loss.loss_nats_per_char if full_loss else None,
                )
                if not math.isfinite(progress.loss_nats_per_char):
                    reason = f"Validation loss {progress.loss_nats_per_char} at step {step} of {max_steps}"
                    record.save("failed", reason=reason)
                    raise RunError(f"{reason}: the run cannot go on. What it measured before is in {folder}.")
                journal.write(
                    "validation_step",
                    step=step,
                    max_steps=max_steps,
                    loss=progress.loss_nats_per_char,
                    elapsed_time=time.perf_counter() - wall_start,
                    num_spans=len(evaluation.span_loss_nats),
                    span_loss_nats=evaluation.span_loss_nats,
                    num_chars=evaluation.num_chars,
                    num_tokens=len(validation_ids),
                    full_loss_nats_per_char=progress.full_loss_nats_per_char,
                    train_elapsed_s=train_elapsed_s,
                )
                yield progress
            if checkpoints.is_due() and step < last_step:
                checkpoints.save(
                    {
                        "identity": record.identity(),
                        "step": step,
                        "ptr": ptr,
                        "journal_bytes": journal.sync(),
                        "train_elapsed_s": train_elapsed_s,
                        "wall_elapsed_s": time.perf_counter() - wall_start,
                        "saved_at": time.time(),
                        "generators": _store_generators(),
                        "model": model.state_dict(),
                        "optimizer": optimizer.state_dict(),
                    }
                )
        journal.sync()

    if last_step < max_steps:
        record.save("stopped", reason=f"--stop-after {last_step}")
        return
    assert full_loss is not None
    save_title_losses(folder / TITLE_LOSSES_NAME, data, full_loss)
    record.save(
        "complete",
        final_weights_sha256=compute_weights_sha256(model),
        mainrun_log_sha256=compute_file_sha256(folder / JOURNAL_NAME),
        title_losses_sha256=compute_file_sha256(folder / TITLE_LOSSES_NAME),
        peak_memory_bytes=measure_peak_memory_bytes(device),
    )
    checkpoints.remove()


def read_batch(ids: Tensor, ptr: int, block_size: int, batch_size: int) -> tuple[Tensor, Tensor, int]:
    """Inputs (B, T), targets (B, T) and the next position; begins again at 0 where no whole read is left in `ids` (n,)."""
    num_targets = block_size * batch_size
    if ptr + num_targets + 1 > len(ids):
        ptr = 0
    read = ids[ptr : ptr + num_targets + 1]
    return read[:-1].view(batch_size, block_size), read[1:].view(batch_size, block_size), ptr + num_targets


def _write_opening_events(
    journal: Journal, request: RunRequest, config: Config, data: PreparedData, record: RunRecord
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
        **asdict(data.corpus.record),
    )
    journal.write("model_info", parameters_count=data.sizes.num_parameters, training_flops=data.sizes.training_flops)


def _check_names(config: Config) -> None:
    if config.optimizer not in OPTIMIZERS:
        raise unknown_name("optimizer", config.optimizer, OPTIMIZERS)
    if config.schedule not in SCHEDULES:
        raise unknown_name("schedule", config.schedule, SCHEDULES)


def _choose_device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise RequestError("--device cuda was asked for, but torch finds no CUDA device here. Use --device auto.")
    return torch.device(name)


def _precision(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def _store_generators() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _restore_generators(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
