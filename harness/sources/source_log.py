"""What every importer reads a source into: events in our journal's words, and notes on what was done to them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.store.journals import NOTE, Event

LossUnit = Literal["nats_per_char", "nats_per_token"]
LOSS_UNITS: tuple[LossUnit, ...] = ("nats_per_char", "nats_per_token")


@dataclass(frozen=True)
class SourceLog:
    """What a source was read into."""

    events: list[Event]
    """Normalized, headers first, then steps in order, each with the `line` it came from."""
    notes: list[str]
    """All that was ignored, left out or read otherwise than it is written."""
    status: str
    """`imported`, or `stopped` or `failed` for what cannot be compared."""
    reason: str | None
    """Why it cannot be compared."""

    def to_journal(self) -> list[Event]:
        """The journal as it is stored: the events, and then the notes."""
        return [*self.events, *({"event": NOTE, "timestamp": None, "text": note} for note in self.notes)]


@dataclass(frozen=True)
class Importer:
    """One format: which sources are of it, and how they are read."""

    kind: str
    """As plans and records name it."""
    words: str
    """As a sentence names a source of it: `the log`."""
    stored_name: str
    """Under which name the bytes are kept in a run's folder; of a source of several files, the folder's."""
    claims: Callable[[Path], bool]
    """Whether the content of a file or folder is of this format; `OSError` where it cannot be read."""
    read: Callable[[Path, str, LossUnit | None], SourceLog]
    """Reads path, name as shown and unit; the same bytes always give the same. `RequestError` with file and place."""
    suffixes: frozenset[str] = frozenset()
    """Ends of names that are taken for this format where no importer knows the content."""
