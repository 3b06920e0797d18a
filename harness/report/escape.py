"""Whatever a document holds, made inert for the format it goes into."""

import re
from typing import Any

from markupsafe import Markup

from harness.formats import format_value
from mainrun.record.inert import make_inert

_BREAK = "\N{ZERO WIDTH SPACE}"
_MARKDOWN_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in r"\`*_[]<>|~&#@$"} | {_BREAK: "&#8203;", "\n": " "}
)
_LIVE = re.compile(
    r"""
    @ (?=\w)                                               # @name, owner/repo@hash, a@b.example
    | \# (?=\d)                                            # #1, owner/repo#1
    | \b GH- (?=\d)
    | \b (?=\d*[a-f]) (?![0-9a-f]{16}…) [0-9a-f]{7,40} \b  # a commit; not a number or our short SHA-256
    | : (?=//)  |  \b www (?=\.)                           # addresses
    | : (?=[\w+-]+:)                                       # :emoji:
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Where GitHub makes links of text that is rendered already, so that no backslash before it helps."""

_NUMBER_AND_UNIT = re.compile(r"(?<=\d) (?=[%×])")
_LIST_ITEM = re.compile(r"^(\d*)([-+.)])(?=\s)")


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it stands: zero width spaces break what GitHub would link, notify or close."""
    escaped = _LIVE.sub(_break, text.lstrip() or text).translate(_MARKDOWN_SPECIAL)
    return _LIST_ITEM.sub(r"\1\\\2", escaped)


def escape_html(text: str) -> Markup:
    """Text that HTML shows as it stands, no line of which begins with a percent or times sign."""
    return Markup.escape(_NUMBER_AND_UNIT.sub("\N{NO-BREAK SPACE}", text))


def _break(live: re.Match[str]) -> str:
    return _BREAK.join([*re.findall(".{1,6}", live[0]), ""])


def format_code(text: Any) -> Markup:
    """A Markdown code span, whatever the text holds."""
    inert = make_inert(format_value(text))
    longest = max(map(len, re.findall("`+", inert)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if inert.startswith("`") or inert.endswith("`") else ""
    return Markup(f"{fence}{padding}{inert}{padding}{fence}".replace("|", "\\|"))


def format_block(text: str) -> Markup:
    """Text for inside a fenced Markdown code block."""
    return Markup(make_inert(text).replace("```", "'''"))
