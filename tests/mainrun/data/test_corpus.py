import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainrun.data.corpus import Corpus, CorpusSource, compute_fingerprint, load_corpus
from mainrun.record.errors import MachineError, RequestError

ROOT = Path(__file__).parents[3]
REAL_TITLES = ROOT.parent / "shared" / "data" / "hn_titles.parquet"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
# numpy.random.default_rng(1337).permutation(10), written down once.
PERMUTATION_OF_10 = [7, 6, 3, 5, 2, 8, 4, 9, 0, 1]
HOSTILE_TITLES = [
    "plain", "NA", "null", "None", "NaN", "nan", "1984", "007", "1e5", "2020-01-01", "true", "", "a, b", 'say "hi"',
    "line\u2028separator", "next\x85line", "form\x0cfeed", "tab\tbed", "<eos>", "ünïcödé \U0001f600", "-", "#N/A",
]  # fmt: skip


def load(path: Path | str, num_titles: int, val_fraction: float = 0.0, **options: Any) -> Corpus:
    return load_corpus(CorpusSource(str(path), **options), num_titles=num_titles, val_fraction=val_fraction)


def load_sorted(path: Path | str, num_titles: int, **options: Any) -> list[str]:
    return sorted(load(path, num_titles, **options).train_titles)


def load_error(path: Path | str, num_titles: int = 1, **options: Any) -> str:
    with pytest.raises(RequestError) as raised:
        load(path, num_titles, **options)
    return str(raised.value)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def save_text(titles: list[str], path: Path) -> None:
    write(path, "".join(f"{title}\n" for title in titles))


def save_json_lines(titles: list[str], path: Path) -> None:
    write(path, "".join(json.dumps({"id": n, "title": title}) + "\n" for n, title in enumerate(titles)))


def save_csv(titles: list[str], path: Path) -> None:
    pd.DataFrame({"id": range(len(titles)), "title": titles}).to_csv(path, index=False)


def save_one_column_csv(titles: list[str], path: Path) -> None:
    pd.DataFrame({"title": titles}).to_csv(path, index=False)


def save_parquet(titles: list[Any], path: Path) -> None:
    pd.DataFrame({"id": range(len(titles)), "title": titles}).to_parquet(path)


SAVERS: dict[str, Callable[[list[str], Path], None]] = {
    "titles.txt": save_text,
    "titles": save_text,
    "titles.csv": save_csv,
    "TITLES.CSV": save_one_column_csv,
    "titles.csv.gz": save_csv,
    "titles.jsonl": save_json_lines,
    "titles.ndjson": save_json_lines,
    "titles.json": save_json_lines,
    "titles.parquet": save_parquet,
}

# The draw, the split and the fingerprints


def test_titles_are_drawn_in_the_order_of_the_task_s_permutation(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "".join(f"{row}\n" for row in range(10)))
    assert load(path, 10).train_titles == [str(row) for row in PERMUTATION_OF_10]
    assert load(path, 4).train_titles == [str(row) for row in PERMUTATION_OF_10[:4]]


def test_the_draw_depends_on_how_many_titles_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "".join(f"{row}\n" for row in range(11)))
    assert load(path, 4).train_titles != [str(row) for row in PERMUTATION_OF_10[:4]]


def test_the_datasets_library_shuffles_with_the_same_permutation() -> None:
    import datasets

    for num_rows in (10, 1000):
        dataset = datasets.Dataset.from_dict({"title": [str(row) for row in range(num_rows)]})
        permutation = np.random.default_rng(1337).permutation(num_rows)
        assert dataset.shuffle(seed=1337).take(7)["title"][:] == [str(row) for row in permutation[:7]]
    assert np.random.default_rng(1337).permutation(10).tolist() == PERMUTATION_OF_10


def test_the_last_titles_of_the_draw_are_the_validation_titles(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "".join(f"{row}\n" for row in range(10)))
    corpus = load(path, 8, val_fraction=0.3)
    assert corpus.train_titles == ["7", "6", "3", "5", "2", "8"]
    assert corpus.validation_titles == ["4", "9"]


def test_titles_are_stripped_and_none_is_dropped_or_merged(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "  a \n\u00a0b\t\na\n   \n\nc\u2028\n")
    assert load_sorted(path, 6) == ["", "", "a", "a", "b", "c"]


