"""One line of somebody else's log: a JSON object, alone or behind what a CI puts before it, or a line of a console."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from harness.sources.cells import COMMA, is_clear_comma
from harness.sources.lines import EVENTS, NO_NUMBER, Kind, normalize
from harness.store.journals import HEADERS

Found = tuple[Kind, Any]
LINES_AT_ONCE = 500
"""JSON lines decoded in one call, which takes a quarter of the time; changes no result."""
_CONSOLE_STEP = re.compile(r"\[\s*(\d{1,15})\s*/\s*(\d{1,15})\]\s*(\w+):\s*(.*)", re.ASCII)
_CONSOLE_HEADER = re.compile(rf"\s*({'|'.join(HEADERS)}):\s*(.*)")
_CONSOLE_PAIR = re.compile(r"(\w+)=(\[[^\]]*\]|[^\s,]+(?:,\d[^\s,=]*(?![^\s,]*=))*)")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BARE = re.compile(r"(?<=[:\[,\s])([+-]?)(nan|inf(?:inity)?)(?=\s*[,}\]])", re.IGNORECASE)
"""What C and other languages print, and JSON does not know."""
_NUMBERED = re.compile(
    r"\W*(default|rank|gpu|worker|node|replica|process|run|job|seed|trial)[-_:=#]?\d+\W*", re.IGNORECASE
)
"""Words before a line whose number tells programs apart; any other number is a time, a count or a process."""
_DATE_WORD = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*,?|T?Z?")
_LEVEL = re.compile(r"(trace|debug|info|notice|warn|warning|error|critical|fatal|success)", re.IGNORECASE)
_BAR = re.compile(r"\d+%\||\d+\w* \[\d+:\d\d")
"""Where the numbers of a progress bar begin; what they are of stands before them."""
COMMAS = "decimal commas"
"""Among the renamed: numbers of a console were read with a comma for the point."""


def parse_lines(lines: Iterable[str], renamed: set[str]) -> Iterator[tuple[str, list[Found]]]:
    """Each line with its `parse_line`, in order, and several times as fast on JSON lines."""
    rest = iter(lines)
    while batch := list(islice(rest, LINES_AT_ONCE)):
        for line, raw in zip(batch, _decode_batch(batch), strict=True):
            # As many keys as fields: nothing is nested in the line, and no field stands in it twice.
            if type(raw) is dict and type(raw.get("event")) is str and line.count('":') == len(raw):
                yield line, [normalize(raw["event"], raw, renamed)]
            else:
                yield line, parse_line(line, renamed)


def parse_line(line: str, renamed: set[str]) -> list[Found]:
    """What one line holds: normalized events, or the name, reason or step that goes with its kind.

    Where carriage returns part it, each part counts. Names that are read as ours are added to `renamed`.
    """
    text = _ANSI.sub("", line).strip()
    if text.startswith("{"):
        return [_parse_json(text, renamed)]
    parts = [part for part in text.split("\r") if part.strip()]
    found = [entry for entry in (_parse_part(part, renamed) for part in parts) if entry[0] != "text"]
    return found or [("text", None)]


def read_event(value: Any, renamed: set[str]) -> Found:
    """The same of a JSON value."""
    name = value.get("event") if isinstance(value, dict) else None
    return normalize(name, value, renamed) if isinstance(name, str) else ("bad", "it has no 'event'")


def find_object(line: str) -> tuple[str, str] | None:
    """What stands before a JSON object that ends a line, without colours, and the object's text; None without one."""
    text = _ANSI.sub("", line).strip()
    begin = text.find("{")
    return (text[:begin], text[begin:]) if begin >= 0 and text.endswith("}") else None


def read_label(line: str) -> str:
    """The words before the JSON object of a line: of which of several programs, or of which part of one, it is.

    Times, numbers, levels of a logger and a progress bar are left out.
    """
    before = (find_object(line) or [""])[0].rpartition("\r")[2]
    before = _BAR.split(before, maxsplit=1)[0]
    words = ([word] if _NUMBERED.fullmatch(word) else re.split(r"[\d\W]+", word) for word in before.split())
    left_out = (_DATE_WORD, _LEVEL)
    return " ".join(word for word in chain(*words) if word and not any(known.fullmatch(word) for known in left_out))


def load_object(text: str) -> Any:
    """The value of a JSON text, bare `nan` and `inf` included; `ValueError` for others, and for a field given twice."""
    try:
        return json.loads(text, object_pairs_hook=refuse_repeats)
    except json.JSONDecodeError:
        plain = _BARE.sub(lambda match: "NaN" if match[2].lower() == "nan" else f"{match[1].strip('+')}Infinity", text)
        if plain == text:
            raise
        return json.loads(plain, object_pairs_hook=refuse_repeats)


def _decode_batch(lines: Sequence[str]) -> Sequence[Any]:
    """The JSON value of each line, or None for all of them where one is not a JSON object."""
    try:
        values = json.loads(f"[{','.join(lines)}]")
    except (ValueError, RecursionError):
        return [None] * len(lines)
    whole = len(values) == len(lines) and all(line[:1] == "{" and line.rstrip()[-1:] == "}" for line in lines)
    return values if whole else [None] * len(lines)


def _parse_json(text: str, renamed: set[str]) -> Found:
    try:
        raw = load_object(text)
    except (ValueError, RecursionError) as error:
        return "bad", f"it is no JSON object ({getattr(error, 'msg', None) or error})"
    return read_event(raw, renamed)


def refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of a JSON object; `ValueError` where one stands in it twice."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a field stands in it twice")
    return values


def _parse_part(text: str, renamed: set[str]) -> Found:
    found = find_object(text) if '"event"' in text else None
    return _parse_json(found[1], renamed) if found and not found[0].endswith("[") else _parse_console(text, renamed)


def _parse_console(text: str, renamed: set[str]) -> Found:
    step = _CONSOLE_STEP.search(text)
    if step and step[3] in EVENTS:
        pairs = {key: value.removesuffix("s") for key, value in _CONSOLE_PAIR.findall(step[4])}
        if any(map(is_clear_comma, pairs.values())):
            pairs = {key: value.replace(",", ".") if COMMA.fullmatch(value) else value for key, value in pairs.items()}
            renamed.add(COMMAS)
        fields = {key: _read_console(value) for key, value in pairs.items()}
        return normalize(step[3], {**fields, "step": int(step[1]), "max_steps": int(step[2])}, renamed)
    header = _CONSOLE_HEADER.match(text)
    if header:
        fields = {key: _read_console(value) for key, value in _CONSOLE_PAIR.findall(header[2])}
        return normalize(header[1], fields, renamed)
    return "text", None


def _read_console(text: str) -> Any:
    if NO_NUMBER.fullmatch(text):
        return float(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {"True": True, "False": False, "None": None}.get(text, text)
