"""What a run states of itself: one typed record for every run, whoever trained it. What is not known is None.

Contradictions are named, not settled. Nothing that reads these facts asks where they came from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeVar

from harness.formats import quote
from harness.store.journals import HEADERS, MAX_COUNT, Event

T = TypeVar("T")
SEPARATOR_CHARS = 5
"""Characters of the separator that follows each title in the metric's denominator."""
_COUNTS = {
    "block_size": ("block_size", "context_length"),
    "vocab_size": ("vocab_size",),
    "num_train_tokens": ("tokens_per_epoch",),
    "epochs": ("epochs",),
    "num_parameters": ("parameters_count", "num_parameters", "parameters"),
    "num_validation_tokens": ("num_validation_tokens",),
    "num_validation_chars": ("num_validation_chars",),
    "num_train_titles": ("titles_count",),
    "num_titles": ("num_titles",),
}
_OF_EVALUATIONS = {"num_validation_tokens": "num_tokens", "num_validation_chars": "num_chars"}
"""As evaluations call them; in a header these names may be of any text."""
_EVALUATION_BATCH = ("eval_batch_size", "evaluation_batch_size", "val_batch_size")
_LATER_WINS = frozenset({"vocab_size"})
"""Asked for in the configuration, and known once the tokenizer is made."""
_RECORDED = ("corpus", "machine", "source_sha256", "initial_weights_sha256", "final_weights_sha256",
             "mainrun_log_sha256", "title_losses_sha256", "peak_memory_bytes")  # fmt: skip
"""Fields of a record that are facts as they stand."""


class AbsentError(Exception):
    """A fact that something needs is not known; the message says which."""


def known(value: T | None, absent: str) -> T:
    """The value; raises `AbsentError` with `absent`, which says what is not known, where there is none."""
    if value is None:
        raise AbsentError(absent)
    return value


@dataclass
class RunFacts:
    """Counts are None where the run does not give them, or gives two."""

    block_size: int | None = None
    """Tokens a window."""
    training_batch_size: int | None = None
    """Windows a training step."""
    evaluation_batch_size: int | None = None
    """Windows a span of the frozen evaluation."""
    vocab_size: int | None = None
    """Tokens of the tokenizer."""
    num_train_tokens: int | None = None
    """Ids of the training stream."""
    steps_per_epoch: int | None = None
    """Training steps an epoch."""
    epochs: int | None = None
    """Passes over the training stream."""
    seed: int | None = None
    """As stated by the run itself."""
    val_fraction: float | None = None
    """Share of the titles held out, 0 to 1."""
    num_parameters: int | None = None
    """Trainable parameters."""
    num_validation_tokens: int | None = None
    """Ids of the validation stream."""
    num_validation_chars: int | None = None
    """Characters that validation losses are divided by."""
    num_train_titles: int | None = None
    """Titles trained on."""
    num_titles: int | None = None
    """Titles of both parts."""
    num_spans: int | None = None
    """Spans scored, as the run itself states it at every evaluation."""
    train_sha256: str | None = None
    """Fingerprint of the training titles."""
    validation_sha256: str | None = None
    """Fingerprint of the validation titles."""
    config: dict[str, Any] = field(default_factory=dict)
    """The settings: as resolved where they are recorded, else the hyperparameters as logged."""
    corpus: dict[str, Any] | None = None
    """`mainrun.data.corpus.CorpusRecord` of the titles."""
    machine: dict[str, Any] | None = None
    """Versions, device, precision, threads and commit."""
    source_sha256: dict[str, str] | None = None
    """SHA-256 of every source file of the training program."""
    initial_weights_sha256: str | None = None
    """SHA-256 of the weights before the first step."""
    final_weights_sha256: str | None = None
    """SHA-256 of the weights after the last step."""
    mainrun_log_sha256: str | None = None
    """SHA-256 of the journal."""
    title_losses_sha256: str | None = None
    """SHA-256 of the losses by title."""
    peak_memory_bytes: int | None = None
    """Most memory the run held."""
    notes: list[str] = field(default_factory=list)
    """What was found twice, contradictory or unusable."""

    @property
    def evaluate_sha256(self) -> str | None:
        """SHA-256 of the code that evaluated."""
        code = self.source_sha256 or {}
        return code.get("metric/evaluate.py", code.get("evaluate.py"))

    @property
    def span_tokens(self) -> int | None:
        """Tokens that a span of the frozen evaluation scores; None where block or batch is not known."""
        if self.block_size is None or self.evaluation_batch_size is None:
            return None
        return self.block_size * self.evaluation_batch_size

    @property
    def tokens_per_step(self) -> int | None:
        """Tokens a step trains on, where block × batch agrees with the steps and tokens of an epoch."""
        if self.block_size is None or self.training_batch_size is None:
            return None
        tokens = self.block_size * self.training_batch_size
        if tokens > MAX_TOKENS_PER_STEP:
            return None
        if self.source_sha256 is not None or self.num_train_tokens is None or self.steps_per_epoch is None:
            return tokens
        return tokens if abs(self.num_train_tokens / tokens - self.steps_per_epoch) < 1.5 else None


