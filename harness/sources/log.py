"""A log of events, in JSON or as a console shows them, read into our journal's words.

Nothing is repaired in silence: a line that is left out, read under another name, repeated or out of order gives a note
with its line number, and what is not there stays None.
"""

import gc
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from harness.formats import format_number_of, quote
from harness.sources.event_lines import COMMAS, Found, parse_line, parse_lines, read_event, read_label
from harness.sources.json_array import is_array, iterate_array
from harness.sources.lines import RENAMED, RENAMED_FIELDS, TEXT_NUMBERS, UNIT_FIELDS
from harness.sources.ordering import list_some
from harness.sources.runs import Runs
from harness.sources.source_log import Importer, LossUnit, SourceLog
from harness.sources.text import Text, read_beginning
from harness.store.journals import Event
from mainrun.record.errors import RequestError

Entry = tuple[int, str, list[Found]]
"""Number, text and content of a line."""
T = TypeVar("T")
MAX_NAME = 60
_CUT_LOSS = re.compile(r"\]\s*\w+:[^{]*\bloss=[^\s=]*\Z")
"""A console line that ends with its loss, without an end of the line."""
_PER_TOKEN = re.compile(r"nats?\W*_*(per|/)?\W*_*tok(en)?s?", re.IGNORECASE)
_PER_CHAR = re.compile(r"char", re.IGNORECASE)
_OTHER_UNIT = re.compile(r"tok|bit|bp[bc]|byte|word|ppl|perplex|percent|%", re.IGNORECASE)
"""In the name of a unit that is not nats per character."""


@dataclass
class _Reading:
    """What is met on the way through a file."""

    bad: list[str] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)
    num_text_lines: int = 0
    renamed: set[str] = field(default_factory=set)
    """Names of events and fields that were read as ours."""


def read_log(path: Path, name: str, unit: LossUnit | None = None) -> SourceLog:
    """Reads a log; of several runs in one file the last is taken, and a note names the lines of all.

    Raises `RequestError` where nothing in it is a training or validation step, where lines of several programs stand
    among each other, and where it states another unit of its losses than `unit`, by default nats per character, with
    file and line.
    """
    text, reading, runs = Text(path, name), _Reading(), Runs(name)
    is_array = is_array_of_events(read_beginning(path))
    if is_array:
        values = iterate_array(path, name)
        entries: Iterator[Entry] = ((line, "", [read_event(value, reading.renamed)]) for line, value in values)
    else:
        lines = enumerate(parse_lines(text, reading.renamed), 1)
        entries = ((number, line, found) for number, (line, found) in lines)
    number = 0
    for number, line, found in _without_collection(entries):
        label = read_label(line) if line[:1] != "{" and '"event"' in line else ""
        is_cut = line[-1:] != "\n" and _CUT_LOSS.search(line[line.rfind("\r") + 1 :]) is not None
        for place, (kind, what) in enumerate(found, 1):
            if kind == "event" and is_cut and place == len(found):
                reading.bad.append(f"line {number:,}, the last, cut short: nothing shows that its loss is whole")
            elif kind == "event":
                problem = _take_unit(what, unit)
                if problem is not None:
                    raise RequestError(f"{name}, line {number:,}: {problem}")
                _enter(runs, what, number, label)
            elif kind == "lost":
                runs.lose(what, number)
                if not what.is_final:
                    reading.bad.append(f"line {number:,}: {what.reason}")
            elif kind == "bad":
                cut = "" if line.endswith("\n") or is_array else ", the last, cut short"
                reading.bad.append(f"line {number:,}{cut}: {what}")
            elif kind == "unused":
                reading.unused[what] += 1
            elif line.strip():
                reading.num_text_lines += 1
    if not runs.can_be_judged:
        where = reading.bad[0] if reading.bad else f"lines {runs.first_line:,} to {max(1, number):,}"
        raise RequestError(
            f"{name}, {where}: there is no validation loss here. Expected JSON lines with the events training_step and "
            "validation_step, console lines such as '[  44/938] validation_step: loss=1.95 time=4.2s', or a table with "
            "a header such as 'step,val_loss'."
        )
    return runs.conclude([*text.notes, *runs.describe(), *_describe_reading(reading, runs.repeated_headers)])


def claims_log(path: Path) -> bool:
    """Whether the beginning of a file holds an event."""
    lines = read_beginning(path)
    if is_array_of_events(lines):
        return True
    return any(kind not in ("text", "bad") for line in lines for kind, _ in parse_line(line, set()))


IMPORTER = Importer("log", "the log", "source.log", claims_log, read_log, frozenset({".log", ".txt", ".out"}))


def is_array_of_events(lines: list[str]) -> bool:
    """Whether a file that begins so is one JSON array of events."""
    return is_array(lines) and any('"event"' in line for line in lines)


def _enter(runs: Runs, event: Event, number: int, label: str) -> None:
    epoch, origin = event.pop("epoch", None), event.pop("origin", None)
    if origin and "step" in event:
        runs.come_from(origin, number)
    elif label and "step" in event:
        # Parts of one program may log under names of their own, training and evaluation each under one.
        runs.come_from(label, number, event["event"])
    runs.enter(event, number, epoch if "step" in event else None)


def _take_unit(event: Event, unit: LossUnit | None) -> str | None:
    """Gives an evaluation the unit of its loss, where it is not a journal's; returns why it is none, or None."""
    said = event.pop("unit_said", None) or event.get(UNIT_FIELDS[0])
    is_per_token = unit == "nats_per_token"
    if isinstance(said, str) and _OTHER_UNIT.search(said) and not (is_per_token and _PER_TOKEN.search(said)):
        return (
            f"the losses are in {quote(said)}. Read are nats per character and, with --loss-unit nats_per_token, nats "
            "per token."
        )
    if is_per_token and isinstance(said, str) and _PER_CHAR.search(said):
        return f"the losses are in {quote(said)}, and --loss-unit says {unit}. Give --loss-unit nats_per_char."
    if is_per_token and event["event"] == "validation_step":
        if event["full_loss_nats_per_char"] is not None:
            return "a loss per character stands beside the loss: it is no loss per token."
        event["loss_unit"] = unit
    return None


def _without_collection(items: Iterator[T]) -> Iterator[T]:
    """The same items; nothing made on the way is garbage, and looking for some costs a third of a long log's time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield from items
    finally:
        if enabled:
            gc.enable()


def _describe_reading(reading: _Reading, repeated_headers: list[str]) -> list[str]:
    notes = []
    if reading.bad:
        notes.append(
            f"{format_number_of(len(reading.bad), 'line')} left out because unreadable: {list_some(reading.bad, '; ')}"
        )
    if repeated_headers:
        notes.append(f"given again with other values, the later ones are taken: {list_some(repeated_headers)}")
    if reading.unused:
        names = [f"{_tame(name)} ({number:,})" for name, number in reading.unused.most_common()]
        notes.append(f"events that are not used: {list_some(names)}")
    if reading.num_text_lines:
        notes.append(f"{format_number_of(reading.num_text_lines, 'line')} of other text ignored")
    ours = {**RENAMED, **RENAMED_FIELDS, COMMAS: "decimal points", TEXT_NUMBERS: "numbers"}
    renamed = [name for name in ours if name in reading.renamed]
    if renamed:
        notes.append(f"read under our names: {', '.join(f'{name} as {ours[name]}' for name in renamed)}")
    return notes


def _tame(name: str) -> str:
    printable = name.encode("utf-8", "replace").decode()
    return printable if len(printable) <= MAX_NAME else f"{printable[: MAX_NAME - 3]}..."
