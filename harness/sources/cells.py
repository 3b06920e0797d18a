"""Numbers in the cells of a table: with a decimal point or a decimal comma, and never one of two readings."""

import re
from dataclasses import dataclass

_POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
COMMA = re.compile(r"([+-]?\d*),(\d+)([eE][+-]?\d+)?", re.ASCII)
_COUNT = re.compile(r"\d+(\.0)?|\d+(\.\d+)?[eE]\+?\d+", re.ASCII)
NO_NUMBERS = frozenset({"null", "none", "nan", "na", "n/a", "-nan", "+nan", "#n/a", "-"})
"""What programs write where there is no number."""
INFINITIES = frozenset({"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})


def says_none(text: str) -> bool:
    """Whether a cell says that there is no number."""
    return text.lower() in NO_NUMBERS


@dataclass
class Marks:
    """Which decimal marks the numbers of some columns have."""

    comma: tuple[int, str] | None = None
    """Line and text of the first number with a comma."""
    point: tuple[int, str] | None = None
    is_clear: bool = False
    """Whether some number with a comma cannot be one of thousands."""

    def look_at(self, line: int, text: str) -> None:
        """Takes one cell."""
        if COMMA.fullmatch(text):
            self.comma = self.comma or (line, text)
            self.is_clear |= is_clear_comma(text)
        elif "." in text and _POINT.fullmatch(text):
            self.point = self.point or (line, text)

    def find_problem(self, separator: str) -> str | None:
        """Why the numbers cannot be read without guessing, or None."""
        if self.comma is None:
            return None
        line, text = self.comma
        if self.point is not None:
            return (
                f"line {line}: {text} has a decimal comma where {self.point[1]} (line {self.point[0]}) has a decimal "
                "point. Write one of them."
            )
        if not self.is_clear and separator != ";":
            plain = text.replace(",", "")
            return f"line {line}: {text} can be {text.replace(',', '.')} or {plain}. Write it with a decimal point."
        return None


def is_clear_comma(text: str) -> bool:
    """Whether a number has a comma for the point; with three digits behind it, it might be one of thousands."""
    match = COMMA.fullmatch(text)
    return match is not None and (len(match[2]) != 3 or match[1].lstrip("+-") in ("", "0"))


def read_number(text: str, *, comma: bool) -> float | None:
    """The number of a cell, or None where it is none; infinities and the like are none."""
    if comma and COMMA.fullmatch(text):
        text = text.replace(",", ".")
    return float(text) if _POINT.fullmatch(text) else None


def read_count(text: str) -> int | None:
    """A whole number as programs write one, `50`, `50.0` or `5e+01`; None for anything else, `1.000` too."""
    if not _COUNT.fullmatch(text) or len(text) > 30:
        return None
    number = float(text)
    return int(number) if number.is_integer() else None
