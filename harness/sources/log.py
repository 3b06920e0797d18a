"""A whole log of somebody else's program, read into our journal's words; what was done to it is said in notes.

Nothing is repaired in silence: a line that is left out, read under another name, repeated or out of order gives a note
with its line number, and what is not there stays None.
"""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter, lt
from typing import TypeVar

from harness.sources.lines import RENAMED, parse_lines
from harness.store.journals import HEADERS, NOTE, Event
from mainrun.record.errors import RequestError

T = TypeVar("T")
_GET_STEP = itemgetter("step")
MAX_NAMED = 5
"""Lines or names listed in one note; of more, the number is given."""


@dataclass(frozen=True)
class ForeignLog:
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


@dataclass
class _Part:
    """The lines of one run in a file."""

    first_line: int
    headers: dict[str, Event] = field(default_factory=dict)
    steps: list[Event] = field(default_factory=list)
    diverged: str | None = None
    first: dict[str, Event] = field(default_factory=dict)
    """The first step of each kind."""
    last_step: dict[str, int] = field(default_factory=dict)
    """The largest step so far of each kind."""


@dataclass
class _Reading:
    """What is met on the way through a file."""

    bad: list[str] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)
    num_text_lines: int = 0
    repeated_headers: list[str] = field(default_factory=list)
    renamed: set[str] = field(default_factory=set)
    """Names of events that were read as ours."""


def read_log(content: bytes, name: str) -> ForeignLog:
    """Reads a log; of several runs in one file the last is taken, and a note names the lines of all.

    Raises `RequestError` where nothing in it is a training or validation step; the message names file and line.
    """
    text, notes = _decode(content)
    lines = text.split("\n")
    reading = _Reading()
    parts = [_Part(1)]
    for number, (kind, found) in enumerate(_without_collection(parse_lines(lines, reading.renamed)), 1):
        if kind == "event":
            _enter(parts, found, number, reading)
        elif kind == "diverged":
            parts[-1].diverged = parts[-1].diverged or f"{found} (line {number:,})"
        elif kind == "bad":
            cut = number == len(lines)
            reading.bad.append(f"line {number:,}{', the last, cut short' if cut else ''}: {found}")
        elif kind == "unused":
            reading.unused[found] += 1
        elif lines[number - 1].strip():
            reading.num_text_lines += 1
    begun = [part for part in parts if part.steps or part.diverged]
    part = begun[-1] if begun else parts[-1]
    if not any(event["event"] == "validation_step" for event in part.steps) and part.diverged is None:
        where = reading.bad[0] if reading.bad else f"lines {part.first_line:,} to {len(lines):,}"
        raise RequestError(
            f"{name}, {where}: there is no validation loss here. Expected JSON lines with the events training_step and "
            "validation_step, or console lines such as '[  44/938] validation_step: loss=1.95 time=4.2s'."
        )
    if len(begun) > 1:
        begins = _list_some([f"{part.first_line:,}" for part in begun])
        notes.append(f"the file holds {len(begun)} runs, which begin at the lines {begins}; the last one is judged")
    idle = [f"{part.first_line:,}" for part in parts if part not in begun and part.headers]
    if idle:
        notes.append(
            f"a configuration without a step after it, left out: {_count(len(idle), 'line')} ({_list_some(idle)})"
        )
    return _conclude(part, [*notes, *_describe_reading(reading)])


