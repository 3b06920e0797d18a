"""What a section of a configuration is: frozen settings, each with its range, checked when built."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from mainrun.record.errors import RequestError

Value = int | float | str | bool | None
"""Of a setting."""


@dataclass(frozen=True)
class Range:
    """The values a setting takes."""

    text: str
    holds: Callable[[Any], bool]


Count = Annotated[int, Range("at least 1", lambda value: value >= 1)]
Share = Annotated[float, Range("from 0 to below 1", lambda value: 0 <= value < 1)]
OptionalShare = Annotated[float | None, Range("from 0 to below 1", lambda value: 0 <= value < 1)]
InnerShare = Annotated[float, Range("above 0 and below 1", lambda value: 0 < value < 1)]
Positive = Annotated[float, Range("above 0", lambda value: value > 0)]
NotNegative = Annotated[float, Range("0 or more", lambda value: value >= 0)]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Settings that one part of the program reads; a part that is one of several kinds has a name too."""

    section: ClassVar[str]
    """First half of the dotted key of every setting."""
    name: ClassVar[str | None] = None
    """Which kind it is, where its section has several."""

    def __post_init__(self) -> None:
        for name, hint in find_hints(type(self)).items():
            value, kind = getattr(self, name), find_type(hint)
            if value is None and is_optional(hint):
                continue
            assert type(value) is kind, f"{self.section}.{name} is no {kind.__name__}: {value!r}"
            self.require(not isinstance(value, float) or math.isfinite(value), name, "a finite number")
            for limit in get_args(hint):
                if isinstance(limit, Range):
                    self.require(limit.holds(value), name, limit.text)
            if get_origin(hint) is Literal and value not in get_args(hint):
                raise unknown_name(f"{self.section}.{name}", value, get_args(hint))

    def require(self, holds: bool, name: str, expected: str) -> None:
        """Raises `RequestError` that names a setting whose value is not as expected."""
        if not holds:
            raise RequestError(f"Setting '{self.section}.{name}' must be {expected}; it is {getattr(self, name)!r}.")

    def flatten(self) -> dict[str, Value]:
        """The settings by dotted key, the kind's name first."""
        named: dict[str, Value] = {} if self.name is None else {f"{self.section}.name": self.name}
        return named | {f"{self.section}.{field.name}": getattr(self, field.name) for field in fields(self)}


def find_hints(kind: type[Section]) -> dict[str, Any]:
    """The annotation of each setting of a section, in order."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def find_type(hint: Any) -> type[Any]:
    """The plain type of an annotated setting."""
    if get_origin(hint) is Literal:
        return str
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if is_optional(hint):
        [kind] = [part for part in get_args(kind) if part is not type(None)]
    assert isinstance(kind, type)
    return kind


def is_optional(hint: Any) -> bool:
    """Whether a setting may be None."""
    return type(None) in get_args(get_args(hint)[0] if get_origin(hint) is Annotated else hint)


def parse_value(key: str, hint: Any, text: str) -> Value:
    """A `--set` value; `RequestError` where it is not of the setting's type."""
    kind = find_type(hint)
    if is_optional(hint) and text.lower() == "none":
        return None
    try:
        value: Value = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise RequestError(f"Setting '{key}' takes {kind.__name__}, not '{text}'.") from None
    return value


def unknown_name(kind: str, name: str, known: Collection[str]) -> RequestError:
    """The error for a name that is not in a registry: it gives the nearest one, and all."""
    nearest = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
    return RequestError(f"Unknown {kind} '{name}'.{hint} Known: {', '.join(known)}.")
