"""The checker's reading of titles against the training program's, which it does not import: two codes, one answer."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.check import reread
from harness.check.registry import Titles
from harness.check.reread import read_titles
from harness.verify.verify import verify
from mainrun.data.corpus import CorpusSource, load_corpus
from mainrun.data.synthetic import generate_headlines
from mainrun.record.errors import MachineError, RequestError
from tests.harness.fakes import FakeLauncher, make_comparison
from tests.mainrun.data.test_corpus import HOSTILE_TITLES, SAVERS, save_parquet, write

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def build_plan(num_train_titles: int, num_validation_titles: int) -> Any:
    counts = {"num_train_titles": num_train_titles, "num_validation_titles": num_validation_titles}
    return SimpleNamespace(corpus=counts)


def read_both(source: CorpusSource, num_titles: int) -> tuple[Titles | str, Titles]:
    loaded = load_corpus(source, num_titles=num_titles, val_fraction=0.25)
    plan = build_plan(len(loaded.train_titles), len(loaded.validation_titles))
    return read_titles(plan, source), Titles(loaded.train_titles, loaded.validation_titles)


@pytest.mark.parametrize("name", SAVERS)
def test_a_file_of_any_format_gives_the_titles_that_were_trained_on(name: str, tmp_path: Path) -> None:
    titles = [title for title in HOSTILE_TITLES if title or name != "TITLES.CSV"] + ["  stripped  ", "last"]
    SAVERS[name](titles, tmp_path / name)
    again, trained = read_both(CorpusSource(str(tmp_path / name)), len(titles) - 3)
    assert again == trained


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "\ufefftitle,id\r\na,1\r\n\r\nb,2\r\nc,3\r\nd,4\r\n"),
        ("t.csv", '\ntitle\na\n\n"b ""c"""\n"d, e"\n'),
        ("t.jsonl", '{"title": "a \\ud83d"}\n\n{"title": "\\ud83d\\ude00"}\r\n{"title": "c"}\n{"title": "\\\\ud83d"}'),
        ("t.txt", "\ufeffa\r\nb\n\nd\x0ce"),
        ("t.gz", "a\nb\nc\nd\n"),
    ],
)
def test_the_corners_of_the_formats_are_read_alike(name: str, content: str, tmp_path: Path) -> None:
    again, trained = read_both(CorpusSource(str(write(tmp_path / name, content))), 4)
    assert again == trained


def test_synthetic_titles_are_made_by_the_released_generator_only(monkeypatch: pytest.MonkeyPatch) -> None:
    again, trained = read_both(CorpusSource("synthetic"), 40)
    assert again == trained
    more, trained_on_more = read_both(CorpusSource("synthetic"), 1_200)
    assert more == trained_on_more
    monkeypatch.setattr(reread, "generate_headlines", lambda num_titles, seed: ["easy"] * num_titles)
    assert read_titles(build_plan(30, 10), CorpusSource("synthetic")) == (
        "the generator of synthetic titles here is not the released one"
    )


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stands for the hub; holds what was asked of it."""
    asked: list[Any] = []

    def load_dataset(name: str, *, split: str, revision: str) -> dict[str, list[str]]:
        asked.append((name, split, revision))
        return {"title": [str(row) for row in range(10)]}

    module = ModuleType("datasets")
    module.__dict__["load_dataset"] = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    return asked


def test_the_hubs_titles_are_drawn_and_cut_by_the_permutation_written_down(hub: list[Any]) -> None:
    titles = read_titles(build_plan(3, 2), CorpusSource("hub", COMMIT))
    assert titles == Titles(["7", "6", "3"], ["5", "2"])
    assert hub == [("julien040/hacker-news-posts", "train", COMMIT)]


def test_a_hub_that_cannot_be_reached_is_the_machines_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MachineError, match=f"revision {COMMIT} cannot be read from the hub"):
        read_titles(build_plan(3, 2), CorpusSource("hub", COMMIT))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.jsonl", '{"title": null}\n', "holds None where a title"),
        ("t.jsonl", '{"other": "a"}\n', "cannot be read again: KeyError"),
        ("t.csv", "other\na\n", "cannot be read again: ValueError"),
        ("t.csv.gz", "no gzip", "cannot be read again"),
        ("t.parquet", "no parquet", "cannot be read again"),
        ("t.txt", b"\xff", "cannot be read again: UnicodeDecodeError"),
    ],
)
def test_a_file_that_does_not_hold_titles_is_the_users_error(
    name: str, content: str | bytes, said: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=re.escape(said)):
        read_titles(build_plan(1, 0), CorpusSource(str(write(tmp_path / name, content))))
    with pytest.raises(RequestError, match="No such file"):
        read_titles(build_plan(1, 0), CorpusSource(str(tmp_path / "gone.txt")))


def test_verify_does_not_use_the_training_programs_loaders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader that was tampered with after the training cannot make its own titles pass."""
    path = tmp_path / "titles.parquet"
    save_parquet(list(generate_headlines(450)), path)
    folder = make_comparison(tmp_path, data=str(path))

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("the training program's own code")

    for name in (
        "mainrun.data.corpus.load_corpus",
        "mainrun.data.corpus.load_title_file",
        "mainrun.data.title_files.load_title_file",
    ):
        monkeypatch.setattr(name, fail)
    monkeypatch.setattr("harness.launch.again.Again.begin_all", lambda _: "not asked here")
    findings = {finding.name: finding.status for finding in verify(folder, str(path), None, FakeLauncher())}
    checked = ("fingerprints", "denominator", "tokens", "round-trip", "facts-by-title")
    assert [findings[name] for name in checked] == ["PASS"] * 5
