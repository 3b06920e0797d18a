"""Byte-level BPE and unigram tokens: learned by the `tokenizers` library; BPE is applied by tiktoken from the ranks.

All 256 bytes are in the alphabet, so that any text round-trips; the special tokens have the first ids.
"""

import json
from collections.abc import Iterable, Iterator
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
NATS_PER_SCORE = 2.0**-13
NATS_OF_UNLEARNT_BYTES = 0.03
"""The library spaces the scores of at most 256 bytes that it did not learn by 0.0001, from the lowest one it did."""


@dataclass(frozen=True)
class Tokenizer:
    """A learned vocabulary."""

    token_bytes: tuple[bytes, ...]
    """The bytes of every token; its place is its id. The first ones are `SPECIAL_TOKENS`, which no text maps to."""
    scores: tuple[int, ...] | None = None
    """Log-probability of every token in `NATS_PER_SCORE`, of unigram tokens; None makes it BPE."""

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
        stream: list[int] = []
        num_tokens: list[int] = []
        texts = [f" {title}" if title else "" for title in titles]
        for ids in self._encode_by_bpe(texts) if self.scores is None else self._encode_by_unigram(texts, self.scores):
            stream += ids
            stream.append(EOS_ID)
            num_tokens.append(len(ids) + 1)
        return np.array(stream, np.int32), np.array(num_tokens, np.int32)

    def _encode_by_bpe(self, texts: Iterable[str]) -> Iterator[list[int]]:
        yield from map(self.encoding.encode_ordinary, texts)

    def _encode_by_unigram(self, texts: list[str], scores: tuple[int, ...]) -> Iterator[list[int]]:
        """Of each text the tokens of the largest joint probability; of equal ones those with the longest last token."""
        from tokenizers import Tokenizer as LibraryTokenizer
        from tokenizers import models

        stand_in = _byte_characters()  # no piece of a text is a special token: each mixes letters and punctuation
        names = ["".join(stand_in[byte] for byte in token) for token in self.token_bytes]
        vocabulary = [(name, score * NATS_PER_SCORE) for name, score in zip(names, scores, strict=True)]
        encoder = LibraryTokenizer(models.Unigram(vocabulary, unk_id=SPECIAL_TOKENS.index("<unk>")))
        encoder.pre_tokenizer = _build_splitter()
        yield from (found.ids for found in encoder.encode_batch(texts, add_special_tokens=False))

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as it is stored; bytes in hexadecimal."""
        stored: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "split_pattern": GPT2_SPLIT,
            "special_tokens": SPECIAL_TOKENS,
            "token_bytes_hex": [token.hex() for token in self.token_bytes],
        }
        return stored if self.scores is None else {**stored, "token_scores": self.scores}


def train_tokenizer(titles: Iterable[str], vocab_size: int, kind: str = "bpe") -> Tokenizer:
    """Learns a vocabulary of at most `vocab_size` tokens, `bpe` or `unigram`; a small corpus has fewer to offer."""
    if kind == "unigram":
        return _train_unigram(titles, vocab_size)
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
    trained.pre_tokenizer = _build_splitter()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator((f" {title}" for title in titles), trainer)
    return trained


def _train_unigram(titles: Iterable[str], vocab_size: int) -> Tokenizer:
    """Unigram tokens (Kudo 2018, arXiv:1804.10959) inside the pieces that BPE has.

    The library adds up in an order that differs from run to run, and gives bytes that it did not learn scores in one
    that is drawn by lot: scores are rounded, and those bytes get one in common, so that the same titles give the same
    tokens. Multiples of a power of two add up exactly, so that equal sums are equal.
    """
    from tokenizers import Tokenizer as UnigramTokenizer
    from tokenizers import models, pre_tokenizers, trainers

    trained = UnigramTokenizer(models.Unigram())
    trained.pre_tokenizer = _build_splitter()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        unk_token="<unk>",
        show_progress=False,
    )
    trained.train_from_iterator((f" {title}" for title in titles), trainer)
    to_byte = {character: byte for byte, character in _byte_characters().items()}
    learned: list[tuple[str, float]] = json.loads(trained.to_str())["model"]["vocab"][len(SPECIAL_TOKENS) :]
    lowest = min(score for _, score in learned)
    scores = {}
    for name, score in learned:
        is_common = len(name) == 1 and score < lowest + NATS_OF_UNLEARNT_BYTES
        scores[bytes(to_byte[character] for character in name)] = round(
            (lowest if is_common else score) / NATS_PER_SCORE
        )
    ordered = sorted(scores, key=lambda token: (-scores[token], token))
    return Tokenizer(
        (*(token.encode() for token in SPECIAL_TOKENS), *ordered),
        (*(0 for _ in SPECIAL_TOKENS), *(scores[token] for token in ordered)),
    )


def _build_splitter() -> Any:
    """GPT-2's split into pieces, each byte written as its stand-in."""
    from tokenizers import pre_tokenizers

    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def _byte_characters() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte: itself where it is printable, else a character from 256 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    characters = {byte: chr(byte) for byte in printable}
    for shift, byte in enumerate(byte for byte in range(256) if byte not in printable):
        characters[byte] = chr(256 + shift)
    return characters
