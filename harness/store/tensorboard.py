"""TensorBoard event files, made from journal events and read back: the only module that imports tensorboard, once it
is needed, so that a PDF need not wait for it.

Times are the journal's and the file name holds no host, so that a file can be made again byte for byte.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.store.journals import Event
from harness.store.measurements import compute_full_loss_per_token, compute_perplexity
from mainrun.record.files import make_folder, unwritable

FOLDER = Path("logs") / "tensorboard"
"""In a comparison; each run has a folder in it."""

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
            self._write_events(events)
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

    def _write_events(self, events: Iterable[Event]) -> None:
        for event in events:
            match event["event"]:
                case "hyperparameters_configured":
                    if type(event.get("block_size")) is int and type(event.get("batch_size")) is int:
                        self._tokens_per_step = event["block_size"] * event["batch_size"]
                case "run_resumed":
                    self._train_elapsed_s = None
                case "training_step":
                    self._write_scalars(event, _select(event, _TRAINING) | self._measure_speed(event))
                case "validation_step":
                    self._write_scalars(event, _select(event, _VALIDATION) | _compute_perplexity(event))

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


def load_scalars(folder: Path) -> dict[str, list[tuple[int, float, float | None]]]:
    """Step, value and Unix seconds of every scalar of the event files in `folder`, by tag; all are kept."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    tags = accumulator.Tags()["scalars"]
    return {tag: [(point.step, point.value, point.wall_time) for point in accumulator.Scalars(tag)] for tag in tags}


def _select(event: Event, tags: dict[str, str]) -> dict[str, float]:
    return {tag: event[field] for field, tag in tags.items() if event.get(field) is not None}


def _compute_perplexity(event: Event) -> dict[str, float]:
    loss_nats_per_token = compute_full_loss_per_token(event)
    perplexity = None if loss_nats_per_token is None else compute_perplexity(loss_nats_per_token)
    return {} if perplexity is None else {"validation/perplexity_per_token": perplexity}
