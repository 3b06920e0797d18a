"""What reports are made of: sections of blocks, the same for Markdown and HTML. Nothing here knows a format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Described = Mapping[str, Any]
"""A part of `comparison.json`: all of it, a pair, an arm."""
Claim = Described


@dataclass(frozen=True)
class Code:
    """Text to be shown as it stands in a file or on a command line."""

    text: str


Cell = str | Code


@dataclass(frozen=True)
class Table:
    """Rows of text under a header."""

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numeric: Sequence[int] = ()
    """Places of the columns that are set to the right."""
    small: bool = False
    """Whether its text may be set smaller: hashes and evidence."""
    folded: str | None = None
    """What stands for it until a reader opens it; on paper a heading over it."""

    is_narrow: bool = False
    """Whether on paper its two halves stand side by side."""

    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Claims:
    """Sentences, each with its proof."""

    claims: Sequence[Claim]
    numbered: bool = False

    kind: str = field(default="claims", init=False)


@dataclass(frozen=True)
class Note:
    """Plain words of the report itself, which hold no number."""

    text: str

    kind: str = field(default="note", init=False)


@dataclass(frozen=True)
class Figure:
    """A drawing."""

    name: str
    words: str
    """What it shows, for those who do not see it."""
    is_half_wide: bool = False
    """Whether two stand side by side."""

    kind: str = field(default="figure", init=False)


@dataclass(frozen=True)
class Listing:
    """Lines of code, or of one command."""

    lines: Sequence[str]

    kind: str = field(default="listing", init=False)


Block = Table | Claims | Note | Figure | Listing


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it; without a block it is left out."""

    title: str
    blocks: Sequence[Block]
    level: int = 2


def keep(*sections: Section) -> list[Section]:
    """Sections that have something to say, and the headings over them."""
    kept: list[Section] = []
    for section in reversed(sections):
        over = bool(kept) and kept[-1].level > section.level
        if any(map(has_content, section.blocks)) or (over and section.level == 2 and not section.blocks):
            kept.append(section)
    return kept[::-1]


def select_section(claims: Sequence[Claim], section: str) -> list[Claim]:
    """The claims that stand in one section of a report."""
    return [claim for claim in claims if claim["section"] == section]


def has_content(block: Block) -> bool:
    """Whether a block shows anything."""
    if isinstance(block, Table):
        return bool(block.rows)
    return bool(block.claims) if isinstance(block, Claims) else True
