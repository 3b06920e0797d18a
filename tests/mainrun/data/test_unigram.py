"""Unigram tokens: any text comes back, and the ids are those of the largest joint probability, found by other code."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check.unigram import UnigramEncoding
from mainrun.data.synthetic import generate_headlines
from mainrun.data.tokenizer import Tokenizer, train_tokenizer
from tests.mainrun.data.test_tokenizer import ANY_TEXT, HOSTILE_TEXTS, REAL_TITLES

TITLES = generate_headlines(2000)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TITLES, 1500, "unigram")


@pytest.fixture(scope="module")
def plain(tokenizer: Tokenizer) -> UnigramEncoding:
    return build_plain(tokenizer)


def build_plain(tokenizer: Tokenizer) -> UnigramEncoding:
    """The checker's code, from what is stored."""
    stored: dict[str, Any] = tokenizer.to_json()
    tokens = [bytes.fromhex(token) for token in stored["token_bytes_hex"]]
    return UnigramEncoding("unigram", stored["split_pattern"], tokens, stored["token_scores"], 3)


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode_titles([text])[0].tolist()
    assert ids.pop() == 1
    return ids


@pytest.mark.parametrize("kind", HOSTILE_TEXTS)
def test_hostile_text_comes_back_and_none_of_it_is_a_special_token(kind: str, tokenizer: Tokenizer) -> None:
    ids = encode(tokenizer, HOSTILE_TEXTS[kind])
    assert b"".join(tokenizer.token_bytes[i] for i in ids) == f" {HOSTILE_TEXTS[kind]}".encode()
    assert min(ids) >= 3


@settings(deadline=None, max_examples=100)
@given(text=ANY_TEXT)
def test_any_text_comes_back_and_gets_the_ids_of_the_plain_search(
    text: str, tokenizer: Tokenizer, plain: UnigramEncoding
) -> None:
    ids = encode(tokenizer, text)
    assert b"".join(tokenizer.token_bytes[i] for i in ids) == (f" {text}".encode() if text else b"")
    assert ids == (plain.encode_ordinary(f" {text}") if text else [])


def test_headlines_seen_and_not_seen_get_the_ids_of_the_plain_search(
    tokenizer: Tokenizer, plain: UnigramEncoding
) -> None:
    for title in generate_headlines(3000):
        assert encode(tokenizer, title) == plain.encode_ordinary(f" {title}")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(-40, -1), min_size=6, max_size=6), st.text("ab", min_size=1, max_size=12))
def test_of_equal_sums_the_longest_last_token_wins_as_in_the_plain_search(scores: list[int], text: str) -> None:
    """Scores of a few values on an alphabet of two letters: equal sums everywhere."""
    byte_tokens = [bytes([byte]) for byte in range(256) if byte not in b"ab"]
    tokens = (b"<pad>", b"<eos>", b"<unk>", b"a", b"b", b"aa", b"ab", b"ba", b"aab", *byte_tokens)
    coarse = [10 * (score // 10) for score in scores]
    tokenizer = Tokenizer(tokens, (0, 0, 0, *coarse, *(-50 for _ in byte_tokens)))
    assert encode(tokenizer, text) == build_plain(tokenizer).encode_ordinary(f" {text}")


def test_every_single_byte_is_a_token_no_token_stands_twice_and_specials_come_first(tokenizer: Tokenizer) -> None:
    ordinary = tokenizer.token_bytes[3:]
    assert tokenizer.token_bytes[:3] == (b"<pad>", b"<eos>", b"<unk>")
    assert {bytes([byte]) for byte in range(256)} <= set(ordinary)
    assert len(set(ordinary)) == len(ordinary)
    assert tokenizer.vocab_size == 1500
    assert tokenizer.scores is not None
    assert len(tokenizer.scores) == 1500


def test_learning_again_gives_the_same_tokens_and_the_same_scores(tokenizer: Tokenizer) -> None:
    for _ in range(3):
        assert train_tokenizer(TITLES, 1500, "unigram") == tokenizer


def test_an_empty_title_is_its_eos_alone_and_counts_are_by_title(tokenizer: Tokenizer) -> None:
    stream, num_tokens = tokenizer.encode_titles(["", TITLES[0], ""])
    assert (stream[0], stream[-1]) == (1, 1)
    assert num_tokens.tolist() == [1, len(encode(tokenizer, TITLES[0])) + 1, 1]
    assert stream.dtype == num_tokens.dtype == np.dtype(np.int32)


def test_it_needs_no_more_tokens_than_there_are_bytes_and_makes_words_of_them(tokenizer: Tokenizer) -> None:
    stream, _ = tokenizer.encode_titles(TITLES)
    assert len(stream) < 0.4 * sum(len(title.encode()) + 2 for title in TITLES)


@pytest.mark.skipif(not REAL_TITLES.exists(), reason="real titles are not at ../shared/data/hn_titles.parquet")
def test_real_headlines_come_back_and_get_the_ids_of_the_plain_search() -> None:
    import pandas as pd

    titles = pd.read_parquet(REAL_TITLES).select_dtypes(exclude="number").iloc[::20, 0].str.strip().tolist()
    learned, held_out = titles[:4000], titles[4000:8000]
    tokenizer = train_tokenizer(learned, 2000, "unigram")
    assert train_tokenizer(learned, 2000, "unigram") == tokenizer
    plain = build_plain(tokenizer)
    stream, _ = tokenizer.encode_titles(learned + held_out)
    assert stream.tolist() == [i for title in learned + held_out for i in [*plain.encode_ordinary(f" {title}"), 1]]
    text = "".join(f" {title}" for title in learned + held_out)
    assert b"".join(tokenizer.token_bytes[i] for i in stream.tolist() if i != 1) == text.encode()
