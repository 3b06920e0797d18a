"""Byte-level BPE: learned by the `tokenizers` library, applied by tiktoken from the learned ranks.

All 256 bytes are in the alphabet, so that any text round-trips; the special tokens have the first ids.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tiktoken
from numpy.typing import NDArray

from mainrun.rules import EOS_ID, SPECIAL_TOKENS

SCHEMA_VERSION = 1
GPT2_SPLIT = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
"""The split pattern of GPT-2: pieces across which no two bytes are merged."""


@dataclass(frozen=True)
class Tokenizer:
    """A learned vocabulary."""

    token_bytes: tuple[bytes, ...]
    """The bytes of every token; its place is its id. The first ones are `SPECIAL_TOKENS`, which no text maps to."""

    @property
    def vocab_size(self) -> int:
        return len(self.token_bytes)

    @cached_property
    def encoding(self) -> tiktoken.Encoding:
        """The tiktoken encoding of the vocabulary."""
        num_special = len(SPECIAL_TOKENS)
        return tiktoken.Encoding(
            "mainrun",
            pat_str=GPT2_SPLIT,
            mergeable_ranks={self.token_bytes[i]: i for i in range(num_special, self.vocab_size)},
            special_tokens={token: i for i, token in enumerate(SPECIAL_TOKENS)},
            explicit_n_vocab=self.vocab_size,
        )

    def encode_titles(self, titles: Iterable[str]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The stream of the titles (n,), and how many of its ids each title has (titles,), its `<eos>` included.

        A title is the ids of one space and its text, then one `<eos>`; an empty title is its `<eos>` alone. A special
        token's text inside a title is encoded as ordinary text.
        """
        encode = self.encoding.encode_ordinary
        stream: list[int] = []
        num_tokens: list[int] = []
        for title in titles:
            ids = encode(f" {title}") if title else []
            stream += ids
            stream.append(EOS_ID)
            num_tokens.append(len(ids) + 1)
        return np.array(stream, np.int32), np.array(num_tokens, np.int32)

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as it is stored; bytes in hexadecimal."""
        return {
            "schema_version": SCHEMA_VERSION,
            "split_pattern": GPT2_SPLIT,
            "special_tokens": SPECIAL_TOKENS,
            "token_bytes_hex": [token.hex() for token in self.token_bytes],
        }


def train_tokenizer(titles: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learns a vocabulary of at most `vocab_size` tokens; a small corpus has fewer merges to offer."""
    trained = train_bpe(titles, vocab_size)
    to_byte = {character: byte for byte, character in _byte_characters().items()}
    token_bytes = [b""] * trained.get_vocab_size()
    for token, token_id in trained.get_vocab().items():
        special = token_id < len(SPECIAL_TOKENS)
        token_bytes[token_id] = token.encode() if special else bytes(to_byte[character] for character in token)
    return Tokenizer(tuple(token_bytes))


def train_bpe(titles: Iterable[str], vocab_size: int) -> Any:
    """The trained `tokenizers.Tokenizer`, whose own encoder ours must equal on any text with one leading space."""
    from tokenizers import Tokenizer as BPETokenizer
    from tokenizers import models, pre_tokenizers, trainers

    trained = BPETokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator((f" {title}" for title in titles), trainer)
    return trained


def _byte_characters() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte: itself where it is printable, else a character from 256 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    characters = {byte: chr(byte) for byte in printable}
    for shift, byte in enumerate(byte for byte in range(256) if byte not in printable):
        characters[byte] = chr(256 + shift)
    return characters
