"""One run from start to end: set up or resumed, trained, evaluated as the rules of the task say, written down."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from mainrun.data.batches import build_batches
from mainrun.data.streams import PreparedData, prepare_data
from mainrun.devices import choose_device, choose_precision, choose_products
from mainrun.metric.evaluate import evaluate
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
from mainrun.record.events import Progress, write_opening_events, write_training_step, write_validation_step
from mainrun.record.files import atomic_write, compute_file_sha256, make_folder, save_json
from mainrun.record.identity import check_beside, check_identity, compute_identity
from mainrun.record.journal import Journal
from mainrun.record.run_record import (
    FILE_NAME,
    HASHED_FILES,
    JOURNAL_NAME,
    TITLE_LOSSES_NAME,
    TOKENIZER_NAME,
    WEIGHTS_NAME,
    RunRecord,
    RunRequest,
    load_run_record,
)
from mainrun.record.title_losses import save_title_losses
from mainrun.step import STEPS_AT_ONCE, TrainingState

CHECKPOINT_FOLDER = "checkpoint"


def train(request: RunRequest) -> Iterator[Progress]:
    """Runs one training in the folder `request.out`, giving each evaluation as it is made; none where it is complete.

    Raises `RequestError` for a wrong request, `RunError` where a loss is not finite, `StoredResultsError` where a
    checkpoint cannot be continued, `MachineError` where the machine refuses a file.
    """
    run = _set_up(request)
    if run is None:
        return
    state, sizes, last_step = run.state, run.data.sizes, run.last_step
    with run.open_journal() as journal:
        while state.step < last_step:
            next_stop = min(step for step in (*sizes.evaluation_steps, last_step) if step > state.step)
            num_steps = min(next_stop - state.step, STEPS_AT_ONCE[state.device.type])
            for result in state.take_steps(run.batches, sizes.max_steps, num_steps):
                losses = {"training loss": result.loss_nats_per_token, "gradient norm": result.grad_norm}
                run.refuse_non_finite(losses, ", ", result.step)
                since_s = state.train_elapsed_s - result.train_elapsed_s
                write_training_step(journal, result, sizes.max_steps, run.wall_elapsed_s - since_s)
            if state.step in sizes.evaluation_steps:
                progress = run.measure()
                num_tokens = len(run.validation_ids)
                write_validation_step(journal, progress, num_tokens, run.wall_elapsed_s, state.train_elapsed_s)
                yield progress
            if run.checkpoints.is_due() and state.step < last_step:
                run.save_checkpoint(journal)
    run.conclude()


def _set_up(request: RunRequest) -> _Run | None:
    """The run at its beginning, or where it stands already; None where it is complete.

    Nothing is written where it is refused.
    """
    config = build_named_config(request.recipe, request.preset, request.settings)
    device = choose_device(request.device)
    precision = choose_precision(request.precision, device)
    choose_products(device)
    stored = _load_stored(request)
    data = prepare_data(config, request.source)
    machine = describe_machine(device, precision)
    if request.commit is not None:
        machine |= {"commit": request.commit, "tree": request.tree}
    record = RunRecord(request, config, data, machine, compute_source_sha256())
    identity = compute_identity(record.values)
    if request.beside:
        check_beside(request.beside, record.values)
    if stored:
        check_identity(compute_identity(stored), identity)
    make_folder(request.out)
    folder = request.out / CHECKPOINT_FOLDER
    checkpoints = CheckpointFolder(folder, request.checkpoint_every_s, keep=request.keep_checkpoints)
    if stored and stored["status"] == "complete":
        checkpoints.remove()  # where the run was killed between its last two acts
        return None
    state = TrainingState.build(config, data.streams.tokenizer.vocab_size, request.seed, device, precision)
    record.values["initial_weights_sha256"] = compute_weights_sha256(state.model)
    checkpoint = checkpoints.load() if request.resume else None
    if checkpoint:
        check_identity(checkpoint["identity"], identity)
        state.restore(checkpoint)
    return _Run(request, data, record, identity, state, checkpoints, checkpoint)


@dataclass(eq=False)
class _Run:
    """A run that is not complete: what it is made of, and what it does beside its steps."""

    request: RunRequest
    data: PreparedData
    record: RunRecord
    identity: dict[str, Any]
    state: TrainingState
    checkpoints: CheckpointFolder
    checkpoint: dict[str, Any] | None
    """The one that `state` was restored from."""
    full_loss: FullLoss | None = None
    """The last one measured."""

    def __post_init__(self) -> None:
        self.kept, self.resumed = _continue_lists(self.checkpoint)
        if self.resumed:
            self.record.values["resumed"] = self.resumed
        max_steps, stop_after = self.data.sizes.max_steps, self.request.stop_after
        self.last_step = max_steps if stop_after is None else min(max_steps, stop_after)
        streams, device, config = self.data.streams, self.state.device, self.state.config
        train_ids = torch.from_numpy(streams.train_ids).long().to(device)
        self.validation_ids = torch.from_numpy(streams.validation_ids).long().to(device)
        order, batch_size = config.training.order, config.training.batch_size
        self.batches = build_batches(order, train_ids, config.model.block_size, batch_size, self.request.seed)
        self._wall_start = time.perf_counter()

    @property
    def wall_elapsed_s(self) -> float:
        """Since the run began, without the time between a kill and its resumption."""
        return time.perf_counter() - self._wall_start

    @contextmanager
    def open_journal(self) -> Iterator[Journal]:
        """The run's journal, with its first events or that of its resumption written."""
        checkpoint = self.checkpoint
        with Journal(self.request.out / JOURNAL_NAME, checkpoint["journal_bytes"] if checkpoint else 0) as journal:
            self.record.save("running")
            save_json(self.request.out / TOKENIZER_NAME, self.data.streams.tokenizer.to_json())
            if checkpoint:
                gap_s = max(0.0, time.time() - checkpoint["saved_at"])
                journal.write("run_resumed", step=self.state.step, gap_s=gap_s, checkpoint_sha256=checkpoint["sha256"])
            else:
                num_parameters = sum(parameter.numel() for parameter in self.state.model.parameters())
                write_opening_events(journal, self.request, self.data, self.record.values, num_parameters)
            self._wall_start = time.perf_counter() - (checkpoint["wall_elapsed_s"] if checkpoint else 0.0)
            yield journal
            journal.sync()

    def refuse_non_finite(self, measured: dict[str, float], between: str, step: int) -> None:
        """Ends the run as failed, with `RunError`, where a value is not finite; `between` parts their texts."""
        if all(map(math.isfinite, measured.values())):
            return
        reason = f"{between.join(f'{name} {value}' for name, value in measured.items())} at step {step}"
        self.record.save("failed", reason=reason)
        raise RunError(f"The run cannot go on: {reason}. What was measured before it is kept.")

    def measure(self) -> Progress:
        """The frozen evaluation, and the full loss where it is due."""
        state, num_chars, sizes = self.state, self.data.num_chars, self.data.sizes
        block_size, batch_size = state.config.model.block_size, state.config.training.batch_size
        full_loss = None
        with state.autocast():
            evaluation = evaluate(
                state.model, self.validation_ids, block_size=block_size, batch_size=batch_size, num_chars=num_chars
            )
            if state.step in sizes.full_loss_steps:
                full_loss = compute_full_loss(
                    state.model, self.validation_ids, block_size=block_size, num_chars=num_chars
                )
        losses = {"validation loss": evaluation.loss_nats_per_char}
        if full_loss:
            self.full_loss = full_loss
            losses["full loss"] = full_loss.loss_nats_per_char
        self.refuse_non_finite(losses, " and ", state.step)
        return Progress(state.step, sizes.max_steps, evaluation, full_loss)

    def save_checkpoint(self, journal: Journal) -> None:
        """The whole state, and how far the journal belongs to it."""
        own: dict[str, Any] = {
            "identity": self.identity,
            "journal_bytes": journal.sync(),
            "wall_elapsed_s": self.wall_elapsed_s,
            "saved_at": time.time(),
            "kept": self.kept,
            "resumed": self.resumed,
        }
        digest = self.checkpoints.save(self.state.to_checkpoint() | own)
        self.kept = [*self.kept, _describe_checkpoint(self.state.step, digest)]

    def conclude(self) -> None:
        """Writes what is known at the end of a run, or that it was stopped before it."""
        out, streams = self.request.out, self.data.streams
        if self.last_step < self.data.sizes.max_steps:
            self.record.save("stopped", reason=f"stopped after step {self.state.step}")
            return
        assert self.full_loss is not None
        title_loss_nats = sum_by_title(self.full_loss, streams.title_num_tokens)
        save_title_losses(out / TITLE_LOSSES_NAME, self.data, title_loss_nats)
        if self.request.keep_checkpoints:
            self.record.values["checkpoints"] = self.kept
        if self.request.keep_weights:
            with atomic_write(out / WEIGHTS_NAME) as file:
                torch.save(self.state.model.state_dict(), file)
        self.record.save(
            "complete",
            final_weights_sha256=compute_weights_sha256(self.state.model),
            **{key: compute_file_sha256(out / name) for name, key in HASHED_FILES.items()},
            peak_memory_bytes=measure_peak_memory_bytes(self.state.device),
        )
        self.checkpoints.remove()


def _describe_checkpoint(step: int, digest: str) -> dict[str, Any]:
    return {"step": step, "sha256": digest, "path": f"{CHECKPOINT_FOLDER}/{digest}.pt"}


def _continue_lists(checkpoint: dict[str, Any] | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The checkpoints that were made by now, and the resumptions, with the one from `checkpoint`."""
    if checkpoint is None:
        return [], []
    step, digest = checkpoint["step"], checkpoint["sha256"]
    resumed = {"step": step, "checkpoint_sha256": digest}
    return [*checkpoint.get("kept", []), _describe_checkpoint(step, digest)], [*checkpoint.get("resumed", []), resumed]


def _load_stored(request: RunRequest) -> dict[str, Any] | None:
    """The record of the run that is to go on, or None where there is none; `RequestError` without `--resume`."""
    if not (request.out / FILE_NAME).exists():
        return None
    if not request.resume:
        raise RequestError(f"{request.out} holds a run already. Continue it with --resume or choose another --out.")
    return load_run_record(request.out)
