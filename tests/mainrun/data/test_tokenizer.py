from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainrun.data.synthetic import generate_headlines
from mainrun.data.tokenizer import Tokenizer, train_bpe, train_tokenizer

REAL_TITLES = Path(__file__).parents[3] / ".." / "shared" / "data" / "hn_titles.parquet"
HOSTILE_TEXTS = {
    "emoji": "I \U0001f600\U0001f469‍\U0001f4bb love \U0001f1e9\U0001f1ea",
    "CJK": "日本語のタイトル 中文標題 한국어",
    "control characters": "a\x01b\x1fc\x7f\x80\x9fd",
    "replacement character": "bad � byte ��",
    "combining": "éà̂ n̈n̈",
    "separator": "what is <eos> for? <eos><pad><unk>",
    "separator alone": "<eos>",
    "null byte": "a\x00b \x00",
    "exotic space first": "  　 wide",
    "spaces": "  two  three   ",
    "line ends": "a\nb\r\n\n c\x0b\x0cd\x85e f",
    "apostrophes": "It's we've they'LL 'tis o'clock'",
    "digits": "١٢٣ 42 ½ Ⅷ ²",
    "right to left": "שלום ‮ עולם",
    "last code point": "\U0010ffff￾",
}
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def titles() -> list[str]:
    return generate_headlines(2000)


@pytest.fixture(scope="module")
def trained(titles: list[str]) -> Any:
    """The trainer's own encoder, which takes the specials' text for ordinary text as ours does."""
    bpe = train_bpe(titles, 1500)
    bpe.encode_special_tokens = True
    return bpe


@pytest.fixture(scope="module")
def tokenizer(titles: list[str]) -> Tokenizer:
    return train_tokenizer(titles, 1500)


def encode(tokenizer: Tokenizer, title: str) -> list[int]:
    ids: list[int] = tokenizer.encode_titles([title])[0].tolist()
    return ids


def decode(tokenizer: Tokenizer, ids: list[int]) -> bytes:
    return b"".join(tokenizer.token_bytes[i] for i in ids)


def test_headlines_get_the_ids_that_the_trainer_itself_gives(
    titles: list[str], trained: Any, tokenizer: Tokenizer
) -> None:
    held_out = generate_headlines(3000)[2000:]
    for title in [*titles, *held_out]:
        assert encode(tokenizer, title) == [*trained.encode(f" {title}").ids, 1]


@pytest.mark.parametrize("kind", HOSTILE_TEXTS)
def test_hostile_text_gets_the_ids_that_the_trainer_itself_gives(kind: str, trained: Any, tokenizer: Tokenizer) -> None:
    text = HOSTILE_TEXTS[kind]
    assert encode(tokenizer, text) == [*trained.encode(f" {text}").ids, 1]


@settings(deadline=None, max_examples=150)
@given(text=ANY_TEXT.filter(bool))
def test_any_text_gets_the_ids_that_the_trainer_itself_gives(text: str, trained: Any, tokenizer: Tokenizer) -> None:
    assert encode(tokenizer, text) == [*trained.encode(f" {text}").ids, 1]


@settings(deadline=None, max_examples=150)
@given(text=ANY_TEXT)
def test_any_text_comes_back_behind_its_one_leading_space(text: str, tokenizer: Tokenizer) -> None:
    *ids, last = encode(tokenizer, text)
    assert last == 1
    assert decode(tokenizer, ids) == (b" " + text.encode() if text else b"")


def test_the_special_tokens_have_the_first_ids(tokenizer: Tokenizer) -> None:
    assert tokenizer.token_bytes[:3] == (b"<pad>", b"<eos>", b"<unk>")
    assert tokenizer.vocab_size == len(tokenizer.token_bytes) == 1500


def test_every_single_byte_is_a_token_and_no_token_stands_twice(tokenizer: Tokenizer) -> None:
    ordinary = tokenizer.token_bytes[3:]
    assert {bytes([byte]) for byte in range(256)} <= set(ordinary)
    assert len(set(ordinary)) == len(ordinary)


def test_the_text_of_a_special_token_is_ordinary_text(tokenizer: Tokenizer) -> None:
    ids = encode(tokenizer, "<eos> <pad> <unk>")
    assert min(ids[:-1]) >= 3
    assert ids[-1] == 1


def test_a_corpus_full_of_separators_still_learns_no_token_for_them() -> None:
    tokenizer = train_tokenizer(["<eos><eos>"] * 50, 600)
    assert b"<eos>" not in tokenizer.token_bytes[3:]
    assert min(encode(tokenizer, "<eos>")[:-1]) >= 3


def test_an_empty_title_is_its_eos_alone(tokenizer: Tokenizer) -> None:
    stream, num_tokens = tokenizer.encode_titles(["", "a", ""])
    assert (stream[0], stream[-1]) == (1, 1)
    assert (num_tokens[0], num_tokens[-1]) == (1, 1)


def test_the_stream_is_the_titles_one_after_the_other(titles: list[str], tokenizer: Tokenizer) -> None:
    stream, num_tokens = tokenizer.encode_titles(titles[:50])
    parts = [encode(tokenizer, title) for title in titles[:50]]
    assert stream.tolist() == [i for part in parts for i in part]
    assert num_tokens.tolist() == [len(part) for part in parts]
    assert stream.dtype == num_tokens.dtype == np.dtype(np.int32)


def test_no_titles_give_an_empty_stream(tokenizer: Tokenizer) -> None:
    stream, num_tokens = tokenizer.encode_titles([])
    assert (len(stream), len(num_tokens)) == (0, 0)


def test_a_small_corpus_yields_fewer_tokens_than_asked() -> None:
    tokenizer = train_tokenizer(["hello hello", "hello"], 16_000)
    assert 3 + 256 < tokenizer.vocab_size < 300
    assert len(encode(tokenizer, "hello")) == 2


def test_training_twice_gives_the_same_vocabulary(titles: list[str], tokenizer: Tokenizer) -> None:
    assert train_tokenizer(titles, 1500).token_bytes == tokenizer.token_bytes


def test_the_stored_vocabulary_holds_the_bytes_of_every_token(tokenizer: Tokenizer) -> None:
    stored = tokenizer.to_json()
    assert [bytes.fromhex(token) for token in stored["token_bytes_hex"]] == list(tokenizer.token_bytes)
    assert list(stored["special_tokens"]) == ["<pad>", "<eos>", "<unk>"]


@pytest.mark.skipif(not REAL_TITLES.exists(), reason="real titles are not at ../shared/data/hn_titles.parquet")
def test_real_headlines_get_the_ids_that_the_trainer_itself_gives() -> None:
    import pandas as pd

    titles = pd.read_parquet(REAL_TITLES).iloc[:, :].select_dtypes(exclude="number").iloc[::5, 0].str.strip().tolist()
    learned, held_out = titles[:8000], titles[8000:16_000]
    trained = train_bpe(learned, 4000)
    trained.encode_special_tokens = True
    tokenizer = train_tokenizer(learned, 4000)
    # Rows, never titles: real text stays out of test logs.
    rows = [
        row
        for row, title in enumerate(learned + held_out)
        if title and encode(tokenizer, title) != [*trained.encode(f" {title}").ids, 1]
    ]
    assert rows == []
