"""Facts of a run that its source does not state and the user gives: they are stored with it, and never replace any."""

from dataclasses import asdict, dataclass, replace

from harness.sources.source_log import SourceLog
from harness.store.facts import read_facts
from harness.store.journals import MAX_COUNT, Event
from mainrun.record.errors import RequestError

_FACTS = {
    "block_size": ("--block-size", "hyperparameters_configured", "block_size", "block_size"),
    "batch_size": ("--batch-size", "hyperparameters_configured", "batch_size", "evaluation_batch_size"),
    "num_train_tokens": ("--train-tokens", "dataset_info", "tokens_per_epoch", "num_train_tokens"),
    "num_validation_tokens": ("--validation-tokens", "dataset_info", "num_validation_tokens", "num_validation_tokens"),
}
"""Of each fact its option, the event and field that state it in a journal, and what `read_facts` calls it."""


@dataclass(frozen=True)
class Given:
    """What the user says of sources that do not say it themselves; None is not said."""

    block_size: int | None = None
    batch_size: int | None = None
    """Of training and evaluation."""
    num_train_tokens: int | None = None
    num_validation_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not (type(value) is int and 0 < value < MAX_COUNT):
                raise RequestError(f"{_FACTS[name][0]} takes a number from 1 on, not {value}.")

    def to_json(self) -> dict[str, int]:
        """What was said, as a plan stores it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def to_options(self) -> list[str]:
        """What was said, as it is typed."""
        return [word for name, value in self.to_json().items() for word in (_FACTS[name][0], str(value))]

    def give_way_to(self, other: "Given") -> "Given":
        """What the other says, and what it does not say as it is said here."""
        return Given(**{**self.to_json(), **other.to_json()})

    def add_to(self, log: SourceLog) -> SourceLog:
        """The log with what it lacks, as events before its own; a note says which facts are given and which unused."""
        if not self.to_json():
            return log
        facts = read_facts(log.events)
        events: dict[str, Event] = {}
        used, unused = [], []
        for name, value in self.to_json().items():
            option, event, field, fact = _FACTS[name]
            stated = getattr(facts, fact)
            # Of one that is stated twice and in contradiction there is no fact.
            is_stated = any(entry["event"] == event and entry.get(field) is not None for entry in log.events)
            if stated is None and not is_stated:
                events.setdefault(event, {"event": event, "timestamp": None})[field] = value
                used.append(f"{field} {value:,}")
            elif stated != value:
                unused.append(f"{option} {value:,} is not used: the source itself states {field}")
        notes = [f"given on the command line and not by the source: {', '.join(used)}"] if used else []
        return replace(log, events=[*events.values(), *log.events], notes=[*log.notes, *notes, *unused])


NOTHING_GIVEN = Given()