def test_the_fingerprint_is_sha256_over_titles_with_a_zero_byte_after_each(tmp_path: Path) -> None:
    assert compute_fingerprint(["a", "é", ""]) == hashlib.sha256(b"a\0\xc3\xa9\0\0").hexdigest()
    assert compute_fingerprint([]) == hashlib.sha256(b"").hexdigest()


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)


@given(titles=st.lists(texts, min_size=1, max_size=6), other=texts, data=st.data())
@settings(deadline=None)
def test_the_fingerprint_changes_with_any_title(titles: list[str], other: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(titles) - 1))
    changed = [*titles[:index], other, *titles[index + 1 :]]
    assert (compute_fingerprint(changed) == compute_fingerprint(titles)) == (changed == titles)


@given(titles=st.lists(texts, min_size=2, max_size=6), data=st.data())
@settings(deadline=None)
def test_the_fingerprint_changes_when_two_titles_are_merged(titles: list[str], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(titles) - 2))
    merged = [*titles[:index], titles[index] + titles[index + 1], *titles[index + 2 :]]
    assert compute_fingerprint(merged) != compute_fingerprint(titles)


def test_the_record_tells_counts_size_and_fingerprints_but_no_folder(tmp_path: Path) -> None:
    path = write(tmp_path / "my titles.txt", "".join(f"{row}\n" for row in range(10)))
    corpus = load(path, 5, val_fraction=0.4)
    assert asdict(corpus.record) == {
        "source": "file",
        "name": "my titles.txt",
        "revision": None,
        "file_bytes": 20,
        "num_available": 10,
        "num_train_titles": 3,
        "num_validation_titles": 2,
        "train_sha256": hashlib.sha256(b"7\0006\0003\0").hexdigest(),
        "validation_sha256": hashlib.sha256(b"5\0002\0").hexdigest(),
    }


def test_too_few_titles_are_an_error_with_both_numbers(tmp_path: Path) -> None:
    message = load_error(write(tmp_path / "t.txt", "a\nb\n"), 1000)
    assert "has 2 titles" in message
    assert "needs 1,000" in message


# Files


@pytest.mark.parametrize("name", SAVERS)
def test_hostile_titles_survive_every_kind_of_file(tmp_path: Path, name: str) -> None:
    SAVERS[name](HOSTILE_TITLES, tmp_path / name)
    assert load_sorted(tmp_path / name, len(HOSTILE_TITLES)) == sorted(HOSTILE_TITLES)


def test_the_same_titles_have_the_same_fingerprints_whatever_the_file(tmp_path: Path) -> None:
    fingerprints = set()
    for name, save in SAVERS.items():
        save(HOSTILE_TITLES, tmp_path / name)
        record = load(tmp_path / name, 20, val_fraction=0.25).record
        fingerprints.add((record.num_available, record.train_sha256, record.validation_sha256))
    assert len(fingerprints) == 1


def test_all_numeric_titles_stay_text(tmp_path: Path) -> None:
    titles = ["007", "1984", "1e5", "2020-01-01"]
    for name, save in SAVERS.items():
        save(titles, tmp_path / name)
        assert load_sorted(tmp_path / name, 4) == titles, name


