from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainrun.config import Config
from mainrun.data.corpus import CorpusSource
from mainrun.data.streams import PreparedData, prepare_data
from mainrun.metric.full_loss import FullLoss, sum_by_title
from mainrun.recipes import build_named_config
from mainrun.record.parquet import load_table
from mainrun.record.title_losses import COLUMNS, save_title_losses

VALIDATION = ["Ask HN: Why 2?", "show hn: x", "Tasked with it", "", "the same title", "½ of it"]


def small_config(num_titles: int) -> Config:
    settings = {"num_titles": str(num_titles), "val_fraction": str(len(VALIDATION) / num_titles), "vocab_size": "270",
                "block_size": "2", "batch_size": "1", "n_head": "1", "d_model": "2"}  # fmt: skip
    return build_named_config("baseline", "quick", settings)


@pytest.fixture
def data(tmp_path: Path) -> PreparedData:
    """A text file whose draw ends with the validation titles above."""
    drawn = ["the same title", "another one", "and more", "to train on", *VALIDATION]
    lines = [""] * len(drawn)
    for place, row in enumerate(np.random.default_rng(1337).permutation(len(drawn))):
        lines[row] = drawn[place]
    (tmp_path / "titles.txt").write_text("".join(f"{line}\n" for line in lines))
    data = prepare_data(small_config(len(drawn)), CorpusSource(str(tmp_path / "titles.txt")))
    assert data.corpus.validation_titles == VALIDATION
    return data


@pytest.fixture
def table(data: PreparedData, tmp_path: Path) -> dict[str, list[Any]]:
    losses = np.arange(len(data.streams.validation_ids), dtype=np.float64)
    save_title_losses(
        tmp_path / "t.parquet", data, sum_by_title(FullLoss(losses, data.num_chars), data.streams.title_num_tokens)
    )
    return load_table(tmp_path / "t.parquet", COLUMNS, schema_version=1)


def test_a_title_is_known_by_its_place_and_counted_with_its_separator(
    data: PreparedData, table: dict[str, list[Any]]
) -> None:
    assert table["title_index"] == [0, 1, 2, 3, 4, 5]
    assert table["num_chars"] == [len(title) + 5 for title in VALIDATION]
    assert table["num_tokens"] == data.streams.title_num_tokens.tolist()
    assert table["num_tokens"][3] == 1


def test_a_title_has_the_losses_of_its_own_ids(table: dict[str, list[Any]]) -> None:
    ends = np.cumsum(table["num_tokens"])
    starts = ends - table["num_tokens"]
    assert table["loss_nats"] == [float(sum(range(start, end))) for start, end in zip(starts, ends, strict=True)]


def test_titles_are_told_apart_by_kind_by_digits_and_by_whether_training_saw_them(
    table: dict[str, list[Any]],
) -> None:
    assert table["kind"] == ["ask", "show", "other", "other", "other", "other"]
    assert table["has_digit"] == [True, False, False, False, False, False]
    assert table["in_train"] == [False, False, False, False, True, False]


def test_no_text_is_stored(data: PreparedData, table: dict[str, list[Any]], tmp_path: Path) -> None:
    content = (tmp_path / "t.parquet").read_bytes()
    assert [title for title in VALIDATION if title and title.encode() in content] == []
    assert {type(value) for name in table if name != "kind" for value in table[name]} == {int, float, bool}
