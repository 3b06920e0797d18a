"""Files that other programs made: read as what they are, or refused by file and line; never read as something else."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from mainrun.data.title_files import load_title_file
from mainrun.record.errors import RequestError

JOINED = 'id,title\n1,a\n2,"b\n' + "".join(f"{n},c\n" for n in range(100)) + '103,d"\n104,e\n'

READ: dict[str, tuple[str, str, list[str | None]]] = {
    "semicolons": ("t.csv", "id;title;n\n1;a, b;2\n2;c;3\n", ["a, b", "c"]),
    "a semicolon in quotes": ("t.csv", 'id;title\n1;"a;b"\n2;"c ""d"""\n', ["a;b", 'c "d"']),
    "tabs in a CSV": ("t.csv", "id\ttitle\n1\ta, b; c\n", ["a, b; c"]),
    "a TSV": ("t.tsv", "id\ttitle\n1\ta, b\n2\tc\n", ["a, b", "c"]),
    "a TSV of one column": ("T.TSV", "title\nShow, a\nb; c\n", ["Show, a", "b; c"]),
    "a TSV that holds commas": ("t.tsv", "id,title\n1,a\n", ["a"]),
    "a packed TSV": ("t.tsv.gz", "title\tn\na\t1\n", ["a"]),
    "a CSV of one column with semicolons": ("t.csv", "title\na; b\nc\td\n", ["a; b", "c\td"]),
    "one column, quoted": ("t.csv", '"title"\n"a, b"\n"c"\n', ["a, b", "c"]),
    "a line that names the separator": ("t.csv", "sep=;\r\nid;title\r\n1;a\r\n", ["a"]),
    "the same in quotes": ("t.csv", '"SEP=\t"\nid\ttitle\n1\ta\n', ["a"]),
    "a header with another separator in a name": ("t.csv", 'title;"a,b"\nx;y\n', ["x"]),
    "quotes inside a field that has none around it": ("t.csv", 'n,title\n1,5" disk and a "b"\n', ['5" disk and a "b"']),
    "line breaks in a cell beside the title": ("t.csv", 'title,text\na,"one\ntwo\n\nthree"\nb,c\n', ["a", "b"]),
    "the same with as many commas as columns": ("t.csv", 'n,title,text\n1,a,"x, y\nz, v, w"\n', ["a"]),
    "line ends of an old Macintosh": ("t.csv", "n,title\r1,a\r2,b\r", ["a", "b"]),
    "empty lines at both ends": ("t.csv", "\r\n\r\nn,title\r\n1,a\r\n  \r\n", ["a"]),
    "an index that pandas wrote": ("t.csv", ",title\n0,a\n1,b\n", ["a", "b"]),
    "a long text beside the title": ("t.csv", f"title,text\na,{'x' * 100_000}\n", ["a"]),
    "a title of 2,000 characters": ("t.csv", f"title\n{'x' * 2000}\n", ["x" * 2000]),
    "JSON lines without the column here and there": ("t.jsonl", '{"title": "a"}\n\n{"n": 1}\n', ["a", None]),
    "JSON lines with line breaks": ("t.jsonl", '{"title": "a\\nb"}\r\n', ["a\nb"]),
    "a text with titles that look like JSON": ("t.txt", '{"a": 1}\n[1984]\n"b"\n', ['{"a": 1}', "[1984]", '"b"']),
    "a text with the word in its first title": ("t.txt", "The title, too\ntitle\n", ["The title, too", "title"]),
}  # fmt: skip