def test_dates_in_a_json_column_called_date_stay_text(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", '{"date": "2020-01-01"}\n{"date": "2021-01-01"}\n')
    assert load_sorted(path, 2, title_column="date") == ["2020-01-01", "2021-01-01"]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_the_title_column_can_have_another_name(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame({"title": ["no", "no"], "Überschrift": ["a", "b"]})
    if name == "t.csv":
        frame.to_csv(tmp_path / name, index=False)
    elif name == "t.jsonl":
        frame.to_json(tmp_path / name, orient="records", lines=True)
    else:
        frame.to_parquet(tmp_path / name)
    assert load_sorted(tmp_path / name, 2, title_column="Überschrift") == ["a", "b"]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_missing_column_is_an_error_with_the_columns_and_the_nearest(tmp_path: Path, name: str) -> None:
    SAVERS[name.replace("t.", "titles.")](["a"], tmp_path / name)
    message = load_error(tmp_path / name, title_column="titel")
    assert "'titel'" in message
    assert "it has 'id', 'title'" in message
    assert "nearest is 'title'" in message


def test_a_text_file_has_no_use_for_a_title_column(tmp_path: Path) -> None:
    assert load(write(tmp_path / "t.txt", "a\n"), 1, title_column="nonsense").train_titles == ["a"]


def test_text_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "a\r\nb\u2028b\nc\x85c\x0bc\x0cc\x1cc\nd\rd\n")
    assert load_sorted(path, 4) == ["a", "b\u2028b", "c\x85c\x0bc\x0cc\x1cc", "d\rd"]


@pytest.mark.parametrize(("content", "num_titles"), [("a\nb", 2), ("a\nb\n", 2), ("a\nb\n\n", 3), ("\n", 1)])
def test_the_final_newline_of_a_text_makes_no_title(tmp_path: Path, content: str, num_titles: int) -> None:
    assert load(write(tmp_path / "t.txt", content), 1).record.num_available == num_titles


def test_an_empty_csv_cell_is_an_empty_title(tmp_path: Path) -> None:
    assert load_sorted(write(tmp_path / "a.csv", 'id,title\n1,a\n2,\n3,""\n'), 3) == ["", "", "a"]
    assert load_sorted(write(tmp_path / "b.csv", 'title\na\n\n""\n'), 3) == ["", "", "a"]


def test_blank_lines_between_csv_rows_of_two_columns_are_no_titles(tmp_path: Path) -> None:
    assert load_sorted(write(tmp_path / "t.csv", "\n\nid,title\r\n1,a\r\n\r\n2,b\r\n\r\n"), 2) == ["a", "b"]


@pytest.mark.parametrize("content", ["title\nShow, a\nb\n", "title\nb\nShow, a\n", "id,title\n1,a,b\n2,c,d\n"])
def test_a_csv_row_with_a_field_too_many_is_an_error(tmp_path: Path, content: str) -> None:
    assert "cannot be read as CSV" in load_error(write(tmp_path / "t.csv", content))


def test_lone_surrogates_become_the_replacement_character(tmp_path: Path) -> None:
    lines = [r"x\ud800", r"\uDC00x", r"\udbff\ud83d\ude00", r"\\ud800", r"\"\uD800\u0041", r"\ud83d\uDE00"]
    path = write(tmp_path / "t.jsonl", "".join(f'{{"title": "{line}"}}\n' for line in lines))
    assert load_sorted(path, 6) == sorted(["x\ufffd", "\ufffdx", "\ufffd😀", r"\ud800", '"\ufffdA', "😀"])


def test_lone_surrogates_of_any_source_become_the_replacement_character(monkeypatch: pytest.MonkeyPatch) -> None:
    install_headlines(monkeypatch, lambda num_titles, seed: [" a\ud800b\udfff ", "c"])
    assert load("synthetic", 2).train_titles == ["a\ufffdb\ufffd", "c"]


@pytest.mark.parametrize("name", ["titles.txt", "titles.csv", "titles.jsonl"])
def test_a_byte_order_mark_is_dropped(tmp_path: Path, name: str) -> None:
    SAVERS[name](["a", "b"], tmp_path / name)
    write(tmp_path / name, b"\xef\xbb\xbf" + (tmp_path / name).read_bytes())
    assert load_sorted(tmp_path / name, 2) == ["a", "b"]


@pytest.mark.parametrize("name", ["t.txt", "t.csv", "t.jsonl"])
def test_invalid_utf8_is_an_error_with_file_and_byte_offset(tmp_path: Path, name: str) -> None:
    message = load_error(write(tmp_path / name, b"\xef\xbb\xbftitle\nab\xff\n"))
    assert name in message
    assert "0xff at byte offset 11" in message


@pytest.mark.parametrize(
    ("name", "found"),
    [("t.parquet", "null"), ("null.jsonl", "null"), ("absent.jsonl", "null"), ("number.jsonl", "type int")],
)
def test_a_title_that_is_no_text_is_an_error_with_file_column_and_row(tmp_path: Path, name: str, found: str) -> None:
    if name == "t.parquet":
        save_parquet(["a", "b", None], tmp_path / name)
    else:
        third = {"null.jsonl": '{"title": null}', "absent.jsonl": '{"id": 3}', "number.jsonl": '{"title": 7}'}[name]
        write(tmp_path / name, '{"title": "a"}\n{"title": "b"}\n' + third)
    message = load_error(tmp_path / name, 3)
    assert message.startswith("Row 3 of column 'title' of ")
    assert name in message
    assert found in message


def test_a_column_of_other_things_than_text_is_an_error(tmp_path: Path) -> None:
    for values in ([1, 2], [1.5, 2.5], [b"a", b"b"], [["a"], ["b"]], pd.to_datetime(["2020-01-01"] * 2)):
        pd.DataFrame({"title": values}).to_parquet(tmp_path / "t.parquet")
        assert "must be text" in load_error(tmp_path / "t.parquet")


def test_a_null_outside_the_draw_is_no_error(tmp_path: Path) -> None:
    titles = [None if row == PERMUTATION_OF_10[9] else str(row) for row in range(10)]
    save_parquet(titles, tmp_path / "t.parquet")
    assert len(load(tmp_path / "t.parquet", 9).train_titles) == 9
    assert "null" in load_error(tmp_path / "t.parquet", 10)


def test_a_path_without_a_readable_file_is_an_error(tmp_path: Path) -> None:
    assert "no file" in load_error(tmp_path / "absent.parquet")
    assert "directory" in load_error(tmp_path)
    assert "directory" in load_error("")
    assert "cannot be opened" in load_error("a\0b")
    assert "cannot be opened" in load_error("x" * 5000)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "a\n")
    path.chmod(0)
    assert "Permission denied" in load_error(path)


