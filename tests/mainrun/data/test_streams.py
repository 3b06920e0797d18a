from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainrun.config import Config
from mainrun.data import streams as prepare
from mainrun.data.corpus import CorpusSource
from mainrun.data.streams import PreparedData, prepare_data
from mainrun.data.tokenizer import Tokenizer, train_tokenizer
from mainrun.recipes import build_named_config
from mainrun.record.errors import RequestError

SYNTHETIC = CorpusSource("synthetic")


def config(**settings: Any) -> Config:
    small = {"num_titles": 300, "vocab_size": 300, "n_layer": 1, "n_head": 1, "d_model": 4, "block_size": 8,
             "batch_size": 4}  # fmt: skip
    return build_named_config("baseline", "quick", {key: str(value) for key, value in (small | settings).items()})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    prepare._tokenize.cache_clear()
    yield tmp_path / "cache" / "mainrun"
    prepare._tokenize.cache_clear()


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one entry, the size asked for, whenever a tokenizer is really trained."""
    asked: list[int] = []

    def count(titles: list[str], vocab_size: int, kind: str) -> Tokenizer:
        asked.append(vocab_size)
        return train_tokenizer(titles, vocab_size, kind)

    monkeypatch.setattr(prepare, "train_tokenizer", count)
    return asked


def prepare_afresh(wanted: Config) -> PreparedData:
    prepare._tokenize.cache_clear()
    return prepare_data(wanted, SYNTHETIC)


def assert_same(one: PreparedData, two: PreparedData) -> None:
    assert one.streams.tokenizer.token_bytes == two.streams.tokenizer.token_bytes
    for name in ("train_ids", "validation_ids", "title_num_tokens"):
        first, second = getattr(one.streams, name), getattr(two.streams, name)
        assert first.dtype == second.dtype == np.int32
        np.testing.assert_array_equal(first, second)
    assert one.corpus == two.corpus
    assert one.sizes == two.sizes


def test_a_second_run_reads_the_same_arrays_from_the_cache(cache: Path, trainings: list[int]) -> None:
    first = prepare_afresh(config())
    second = prepare_afresh(config())
    assert len(list(cache.iterdir())) == 1
    assert trainings == [300]
    assert_same(first, second)


def test_arms_of_one_process_share_their_streams_without_the_disk(cache: Path, trainings: list[int]) -> None:
    first = prepare_data(config(), SYNTHETIC)
    for entry in cache.iterdir():
        entry.unlink()
    assert prepare_data(config(n_layer=2), SYNTHETIC).streams is first.streams
    assert trainings == [300]


def flip_last_byte(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def flip_middle_byte(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES: list[Callable[[bytes], bytes]] = [
    flip_last_byte,
    flip_middle_byte,
    lambda content: content[:-100],
    lambda content: content[:64],
    lambda content: content[:10],
    lambda content: b"",
    lambda content: content + b"more",
    lambda content: b"0" * 64 + content[64:],
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_entry_is_rebuilt_never_used(
    damage: Callable[[bytes], bytes], cache: Path, trainings: list[int]
) -> None:
    first = prepare_afresh(config())
    [entry] = cache.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    second = prepare_afresh(config())
    assert trainings == [300, 300]
    assert entry.read_bytes() == whole
    assert_same(first, second)


def test_unigram_tokens_come_back_from_the_cache_as_they_were_learned(trainings: list[int]) -> None:
    first, second = (prepare_afresh(config(tokenizer="unigram")) for _ in range(2))
    assert trainings == [300]
    assert first.streams.tokenizer == second.streams.tokenizer
    assert first.streams.tokenizer.scores is not None
    assert_same(first, second)


@pytest.mark.parametrize("changes", [{"vocab_size": 310}, {"num_titles": 310}, {"tokenizer": "unigram"}])
def test_an_entry_of_other_settings_is_not_used(changes: dict[str, Any], cache: Path, trainings: list[int]) -> None:
    first = prepare_afresh(config())
    second = prepare_afresh(config(**changes))
    assert len(trainings) == len(list(cache.iterdir())) == 2
    assert not np.array_equal(first.streams.train_ids, second.streams.train_ids)


def test_other_titles_of_equal_number_are_not_taken_from_the_cache(
    tmp_path: Path, cache: Path, trainings: list[int]
) -> None:
    prepare_afresh(config())
    file = tmp_path / "titles.txt"
    file.write_text("".join(f"title number {number} of many more\n" for number in range(300)))
    prepare_data(config(), CorpusSource(str(file)))
    assert trainings == [300, 300]


def test_an_entry_of_another_library_version_is_not_used(
    monkeypatch: pytest.MonkeyPatch, cache: Path, trainings: list[int]
) -> None:
    prepare_afresh(config())
    monkeypatch.setattr(prepare, "version", lambda name: "0.0.1")
    prepare_afresh(config())
    assert trainings == [300, 300]


def test_the_oldest_entries_go_when_there_are_too_many(
    cache: Path, trainings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "MAX_CACHED", 2)
    for vocab_size in (300, 301, 302):
        prepare_afresh(config(vocab_size=vocab_size))
    assert len(list(cache.iterdir())) == 2
    for vocab_size in (302, 301, 300):
        prepare_afresh(config(vocab_size=vocab_size))
    assert trainings == [300, 301, 302, 300]


def test_a_cache_folder_that_cannot_be_made_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trainings: list[int]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    first = prepare_afresh(config())
    second = prepare_afresh(config())
    assert trainings == [300, 300]
    assert_same(first, second)


def test_a_folder_where_the_entry_should_be_is_no_error(cache: Path, trainings: list[int]) -> None:
    prepare_afresh(config())
    [entry] = cache.iterdir()
    entry.unlink()
    entry.mkdir()
    prepare_afresh(config())
    assert trainings == [300, 300]


def test_characters_are_counted_with_the_separator_of_every_title() -> None:
    data = prepare_data(config(), SYNTHETIC)
    titles = data.corpus.validation_titles
    assert data.title_num_chars.tolist() == [len(f"{title}<eos>") for title in titles]
    assert data.num_chars == len("".join(f"{title}<eos>" for title in titles))
    assert data.streams.title_num_tokens.sum() == len(data.streams.validation_ids)


def test_the_tokenizer_learns_from_training_and_validation_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[str] = []

    def note(titles: list[str], vocab_size: int, kind: str) -> Tokenizer:
        learned.extend(titles)
        return train_tokenizer(titles, vocab_size, kind)

    monkeypatch.setattr(prepare, "train_tokenizer", note)
    corpus = prepare_data(config(), SYNTHETIC).corpus
    assert learned == corpus.train_titles + corpus.validation_titles


def test_validation_titles_that_fill_no_span_are_refused_with_both_numbers() -> None:
    num_ids = len(prepare_data(config(), SYNTHETIC).streams.validation_ids)
    with pytest.raises(
        RequestError, match=rf"The validation titles are too few: .* {num_ids:,} tokens.* {num_ids + 1:,}\."
    ):
        prepare_data(config(block_size=num_ids, batch_size=1), SYNTHETIC)


def test_validation_titles_that_fill_just_one_span_are_enough() -> None:
    num_ids = len(prepare_data(config(), SYNTHETIC).streams.validation_ids)
    assert prepare_data(config(block_size=num_ids - 1, batch_size=1), SYNTHETIC).sizes.num_spans == 1


def test_training_titles_that_fill_no_step_are_refused_with_both_numbers() -> None:
    num_ids = len(prepare_data(config(), SYNTHETIC).streams.train_ids)
    with pytest.raises(
        RequestError, match=rf"The training titles are too few: .* {num_ids:,} tokens.* {num_ids + 1:,}\."
    ):
        prepare_data(config(block_size=num_ids, batch_size=1), SYNTHETIC)


@pytest.mark.parametrize("num_titles", [1, 2, 4])
def test_a_corpus_without_any_validation_title_is_refused(num_titles: int) -> None:
    with pytest.raises(RequestError, match="validation titles are too few: they give 0 tokens"):
        prepare_data(config(num_titles=num_titles, block_size=1, batch_size=1), SYNTHETIC)