def _without_collection(items: Iterator[T]) -> Iterator[T]:
    """The same items; nothing made on the way is garbage, and looking for some costs a third of a long log's time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield from items
    finally:
        if enabled:
            gc.enable()


def conclude_steps(headers: Sequence[Event], steps: Iterable[Event], notes: Sequence[str]) -> ForeignLog:
    """The same for steps that were read from another kind of source."""
    part = _Part(1, {event["event"]: event for event in headers}, list(steps))
    return _conclude(part, list(notes))


def _decode(content: bytes) -> tuple[str, list[str]]:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = content.decode(encoding, "replace").removeprefix("\ufeff")
    broken = text.count("\ufffd") - content.count("\ufffd".encode())
    notes = [f"{broken:,} bytes are not {encoding.upper()} text and were read as U+FFFD"] if broken > 0 else []
    return text, notes


def _enter(parts: list[_Part], event: Event, number: int, reading: _Reading) -> None:
    """Adds an event to the run it belongs to; a configuration or a first step after others begins a new run."""
    part, kind = parts[-1], event["event"]
    event["line"] = number
    if kind in HEADERS:
        if kind == "hyperparameters_configured" and _is_another(part, event):
            part = _Part(number)
            parts.append(part)
        elif kind in part.headers and _differ(part.headers[kind], event):
            reading.repeated_headers.append(f"{kind} (line {number:,})")
        part.headers[kind] = event
        return
    step, last = event["step"], part.last_step.get(kind, -1)
    if step <= 1 < last and _differ(part.first[kind], event):
        part = _Part(number)
        parts.append(part)
    part.first.setdefault(kind, event)
    part.last_step[kind] = max(part.last_step.get(kind, -1), step)
    part.steps.append(event)


def _is_another(part: _Part, configuration: Event) -> bool:
    """Whether a configuration is that of a new run: after a step, or after the data or the model of another one."""
    before = part.headers.get("hyperparameters_configured")
    told = not part.headers.keys().isdisjoint(("dataset_info", "model_info"))
    return bool(part.steps) or (before is not None and told and _differ(before, configuration))


def _differ(one: Event, other: Event) -> bool:
    return {**one, "line": 0, "timestamp": 0} != {**other, "line": 0, "timestamp": 0}


def _describe_reading(reading: _Reading) -> list[str]:
    notes = []
    if reading.bad:
        notes.append(f"{_count(len(reading.bad), 'line')} left out because unreadable: {_list_some(reading.bad, '; ')}")
    if reading.repeated_headers:
        notes.append(f"given again with other values, the later ones are taken: {_list_some(reading.repeated_headers)}")
    if reading.unused:
        names = [f"{_tame(name)} ({count:,})" for name, count in reading.unused.most_common()]
        notes.append(f"events that are not used: {_list_some(names)}")
    if reading.num_text_lines:
        notes.append(f"{_count(reading.num_text_lines, 'line')} of other text ignored")
    renamed = [name for name in RENAMED if name in reading.renamed]
    if renamed:
        notes.append(f"read under our names: {', '.join(f'{name} as {RENAMED[name]}' for name in renamed)}")
    return notes


def _conclude(part: _Part, notes: list[str]) -> ForeignLog:
    """Puts a run's steps in order and says how it ended."""
    max_steps, steps_notes = _find_max_steps(part)
    training, training_notes = _order(part.steps, "training_step", max_steps)
    validation, validation_notes = _order(part.steps, "validation_step", max_steps)
    notes += steps_notes + training_notes + validation_notes
    last = max([events[-1]["step"] for events in (training, validation) if events], default=0)
    for event in (*training, *validation):
        event["max_steps"] = max_steps or last
    # Both are in order, which sorting makes use of; of one step the training comes first, as it stands first here.
    events = sorted([*training, *validation], key=_GET_STEP)
    everything = [*sorted(part.headers.values(), key=lambda event: event["line"]), *events]
    if part.diverged:
        return ForeignLog(everything, notes, "failed", part.diverged)
    if not validation:
        return ForeignLog(everything, notes, "stopped", "no validation loss of it can be used")
    if not training:
        notes.append("no training step is in it")
    if max_steps is None:
        notes.append(f"the number of planned steps is not given; step {last:,}, the last one here, is taken for it")
    elif last < max_steps:
        reason = (
            f"the log ends at step {last:,} of {max_steps:,}; its last evaluation is at step "
            f"{validation[-1]['step']:,}, {validation[-1]['loss']:.6g}"
        )
        return ForeignLog(everything, notes, "stopped", reason)
    elif validation[-1]["step"] <= 1:
        return ForeignLog(
            everything, notes, "stopped", "its last evaluation is at step 1, where nothing is trained yet"
        )
    elif validation[-1]["step"] < max_steps:
        notes.append(
            f"the last step, {max_steps:,}, was not evaluated; the last evaluation, at step "
            f"{validation[-1]['step']:,}, is judged"
        )
    return ForeignLog(everything, notes, "imported", None)


def _find_max_steps(part: _Part) -> tuple[int | None, list[str]]:
    counts = Counter(map(itemgetter("max_steps"), part.steps))
    del counts[None]
    if not counts:
        return None, []
    (chosen, _), *others = counts.most_common()
    if not others:
        return chosen, []
    odd = next(event["line"] for event in part.steps if event["max_steps"] not in (None, chosen))
    return chosen, [f"max_steps is not the same everywhere (line {odd:,}); {chosen:,}, the most frequent, is taken"]


def _order(steps: Sequence[Event], kind: str, max_steps: int | None) -> tuple[list[Event], list[str]]:
    """The events of one kind by step, each step once; the later of two lines counts."""
    chosen = [event for event in steps if event["event"] == kind]
    numbers = list(map(_GET_STEP, chosen))
    if all(map(lt, numbers, numbers[1:])) and (max_steps is None or not numbers or numbers[-1] <= max_steps):
        return chosen, _describe_missing(numbers, kind)
    by_step: dict[int, Event] = {}
    beyond, again, backwards, previous = [], [], [], -1
    for event in chosen:
        step = event["step"]
        if max_steps is not None and step > max_steps:
            beyond.append(f"{event['line']:,}")
            continue
        if step in by_step:
            again.append(f"{event['line']:,}")
        elif step < previous:
            backwards.append(f"{event['line']:,}")
        previous = step
        by_step[step] = event
    notes = []
    for lines, what in (
        (beyond, f"{kind} beyond the last step, left out"),
        (again, f"{kind} of a step that was there before, the later one is taken"),
        (backwards, f"{kind} out of order, put in order"),
    ):
        if lines:
            notes.append(f"{what}: {_count(len(lines), 'line')} ({_list_some(lines)})")
    numbers = sorted(by_step)
    return [by_step[step] for step in numbers], [*notes, *_describe_missing(numbers, kind)]


def _describe_missing(numbers: Sequence[int], kind: str) -> list[str]:
    """The training steps that a run of ordered steps leaves out; evaluations are not due at every step."""
    missing = numbers[-1] - numbers[0] + 1 - len(numbers) if numbers and kind == "training_step" else 0
    return [f"{missing:,} training steps between the first and the last are not in the log"] if missing else []


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _tame(name: str) -> str:
    printable = name.encode("utf-8", "replace").decode()
    return printable if len(printable) <= 60 else f"{printable[:57]}..."


def _list_some(items: Sequence[str], separator: str = ", ") -> str:
    text = separator.join(items[:MAX_NAMED])
    return text if len(items) <= MAX_NAMED else f"{text} and {len(items) - MAX_NAMED:,} more"