@pytest.mark.parametrize("name", SAVERS)
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    assert "is empty" in load_error(write(tmp_path / name, b""))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bom.txt", b"\xef\xbb\xbf"), ("t.csv.gz", gzip.compress(b"", mtime=0)), ("t.jsonl", b"\n"), ("t.csv", b"\n\n"),
        ("header.csv", b"title\n"),
    ],
)  # fmt: skip
def test_a_file_without_titles_is_an_error(tmp_path: Path, name: str, content: bytes) -> None:
    assert name in load_error(write(tmp_path / name, content))


def test_damaged_files_are_errors_with_the_file_s_name(tmp_path: Path) -> None:
    pd.DataFrame({"title": ["title"] * 100}).to_parquet(tmp_path / "whole.parquet", compression=None)
    parquet = (tmp_path / "whole.parquet").read_bytes()
    packed = gzip.compress(b"title\n" + bytes(range(97, 122)) * 50)
    damaged = {
        "cut.parquet": parquet[:-20],
        "text.parquet": b"title\na\n",
        "invalid-utf8.parquet": parquet.replace(b"title", b"titl\xff", 1),
        "cut.csv.gz": packed[:-9],
        "text.csv.gz": b"title\na\n",
        "flipped.csv.gz": packed[:20] + bytes(8) + packed[28:],
        "quote.csv": b'title\n"a\nb\n',
        "cut.jsonl": b'{"title": "a"}\n{"title": "b',
        "list.jsonl": b'{"title": "a"}\n["b"]\n',
        "array.json": b'[{"title": "a"}, {"title": "b"}]',
        "indented.json": b'[\n  {"title": "a"}\n]\n',
        "texts.jsonl": b'"a"\n"b"\n',
    }
    for name, content in damaged.items():
        message = load_error(write(tmp_path / name, content))
        assert name in message
        assert "cannot be read as" in message, message


@given(position=st.integers(0, 2000), byte=st.integers(0, 255), cut=st.booleans())
@settings(deadline=None, max_examples=150)
def test_a_parquet_file_with_a_wrong_byte_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int, cut: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.parquet"
    save_parquet([f"title {row}" for row in range(50)], path)
    content = bytearray(path.read_bytes())
    position %= len(content)
    content[position] = byte
    write(path, bytes(content[:position] if cut else content))
    try:
        load(path, 40)
    except RequestError as error:
        assert "fuzz.parquet" in str(error)


def test_the_words_hub_and_synthetic_never_name_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: "FakeHub"
) -> None:
    monkeypatch.chdir(tmp_path)
    install_headlines(monkeypatch, lambda num_titles, seed: ["generated"] * num_titles)
    for word in ("hub", "synthetic"):
        write(tmp_path / word, "from the file\n")
        assert load(word, 1).train_titles != ["from the file"]
        assert load(f"./{word}", 1).train_titles == ["from the file"]
        assert load(f"./{word}", 1).record.name == word


