"""TensorBoard event files, made from journal events and read back: the only module that imports tensorboard, once it
is needed, so that a PDF need not wait for it.

Times are the journal's and the file name holds no host, so that a file can be made again byte for byte.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.store.journals import Event
from harness.store.measurements import compute_full_loss_per_token, compute_perplexity
from mainrun.record.errors import RequestError
from mainrun.record.files import make_folder, unwritable

FOLDER = Path("logs") / "tensorboard"
"""In a comparison; each run has a folder in it."""
HEAD_BYTES, TAIL_BYTES = 12, 4
"""Of a record: its length with a checksum before it, the checksum of its bytes behind it."""
MAX_RECORD_BYTES = 1024**2
"""A longer record is a picture's or a graph's, and is passed over."""

_TRAINING = {
    "loss": "train/loss_nats_per_token",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
}
_VALIDATION = {
    "loss": "validation/frozen_loss_nats_per_char",
    "full_loss_nats_per_char": "validation/full_loss_nats_per_char",
}


class TensorBoardLog:
    """One run's event file, written anew and flushed with every batch of events."""

    def __init__(self, folder: Path) -> None:
        """Raises `MachineError` where the file cannot be written, as `write` and `close` do."""
        from tensorboard.compat.proto.event_pb2 import Event as ProtoEvent
        from tensorboard.summary.writer.record_writer import RecordWriter

        make_folder(folder)
        self._path = folder / "events.out.tfevents.0.run"
        self._tokens_per_step: int | None = None
        self._train_elapsed_s: float | None = None
        with self._refusals():
            for older in folder.glob("events.out.tfevents.*"):
                older.unlink()
            self._file = self._path.open("wb")
            self._writer = RecordWriter(self._file)
            self._writer.write(ProtoEvent(file_version="brain.Event:2").SerializeToString())

    def write(self, events: Iterable[Event]) -> None:
        """Appends the scalars of journal events."""
        with self._refusals():
            for event in events:
                self._write_event(event)
            self._file.flush()

    def close(self) -> None:
        with self._refusals():
            self._file.close()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self._path, error) from error

    def _write_event(self, event: Event) -> None:
        match event["event"]:
            case "hyperparameters_configured":
                if type(event.get("block_size")) is int and type(event.get("batch_size")) is int:
                    self._tokens_per_step = event["block_size"] * event["batch_size"]
            case "run_resumed":
                self._train_elapsed_s = None
            case "training_step":
                self._write_scalars(event, _select(event, _TRAINING) | self._measure_speed(event))
            case "validation_step":
                perplexity = compute_perplexity(compute_full_loss_per_token(event))
                measured = {} if perplexity is None else {"validation/perplexity_per_token": perplexity}
                self._write_scalars(event, _select(event, _VALIDATION) | measured)

    def _measure_speed(self, event: Event) -> dict[str, float]:
        before, self._train_elapsed_s = self._train_elapsed_s, event.get("train_elapsed_s")
        if before is None or self._train_elapsed_s is None or self._tokens_per_step is None:
            return {}
        spent_s = self._train_elapsed_s - before
        return {"train/tokens_per_s": self._tokens_per_step / spent_s} if spent_s > 0 else {}

    def _write_scalars(self, event: Event, scalars: dict[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event as ProtoEvent
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        # A journal made from a log without times has none to give.
        proto = ProtoEvent(wall_time=event["timestamp"] or 0.0, step=event["step"], summary=Summary(value=values))
        self._writer.write(proto.SerializeToString())


@dataclass(frozen=True)
class Scalar:
    """One value of an event file."""

    tag: str
    step: int
    value: float
    wall_time: float
    """Unix seconds; 0 where the writer gave none."""


def load_scalars(path: Path, name: str) -> tuple[list[Scalar], list[str]]:
    """Every scalar of an event file in the order in which it was written, and notes; `name` is how they call the file.

    Raises `RequestError` with the record where the file is damaged. One that ends within a record, as of a writer that
    was stopped, is read up to there.
    """
    from tensorboard.compat.proto.event_pb2 import Event as ProtoEvent

    scalars: list[Scalar] = []
    notes: list[str] = []
    for number, record in enumerate(_read_records(path, name, notes), 1):
        try:
            event = ProtoEvent.FromString(record)
        except Exception:  # protobuf has its own error, and its name changes with the implementation
            raise RequestError(f"{name}, record {number:,}: it is no event of TensorBoard.") from None
        for value in event.summary.value:
            number_in_it = _read_scalar(value)
            if number_in_it is not None:
                scalars.append(Scalar(value.tag, event.step, number_in_it, event.wall_time))
    return scalars, notes


def _read_records(path: Path, name: str, notes: list[str]) -> Iterator[bytes]:
    """The records of a file, each with both of its checksums."""
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    size = path.stat().st_size
    with path.open("rb") as file:
        number = 0
        while head := file.read(HEAD_BYTES):
            number += 1
            where = f"{name}, record {number:,}: the record is damaged"
            length = 0
            if len(head) == HEAD_BYTES:
                length, checksum = struct.unpack("<QI", head)
                if masked_crc32c(head[:8]) != checksum:
                    raise RequestError(f"{where}; its length does not have its checksum.")
            if len(head) < HEAD_BYTES or size - file.tell() < length + TAIL_BYTES:
                notes.append(f"{name} ends within its record {number:,}; what stands before it is read")
                return
            if length > MAX_RECORD_BYTES:
                file.seek(length + TAIL_BYTES, os.SEEK_CUR)
                continue
            record, tail = file.read(length), file.read(TAIL_BYTES)
            if masked_crc32c(record) != struct.unpack("<I", tail)[0]:
                raise RequestError(f"{where}; its bytes do not have their checksum.")
            yield record


def _read_scalar(value: Any) -> float | None:
    """A scalar as older and newer writers store it, or None for anything else."""
    from tensorboard.util.tensor_util import make_ndarray

    if value.WhichOneof("value") == "simple_value":
        return float(value.simple_value)
    plugin = value.metadata.plugin_data.plugin_name
    if value.WhichOneof("value") != "tensor" or plugin not in ("", "scalars") or value.tensor.string_val:
        return None
    array = make_ndarray(value.tensor)
    return float(array.item()) if array.size == 1 and array.dtype.kind in "fiu" else None


def _select(event: Event, tags: dict[str, str]) -> dict[str, float]:
    return {tag: event[field] for field, tag in tags.items() if event.get(field) is not None}
