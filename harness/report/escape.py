"""Whatever a document holds, made inert for the format it goes into."""

import re
from typing import Any

from markupsafe import Markup

from harness.formats import format_value
from mainrun.record.inert import make_inert

_MARKDOWN_SPECIAL = str.maketrans({character: f"\\{character}" for character in r"\`*_[]<>|~&#@$"})


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it stands; an address is not turned into a link."""
    return text.translate(_MARKDOWN_SPECIAL).replace("://", "\\://").replace("www.", "www\\.").replace("\n", " ")


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