def test_a_revision_without_the_hub_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "a\n")
    assert "--data hub" in load_error(path, revision="main")
    assert "--data hub" in load_error("synthetic", revision="main")


@pytest.mark.skipif(not REAL_TITLES.exists(), reason="the stand-in titles ../shared/data/hn_titles.parquet are absent")
def test_the_stand_in_titles_give_the_counts_of_the_task() -> None:
    record = load(REAL_TITLES, 100_000, val_fraction=0.1).record
    assert record.num_available == 162_776
    assert (record.num_train_titles, record.num_validation_titles) == (90_000, 10_000)


# Synthetic


def install_headlines(monkeypatch: pytest.MonkeyPatch, generate: Callable[[int, int], list[str]]) -> None:
    module = ModuleType("mainrun.data.synthetic")
    module.generate_headlines = generate  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mainrun.data.synthetic", module)


def test_synthetic_titles_keep_the_order_in_which_they_were_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    install_headlines(monkeypatch, lambda num_titles, seed: [f"{seed} {n}" for n in range(num_titles)])
    corpus = load("synthetic", 10, val_fraction=0.2)
    assert corpus.train_titles == [f"1337 {n}" for n in range(8)]
    assert corpus.validation_titles == ["1337 8", "1337 9"]
    record = corpus.record
    assert (record.source, record.name, record.revision, record.file_bytes, record.num_available) == (
        "synthetic", "synthetic headlines v1", None, None, 10,
    )  # fmt: skip


def test_the_embedded_generator_gives_the_same_corpus_twice() -> None:
    assert load("synthetic", 200, val_fraction=0.1) == load("synthetic", 200, val_fraction=0.1)


# The hub


class FakeDataset:
    def __init__(self, columns: dict[str, list[str | None]]) -> None:
        self._columns = columns
        self.column_names = list(columns)

    def __len__(self) -> int:
        return len(self._columns[self.column_names[0]])

    def __getitem__(self, name: str) -> list[str | None]:
        return self._columns[name]

    def _select(self, rows: list[int]) -> "FakeDataset":
        return FakeDataset({name: [values[row] for row in rows] for name, values in self._columns.items()})

    def shuffle(self, *, seed: int) -> "FakeDataset":
        return self._select(np.random.default_rng(seed).permutation(len(self)).tolist())

    def take(self, num_rows: int) -> "FakeDataset":
        return self._select(list(range(num_rows)))


