"""What is shown while a verb is at work: on stderr, because stdout is the result's."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mainrun.record.inert import make_inert

if TYPE_CHECKING:
    from harness.launch.bars import Style

LINE_ENDS = "\n\r"
"""Control characters that the program itself prints; all others come from outside."""
ESCAPE = "\x1b"


def write_live(text: str) -> None:
    """Shows text at once, with the control sequences of what draws over lines; names in it are inert already."""
    sys.stderr.write(make_inert(text, keep=f"{LINE_ENDS}{ESCAPE}"))
    sys.stderr.flush()


def say(line: str) -> None:
    """Shows a line at once."""
    write_live(f"{make_inert(line)}\n")


def find_style() -> Style:
    """What stderr can show: bars where a person sees it on a terminal that can draw over lines, colour unless NO_COLOR
    is set.
    """
    from harness.launch.bars import BLOCKS, Style

    is_live = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    try:
        "".join(BLOCKS).encode(sys.stderr.encoding)
        has_blocks = True
    except UnicodeEncodeError:
        has_blocks = False
    return Style(is_live, is_live and not os.environ.get("NO_COLOR"), has_blocks)