MAX_STEPS = 10**12
"""A larger number counts no steps."""
MAX_TOKENS_PER_STEP = (2**63 - 1) // MAX_STEPS
"""Times the largest number of steps it still is a 64-bit number."""


def read_facts(events: Sequence[Event], record: Mapping[str, Any] | None = None) -> RunFacts:
    """The facts of one journal in our words, and of the run's record where it has one that says more."""
    facts = RunFacts()
    headers = [event for event in events if event["event"] in HEADERS]
    evaluations = [event for event in events if event["event"] == "validation_step"]
    for name, keys in _COUNTS.items():
        places = [*product(headers, keys)]
        if name in _OF_EVALUATIONS:
            places += [(event, _OF_EVALUATIONS[name]) for event in evaluations]
        setattr(facts, name, _read_count(name, places, facts.notes))
    with_spans = [(event, "num_spans") for event in evaluations if event.get("num_spans")]
    facts.num_spans = _read_count("num_spans", with_spans, facts.notes)
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
    if record:
        _read_record(facts, record)
    return facts


def find_setting(config: Mapping[str, Any], name: str) -> Any:
    """A setting by the last part of its key, `block_size` of `model.block_size`; None where there is none."""
    return next((value for key, value in config.items() if key.rpartition(".")[2] == name), None)


def _read_record(facts: RunFacts, record: Mapping[str, Any]) -> None:
    """What a record says besides, and more surely: settings as resolved, machine, code, hashes."""
    for name in _RECORDED:
        setattr(facts, name, record.get(name))
    if "config" in record:
        facts.config = record["config"]
        facts.block_size = find_setting(facts.config, "block_size")
        facts.training_batch_size = facts.evaluation_batch_size = find_setting(facts.config, "batch_size")
    if "sizes" in record:
        facts.steps_per_epoch = record["sizes"]["steps_per_epoch"]


def _read_count(name: str, places: Iterable[tuple[Event, str]], notes: list[str]) -> int | None:
    """The one value that events give under a key each, or None where they give none or more than one."""
    found: dict[int, None] = {}
    for event, key in places:
        value = event.get(key)
        if type(value) is int and 0 < value < MAX_COUNT:
            found[value] = None
        elif value is not None:
            where = f"line {event['line']:,}" if "line" in event else event["event"]
            notes.append(f"{key} is {quote(value)} ({where}), no count, and is not used")
    values = list(found)
    if len(values) > 1 and name in _LATER_WINS:
        notes.append(f"{name} is given as {' and '.join(map(str, values))}; the last one is taken")
        return values[-1]
    if len(values) > 1:
        notes.append(f"{name} is given as {' and '.join(map(str, values[:4]))}: contradictory, and not used")
        return None
    return values[0] if values else None


def _read_batches(facts: RunFacts, headers: Sequence[Event]) -> None:
    """`batch_size` is the batch of both, or of the evaluation where `train_batch_size` stands beside it."""
    batch = _read_count("batch_size", product(headers, ("batch_size",)), facts.notes)
    training = _read_count("train_batch_size", product(headers, ("train_batch_size",)), facts.notes)
    evaluation = _read_count("evaluation batch size", product(headers, _EVALUATION_BATCH), facts.notes)
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
