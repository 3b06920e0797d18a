"""The titles that no preset draws."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.held_out import list_held_out
from mainrun.data.corpus import CorpusSource, load_corpus
from mainrun.recipes import PRESETS, Preset


def test_held_out_titles_are_those_that_no_preset_draws_and_no_copy_of_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sizes = {"quick": 20, "mainrun": 60}
    for name, num_titles in sizes.items():
        monkeypatch.setitem(PRESETS, name, Preset({**PRESETS[name].scale, "data.num_titles": num_titles}, "synthetic"))
    monkeypatch.delitem(PRESETS, "laptop")
    data = str(tmp_path / "titles.parquet")
    pd.DataFrame({"title": [f"title {number // 2}" for number in range(100)]}).to_parquet(data)  # each one twice
    drawn = set[str]()
    for num_titles in sizes.values():
        corpus = load_corpus(CorpusSource(data), num_titles=num_titles, val_fraction=0.1)
        drawn |= {*corpus.train_titles, *corpus.validation_titles}
    held_out = list_held_out(data)
    assert held_out and not drawn & set(held_out)
    assert drawn | set(held_out) == {f"title {number}" for number in range(50)}