class FakeHub:
    """Stands for both libraries; keeps what was asked of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: dict[str, list[str | None]] = {"title": [str(row) for row in range(10)]}
        self.calls: list[tuple[str, ...]] = []
        self.info_error: Exception | None = None
        self.load_error: Exception | None = None

        class RevisionNotFoundError(OSError):
            pass

        self.revision_not_found = RevisionNotFoundError
        modules: dict[str, dict[str, Any]] = {
            "datasets": {"load_dataset": self._load_dataset},
            "huggingface_hub": {"HfApi": lambda: SimpleNamespace(dataset_info=self._dataset_info)},
            "huggingface_hub.errors": {"RevisionNotFoundError": RevisionNotFoundError},
        }
        for name, members in modules.items():
            module = ModuleType(name)
            module.__dict__.update(members)
            monkeypatch.setitem(sys.modules, name, module)

    def _dataset_info(self, name: str, *, revision: str | None, timeout: float) -> SimpleNamespace:
        self.calls.append(("resolve", name, str(revision)))
        if self.info_error:
            raise self.info_error
        return SimpleNamespace(sha=COMMIT)

    def _load_dataset(self, name: str, *, split: str, revision: str) -> Any:
        self.calls.append(("load", name, split, revision))
        if self.load_error:
            raise self.load_error
        return FakeDataset(self.rows)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    return FakeHub(monkeypatch)


def test_the_hub_s_titles_are_drawn_and_recorded_with_the_resolved_revision(hub: FakeHub) -> None:
    corpus = load("hub", 5, val_fraction=0.4)
    assert corpus.train_titles == ["7", "6", "3"]
    assert corpus.validation_titles == ["5", "2"]
    record = corpus.record
    assert (record.source, record.name, record.revision) == ("hub", "julien040/hacker-news-posts", COMMIT)
    assert (record.file_bytes, record.num_available) == (None, 10)


@pytest.mark.parametrize("options", [{}, {"revision": "v1"}])
def test_the_revision_is_resolved_first_and_exactly_that_commit_is_loaded(
    hub: FakeHub, options: dict[str, Any]
) -> None:
    load("hub", 5, **options)
    name = "julien040/hacker-news-posts"
    assert hub.calls == [("resolve", name, options.get("revision", "None")), ("load", name, "train", COMMIT)]


def test_the_real_dataset_class_gives_the_same_corpus_as_the_fake(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    import datasets
    import huggingface_hub

    dataset = datasets.Dataset.from_dict({"title": [str(row) for row in range(10)]})
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "load_dataset", lambda name, split, revision: dataset)
        patch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: SimpleNamespace(sha=COMMIT))
        from_real = load("hub", 7, 0.3)
    request.getfixturevalue("hub")
    assert from_real == load("hub", 7, 0.3)


def test_a_file_with_the_hub_s_rows_gives_the_hub_s_titles(hub: FakeHub, tmp_path: Path) -> None:
    save_text([str(row) for row in range(10)], tmp_path / "t.txt")
    from_hub, from_file = load("hub", 7, 0.3).record, load(tmp_path / "t.txt", 7, 0.3).record
    assert from_hub.train_sha256 == from_file.train_sha256
    assert from_hub.validation_sha256 == from_file.validation_sha256


def test_the_hub_s_rows_are_checked_as_a_file_s_are(hub: FakeHub) -> None:
    assert "has 10 titles, but the preset needs 11" in load_error("hub", 11)
    hub.rows["title"][PERMUTATION_OF_10[1]] = None
    assert load_error("hub", 2).startswith("Row 7 of julien040/hacker-news-posts at revision 0123")
    hub.rows = {"headline": ["a"]}
    assert "no column 'title'; it has 'headline'" in load_error("hub", 1)


def test_an_unknown_revision_is_the_user_s_error(hub: FakeHub) -> None:
    hub.info_error = hub.revision_not_found("404")
    assert "no revision 'v9'" in load_error("hub", revision="v9")


@pytest.mark.parametrize("stage", ["info_error", "load_error"])
@pytest.mark.parametrize("error", [ConnectionError("no route\nat all"), TimeoutError(), RuntimeError("httpx")])
def test_a_hub_that_cannot_be_used_is_the_machine_s_lack_and_names_the_ways_out(
    hub: FakeHub, stage: str, error: Exception
) -> None:
    setattr(hub, stage, error)
    with pytest.raises(MachineError, match="cannot be loaded") as raised:
        load("hub", 1)
    message = str(raised.value)
    assert "\n" not in message
    assert "--data FILE" in message
    assert "--data synthetic needs nothing" in message
    assert COMMIT in message or "unreachable" in message


@pytest.mark.parametrize("library", ["datasets", "huggingface_hub"])
def test_a_missing_library_is_the_machine_s_lack(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MachineError, match="library datasets, which cannot be imported"):
        load("hub", 1)


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, timeout=60)


def test_the_real_libraries_offline_end_in_the_one_clear_message() -> None:
    code = """
import sys
from mainrun.data.corpus import CorpusSource, load_corpus
from mainrun.record.errors import MachineError
try:
    load_corpus(CorpusSource("hub"), num_titles=10, val_fraction=0.1)
except MachineError as error:
    print(error)
    sys.exit(error.exit_code)
"""
    done = run_python(code, HF_HUB_OFFLINE="1")
    assert (done.returncode, done.stderr) == (6, "")
    assert len(done.stdout.splitlines()) == 1
    assert "the hub is unreachable" in done.stdout
    assert "--data synthetic needs nothing" in done.stdout


def test_importing_the_module_loads_no_heavy_library() -> None:
    heavy = ("torch", "pandas", "pyarrow", "datasets", "huggingface_hub")
    done = run_python(f"import sys, mainrun.data.corpus; print([name for name in {heavy} if name in sys.modules])")
    assert (done.returncode, done.stdout) == (0, "[]\n")
