"""The checker's reader of files and the training program's: on any file both give the same titles, or none."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check.reread_files import read_file
from mainrun.data.title_files import load_title_file
from mainrun.record.errors import RequestError
from tests.mainrun.data.test_title_files import READ, REFUSED, write

PIECES = [
    '"', '"', '""', ",", ",", ";", "\t", "|", "\n", "\n", "\r\n", "\r", " ", "title", "title", "Title", "id", "a",
    "b c", "[", "]", "{", "}", "sep=;", "\ufeff", "é", "\u2028", "\0", "x" * 1_999, '{"title": "x"}', "[1]",
]  # fmt: skip
OBJECTS = [
    '{"title": "x"}', '{"title": null, "a": 1}', '{"b": [1, {"c": 2}]}', '{"title": 3}', '{"title": "\\ud83d"}', "",
    " ", "[1]", "x", '{"a": NaN}', '{"a": 1, "a": 2}', '"title"', '{"title": "x"}\r',
]  # fmt: skip
HEADERS = ["title", "id,title", "id;title;note", '"title"\tb', "a,title,b\r", "title,title", "sep=,\nid,title"]
ROWS = [
    "1,x", '1,"x, y"', '"a";"b";"c"', '1,"x', '"', '1,x"', "a\tb", "a,b,c\r", 'a,"b\r\nc",d', 'a,"b,c\r\n1,2",d', "",
    "x", ",", '""', '"a""b",c', ' "a",b', '1,x,"y\n2,z,w"', '1;x;"y\nz"', '1;"p;q\n2";r', "a,b\rc,d",
]  # fmt: skip
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=10).map("".join),
    st.lists(st.sampled_from(OBJECTS), max_size=7).map("\n".join),
    st.builds(lambda head, rows: "\n".join([head, *rows]), st.sampled_from(HEADERS), st.lists(st.sampled_from(ROWS))),
)


def read_both(path: Path) -> tuple[list[object] | None, list[object] | None]:
    trained: list[object] | None
    try:
        trained = load_title_file(str(path), "title").values
    except RequestError:
        trained = None
    try:
        return trained, read_file(str(path), "title")
    except (OSError, ValueError, LookupError, RecursionError):
        return trained, None


@given(content=texts, name=st.sampled_from(["t.csv", "t.tsv", "t.txt", "t.jsonl", "T.CSV.GZ"]))
@settings(deadline=None, max_examples=300)
def test_any_file_gives_both_readers_the_same_titles_or_none(
    tmp_path_factory: pytest.TempPathFactory, content: str, name: str
) -> None:
    trained, checked = read_both(write(tmp_path_factory.getbasetemp() / name, content))
    assert trained == checked


@pytest.mark.parametrize("case", [*READ, *REFUSED])
def test_the_checker_reads_and_refuses_what_the_training_program_does(case: str, tmp_path: Path) -> None:
    name, content, *_ = READ.get(case) or REFUSED[case]
    trained, checked = read_both(write(tmp_path / name, content))
    assert trained == checked
    assert (trained is None) == (case in REFUSED)


def test_the_checker_reads_titles_that_are_the_index_of_a_parquet_file(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [1, 2], "title": ["a", "b"], "day": ["x", "y"]})
    for index, titles in ((["title"], ["a", "b"]), (["day", "title"], ["a", "b"]), (["day"], ["a", "b"])):
        frame.set_index(index).to_parquet(tmp_path / "t.parquet")
        assert read_both(tmp_path / "t.parquet") == (titles, titles)
    frame[["n"]].to_parquet(tmp_path / "t.parquet")
    assert read_both(tmp_path / "t.parquet") == (None, None)
