"""What is shown while a verb is at work: on stderr, because stdout is the result's."""

import sys

from mainrun.record.inert import make_inert

LINE_ENDS = "\n\r"
"""Control characters that the program itself prints; all others come from outside."""


def write_stderr(text: str) -> None:
    """Shows text as it is, line ends included, at once."""
    sys.stderr.write(make_inert(text, keep=LINE_ENDS))
    sys.stderr.flush()


def is_terminal() -> bool:
    """Whether a person sees stderr grow, so that a line may be written over."""
    return sys.stderr.isatty()