REFUSED: dict[str, tuple[str, str, str]] = {
    "a stray quote that joins rows into a title": ("t.csv", JOINED, "line 3 begins a quoted field"),
    "the same before the title": ("t.csv", 'n,x,title\n1,"a,b\n2,c",d\n', "line 2 begins a quoted field"),
    "the same after the title": ("t.csv", 'title,x\na,"b\nc,d\ne,f"\ng,h\n', "line 2 begins a quoted field"),
    "the same in a TSV": ("t.tsv", 'n\ttitle\n1\t"a\n2\tb"\n', "cannot be read as TSV: line 2 begins a quoted field"),
    "the same with semicolons": ("t.csv", 'n;title;x\n1;a;"b\n\n2;c;d"\n', "line 2 begins a quoted field"),
    "a quote that never closes": ("t.csv", 'title\na\n"b\nc\n', "line 3 begins a row whose quotes do not match"),
    "text after a quote that closes": ("t.csv", 'title\na\n"b" c\n', "line 3 begins a row whose quotes do not match"),
    "a quote that a backslash should escape": ("t.csv", 'title\n"a \\"b\\" c"\n', "line 2 begins a row whose quotes"),
    "a space before a quote": ("t.csv", 'n,title\n1, "a"\n', "line 2 has a space before a quote"),
    "a title with a line break": ("t.csv", 'n,title\n1,a\n2,"b\r\nc"\n', "line 3 begins a quoted field"),
    "a field too many": ("t.csv", "n,title\n1,a\n\n2,b, c\n", "line 4 has 3 fields, but the header has 2"),
    "a field too few": ("t.csv", "n,title\n1,a\n2\n", "line 3 has 1 fields, but the header has 2"),
    "a semicolon too many": ("t.csv", "n;title\n1;a;b\n", "around a field that holds a semicolon"),
    "a lone carriage return": ("t.csv", "title\na\nb\rc\n", "line 3 holds a carriage return"),
    "line ends with two carriage returns": ("t.csv", "title\r\r\na\r\r\n", "line 1 holds a carriage return"),
    "a title of 2,001 characters": ("t.csv", f"n,title\n1,a\n2,{'x' * 2001}\n", "2,001 characters at line 3"),
    "a long line of text": ("t.txt", f"a\n{'x' * 2001}\n", "2,001 characters at line 2"),
    "two columns of one name": ("t.csv", "title,title\na,b\n", "several columns 'title'"),
    "a separator that is not read": ("t.csv", "n|title\n1|a\n", "has no column 'title'; it has 'n|title'"),
    "a line that names such a separator": ("t.csv", "sep=|\nn|title\n1|a\n", "has the separator '|'"),
    "a header whose quotes do not match": ("t.csv", '\n"n,title\n1,a\n', "line 2 should name the columns"),
    "no header": ("t.csv", "1,Show\n2,Ask\n", "has no column 'title'; it has '1', 'Show'"),
    "JSON lines that are called a text": ("t.txt", '{"title": "a"}\n{"title": "b"}\n', "the ending .jsonl"),
    "a JSON array that is called a text": ("t.txt", '[\n{"title": "a"},\n{"title": "b"}\n]\n', "holds a JSON array"),
    "a table that is called a text": ("t.txt", "n\tTitle\n1\ta\n", "which names columns"),
    "the same with bars": ("titles", "n|title\n1|a\n", "which names columns"),
    "one column that is called a text": ("t.txt", "\ufefftitle\na\n", "which names columns"),
    "UTF-16 without a mark": ("t.txt", "a\0\n\0b\0", "holds zero bytes"),
    "a zero byte in a CSV": ("t.csv", "title\na\0b\n", "holds zero bytes"),
    "a line of JSON that is cut off": ("t.jsonl", '{"title": "a"}\n{"title": "b\n', "line 2 is no JSON"),
    "a line of JSON that is no object": ("t.jsonl", '{"title": "a"}\n"b"\n', "line 2 holds something else"),
    "two titles in one object": ("t.jsonl", '{"title": "a", "title": "b"}\n', "a name stands twice in one object"),
    "JSON lines that nest too deep": ("t.jsonl", "[" * 100_000 + "\n", "line 1 is no JSON"),
}  # fmt: skip

NEAREST = [
    (["n", "headline", "time"], "headline"),
    (["id", "Title"], "Title"),
    (["id", " title"], " title"),
    (["time", "post_title", "titles"], "post_title"),
    (["url", "titel"], "titel"),
    (["type", "text"], "text"),
    (["site", "subject"], "subject"),
    (["id", "time", "site"], None),
]


def write(path: Path, content: str) -> Path:
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix.lower() == ".gz" else data)
    return path


@pytest.mark.parametrize("case", READ)
def test_what_can_be_read_in_one_way_only_is_read_so(case: str, tmp_path: Path) -> None:
    name, content, titles = READ[case]
    assert load_title_file(str(write(tmp_path / name, content)), "title").values == titles


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_could_be_read_wrong_is_refused_by_name_and_place(case: str, tmp_path: Path) -> None:
    name, content, said = REFUSED[case]
    with pytest.raises(RequestError) as raised:
        load_title_file(str(write(tmp_path / name, content)), "title")
    assert said in str(raised.value)
    assert name in str(raised.value)


@pytest.mark.parametrize(("columns", "nearest"), NEAREST)
@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl"])
def test_the_hint_for_a_missing_column_is_a_name_for_the_same_thing(
    name: str, columns: list[str], nearest: str | None, tmp_path: Path
) -> None:
    frame = pd.DataFrame({column: ["a"] for column in columns})
    if name == "t.csv":
        frame.to_csv(tmp_path / name, index=False)
    elif name == "t.jsonl":
        frame.to_json(tmp_path / name, orient="records", lines=True)
    else:
        frame.to_parquet(tmp_path / name)
    with pytest.raises(RequestError) as raised:
        load_title_file(str(tmp_path / name), "title")
    assert str(raised.value).endswith(f"; the nearest is {nearest!r}." if nearest else "with --title-column.")


def test_titles_that_are_the_index_of_a_parquet_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame({"n": [1, 2], "title": ["a", "b"], "day": ["x", "y"]})
    for index in (["title"], ["day", "title"], ["n", "title", "day"]):
        frame.set_index(index).to_parquet(path)
        assert load_title_file(str(path), "title").values == ["a", "b"]
    frame.set_index("day").to_parquet(path)
    assert load_title_file(str(path), "title").values == ["a", "b"]
    frame.set_index("day")[["n"]].to_parquet(path)
    with pytest.raises(RequestError, match="it has 'day', 'n'"):
        load_title_file(str(path), "title")


def test_formats_that_say_where_a_title_ends_may_hold_long_ones(tmp_path: Path) -> None:
    pd.DataFrame({"title": ["x" * 2001]}).to_parquet(tmp_path / "t.parquet")
    write(tmp_path / "t.jsonl", f'{{"title": "{"x" * 2001}"}}\n')
    for name in ("t.parquet", "t.jsonl"):
        assert load_title_file(str(tmp_path / name), "title").values == ["x" * 2001]
