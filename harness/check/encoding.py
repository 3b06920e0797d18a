"""Titles to ids by the checker's own code, with the tokenizer that a run stored."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import tiktoken
from numpy.typing import NDArray

from harness.check.unigram import UnigramEncoding

SPECIAL_TOKENS = ["<pad>", "<eos>", "<unk>"]
EOS_ID = 1


def load_encoding(path: Path) -> tiktoken.Encoding | UnigramEncoding:
    """The encoding that a stored `tokenizer.json` describes; `ValueError` where it is no usable tokenizer."""
    return _build_encoding(path.name, path.read_bytes())


def encode_titles(path: Path, titles: list[str]) -> NDArray[np.int32]:
    """The stream of titles (n,) by a stored `tokenizer.json`: each title's ids after one space, then one `<eos>`.

    An empty title is its `<eos>` alone. Runs of one tokenizer share the stream, which is to be read only.
    """
    return _encode_titles(path.name, path.read_bytes(), tuple(titles))


@lru_cache(maxsize=4)
def _encode_titles(name: str, tokenizer: bytes, titles: tuple[str, ...]) -> NDArray[np.int32]:
    encoding, stream = _build_encoding(name, tokenizer), list[int]()
    with _panics_are_errors(name):
        for title in titles:
            stream += encoding.encode_ordinary(f" {title}") if title else []
            stream.append(EOS_ID)
    return np.array(stream, np.int32)


def _build_encoding(name: str, tokenizer: bytes) -> tiktoken.Encoding | UnigramEncoding:
    stored = json.loads(tokenizer)
    tokens = [bytes.fromhex(token) for token in stored["token_bytes_hex"]]
    num_special = len(SPECIAL_TOKENS)
    if stored["special_tokens"] != SPECIAL_TOKENS or len(set(tokens)) != len(tokens):
        raise ValueError(f"{name} does not begin with {', '.join(SPECIAL_TOKENS)}, or repeats a token")
    missing = [byte for byte in range(256) if bytes([byte]) not in tokens]
    if missing:
        raise ValueError(f"{name} has no token for byte {missing[0]}")
    if "token_scores" in stored:
        return UnigramEncoding(name, stored["split_pattern"], tokens, stored["token_scores"], num_special)
    ranks = {token: place for place, token in enumerate(tokens) if place >= num_special}
    special = {token: place for place, token in enumerate(SPECIAL_TOKENS)}
    with _panics_are_errors(name):
        return tiktoken.Encoding(
            name,
            pat_str=stored["split_pattern"],
            mergeable_ranks=ranks,
            special_tokens=special,
            explicit_n_vocab=len(tokens),
        )


@contextmanager
def _panics_are_errors(name: str) -> Iterator[None]:
    """A panic of the library's Rust code is no `Exception`, and would end the program."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"{name}: its pattern cannot be used: {str(error).splitlines()[0]}") from None
