"""What a normalized journal states about its run: sizes, seed, fingerprints; contradictions are named, not settled."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.sources.lines import HEADERS, MAX_COUNT, quote
from harness.store.journals import Event

_COUNTS = {
    "block_size": ("block_size", "context_length"),
    "vocab_size": ("vocab_size",),
    "num_train_tokens": ("tokens_per_epoch",),
    "epochs": ("epochs",),
    "num_parameters": ("parameters_count", "num_parameters", "parameters"),
    "num_validation_tokens": ("num_validation_tokens", "num_tokens"),
    "num_validation_chars": ("num_validation_chars", "num_chars"),
    "num_train_titles": ("titles_count",),
    "num_titles": ("num_titles",),
}
_EVALUATION_BATCH = ("eval_batch_size", "evaluation_batch_size", "val_batch_size")
_LATER_WINS = frozenset({"vocab_size"})
"""Asked for in the configuration, and known once the tokenizer is made."""


@dataclass
class LogFacts:
    """Counts are None where the log does not give them, or gives two."""

    block_size: int | None = None
    training_batch_size: int | None = None
    evaluation_batch_size: int | None = None
    vocab_size: int | None = None
    num_train_tokens: int | None = None
    steps_per_epoch: int | None = None
    epochs: int | None = None
    seed: int | None = None
    val_fraction: float | None = None
    num_parameters: int | None = None
    num_validation_tokens: int | None = None
    num_validation_chars: int | None = None
    num_train_titles: int | None = None
    num_titles: int | None = None
    num_spans: int | None = None
    """As the log itself states it at every evaluation."""
    train_sha256: str | None = None
    validation_sha256: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    """The hyperparameters as logged."""
    notes: list[str] = field(default_factory=list)


def read_facts(events: Sequence[Event]) -> LogFacts:
    """The facts of one normalized journal."""
    facts = LogFacts()
    headers = [event for event in events if event["event"] in HEADERS]
    evaluations = [event for event in events if event["event"] == "validation_step"]
    for name, keys in _COUNTS.items():
        sources = [*headers, *(evaluations if name.startswith("num_validation") else ())]
        values = _collect_counts(sources, keys, facts.notes)
        setattr(facts, name, _settle(name, values, facts.notes))
    facts.num_spans = _settle("num_spans", _collect_counts(evaluations, ("num_spans",), []), facts.notes)
    _read_batches(facts, headers)
    facts.steps_per_epoch = _read_steps_per_epoch(headers, facts.notes)
    for event in headers:
        if event["event"] == "hyperparameters_configured":
            skipped = ("event", "timestamp", "line", "config")
            facts.config = {key: value for key, value in event.items() if key not in skipped}
        if type(event.get("seed")) is int and 0 <= event["seed"] < 2**63:
            facts.seed = event["seed"]
        fraction = event.get("val_frac", event.get("val_fraction"))
        if type(fraction) is float and 0 < fraction < 1:
            facts.val_fraction = fraction
        for key in ("train_sha256", "validation_sha256"):
            if isinstance(event.get(key), str):
                setattr(facts, key, event[key])
    if facts.vocab_size is not None and "vocab_size" in facts.config:
        facts.config["vocab_size"] = facts.vocab_size
    averaged = sum("is_averaged" in event for event in evaluations)
    if averaged:
        facts.notes.append(f"{averaged:,} of {len(evaluations):,} evaluations are marked as of averaged weights (ema)")
    return facts


def _collect_counts(events: Iterable[Event], keys: tuple[str, ...], notes: list[str]) -> list[int]:
    found = []
    for event in events:
        for key in keys:
            value = event.get(key)
            if value is None:
                continue
            if type(value) is int and 0 < value < MAX_COUNT:
                found.append(value)
            else:
                where = f"line {event['line']:,}" if "line" in event else event["event"]
                notes.append(f"{key} is {quote(value)} ({where}), no count, and is not used")
    return found


def _settle(name: str, values: list[int], notes: list[str]) -> int | None:
    """The one value, or None where there is none or more than one."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) > 1 and name in _LATER_WINS:
        notes.append(f"{name} is given as {' and '.join(map(str, distinct))}; the last one is taken")
        return distinct[-1]
    if len(distinct) > 1:
        notes.append(f"{name} is given as {' and '.join(map(str, distinct[:4]))}: contradictory, and not used")
        return None
    return distinct[0] if distinct else None


def _read_batches(facts: LogFacts, headers: Sequence[Event]) -> None:
    """`batch_size` is the batch of both, or of the evaluation where `train_batch_size` stands beside it."""
    batch = _settle("batch_size", _collect_counts(headers, ("batch_size",), facts.notes), facts.notes)
    training = _settle("train_batch_size", _collect_counts(headers, ("train_batch_size",), facts.notes), facts.notes)
    evaluation = _settle("evaluation batch size", _collect_counts(headers, _EVALUATION_BATCH, facts.notes), facts.notes)
    facts.training_batch_size = training or batch
    facts.evaluation_batch_size = evaluation or batch or training
    if training is not None and batch is not None and training != batch and evaluation is None:
        facts.notes.append(f"batch_size {batch} is taken for the evaluation's, beside train_batch_size {training}")


def _read_steps_per_epoch(headers: Sequence[Event], notes: list[str]) -> int | None:
    """`batches_per_epoch` as a number, or as a list with one number an epoch where all are the same."""
    values: list[int] = []
    for event in headers:
        value = event.get("batches_per_epoch")
        counts = value if isinstance(value, list) else [] if value is None else [value]
        if any(type(count) is not int or count < 1 for count in counts):
            notes.append(f"batches_per_epoch is {quote(value)}, no count, and is not used")
            return None
        values += counts
    if len(set(values)) > 1:
        notes.append("batches_per_epoch is not the same in every epoch, and is not used")
        return None
    return values[0] if values else None
