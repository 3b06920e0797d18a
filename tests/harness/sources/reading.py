"""Reading one source as `compare --from` does, for tests that look at nothing else."""

from pathlib import Path

from harness.sources.find import find_sources, read_source
from harness.sources.source_log import LossUnit, SourceLog

CASES = Path(__file__).parent / "cases"
Losses = dict[int, float]


def read(path: Path, unit: LossUnit | None = "nats_per_char") -> SourceLog:
    """The one source that a path leads to; what cannot be judged has failed."""
    (source,) = find_sources([str(path)], unit)
    return read_source(source)


def read_text(folder: Path, name: str, content: str | bytes) -> SourceLog:
    """A source of that name and content."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path)


def get_losses(log: SourceLog, kind: str = "validation_step") -> Losses:
    """Loss by step, in order."""
    return {event["step"]: event["loss"] for event in log.events if event["event"] == kind}


def get_last(log: SourceLog) -> tuple[int, float] | None:
    """Step and loss of the last evaluation of a run that can be judged."""
    losses = get_losses(log)
    return (max(losses), losses[max(losses)]) if log.status == "imported" else None
