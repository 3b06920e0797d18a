"""Text from outside, made safe to show: the same for terminals, Markdown and HTML."""

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def make_inert(text: str, keep: str = "") -> str:
    """The text with control, direction-changing and unencodable characters, but those to `keep`, shown as U+FFFD."""
    return "".join(
        REPLACEMENT if c not in keep and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c for c in text
    )
