"""What the corpus, its split and the tokenizer are asked for."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from mainrun.rules import VAL_FRACTION
from mainrun.settings import Count, InnerShare, Section

TITLE_COLUMN = "title"
"""The column of a local file that holds its titles, where no other is named."""


@dataclass(frozen=True, kw_only=True)
class DataSettings(Section):
    """Titles and tokens."""

    section: ClassVar[str] = "data"
    num_titles: Count
    """Titles of the corpus, training and validation together."""
    vocab_size: Count
    """Tokens asked of the tokenizer; a small corpus yields fewer."""
    val_fraction: InnerShare = VAL_FRACTION
    """Share of the titles held out, 0 to 1."""
    tokenizer: Literal["bpe", "unigram"] = "bpe"
    """How the tokens are learned and chosen."""
