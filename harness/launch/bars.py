"""What bars and lines are drawn with on a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

BLOCKS, PLAIN_BLOCKS = ("━", "╌"), ("#", ".")
COLOR, PLAIN = "\x1b[36m", "\x1b[0m"


@dataclass(frozen=True)
class Style:
    """What a terminal can show and the user wants."""

    is_terminal: bool = False
    """Whether lines may be drawn over."""
    has_color: bool = False
    has_blocks: bool = True
    """Whether its encoding has the characters of a bar."""

    def draw_bar(self, share: float, width: int) -> str:
        full, empty = BLOCKS if self.has_blocks else PLAIN_BLOCKS
        num_full = round(share * width)
        bar = full * num_full, empty * (width - num_full)
        return f"{COLOR}{bar[0]}{PLAIN}{bar[1]}" if self.has_color else "".join(bar)


PLAIN_STYLE = Style()
"""Whole lines, one after the other."""


def fit(parts: Sequence[str], room: int) -> str:
    """The first of the parts that there is room for."""
    text = ""
    for place, part in enumerate(parts):
        longer = part if place == 0 else f"{text}  {part}"
        if len(longer) > room:
            break
        text = longer
    return text
