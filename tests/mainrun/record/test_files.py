import hashlib
from pathlib import Path

import pytest

from mainrun.record.errors import MachineError, StoredResultsError
from mainrun.record.files import (
    atomic_write,
    compute_file_sha256,
    compute_sha256,
    find_cache_folder,
    load_json,
    make_folder,
    save_json,
    save_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(failure: type[BaseException], tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(failure), atomic_write(tmp_path / "a") as file:
        file.write(b"half of the ne")
        raise failure
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_reader_meets_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    save_text(tmp_path / "a", "old")
    with atomic_write(tmp_path / "a") as file:
        file.write(b"new")
        file.flush()
        assert (tmp_path / "a").read_text() == "old"
    assert (tmp_path / "a").read_text() == "new"
    assert names(tmp_path) == ["a"]


def test_a_reader_of_the_old_file_goes_on_reading_it(tmp_path: Path) -> None:
    save_text(tmp_path / "a", "old")
    with (tmp_path / "a").open() as reader:
        save_text(tmp_path / "a", "new")
        assert reader.read() == "old"


def test_a_refused_write_is_a_machine_error_that_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"Cannot write .*file/a: Not a directory"):
        save_text(tmp_path / "file" / "a", "text")


def test_a_full_disk_while_writing_is_a_machine_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(MachineError, match="No space left on device"), atomic_write(tmp_path / "a"):
        raise OSError(28, "No space left on device")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_folder_is_made_with_its_parents_and_may_exist(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_below_a_file_is_a_machine_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="file/a"):
        make_folder(tmp_path / "file" / "a")


def test_text_is_written_as_utf_8_with_plain_line_feeds(tmp_path: Path) -> None:
    save_text(tmp_path / "a", "é\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\n"


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    value = {"schema_version": 3, "text": "é\u2028", "none": None, "numbers": [1, 0.1 + 0.2, True]}
    save_json(tmp_path / "a.json", value)
    assert load_json(tmp_path / "a.json", 3) == value


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_refuses_to_store_what_is_no_number_and_keeps_the_old_file(number: float, tmp_path: Path) -> None:
    save_json(tmp_path / "a.json", {"schema_version": 1})
    with pytest.raises(ValueError, match="JSON"):
        save_json(tmp_path / "a.json", {"schema_version": 1, "loss": number})
    assert load_json(tmp_path / "a.json", 1) == {"schema_version": 1}
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"schema_version": 1', "damaged"),
        ("", "damaged"),
        ("\udcff", "damaged"),
        ('{"schema_version": 1, "loss": NaN}', "NaN is not a JSON number"),
        ('{"schema_version": 1, "loss": -Infinity}', "-Infinity is not a JSON number"),
        ("[1]", "holds no JSON object"),
        ("null", "holds no JSON object"),
        ("[" * 100_000, "damaged"),
        ("{}", "schema version None; this program reads 1"),
        ('{"schema_version": 2}', "schema version 2; this program reads 1"),
    ],
)
def test_json_that_cannot_be_used_is_refused_with_its_reason(content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(StoredResultsError, match=reason) as raised:
        load_json(tmp_path / "a.json", 1)
    assert "a.json" in str(raised.value)


def test_absent_json_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(StoredResultsError, match=r"a\.json is missing"):
        load_json(tmp_path / "a.json", 1)


def test_a_folder_in_place_of_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoredResultsError, match="is no file"):
        load_json(tmp_path, 1)


def test_hashes_of_bytes_and_files_are_plain_sha_256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert compute_sha256(b"abc") == compute_file_sha256(tmp_path / "a") == expected
    assert compute_sha256(memoryview(b"abc")) == hashlib.sha256(b"abc").hexdigest()


def test_the_cache_is_where_the_user_says_else_below_the_home_and_nowhere_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert find_cache_folder() == tmp_path / "cache" / "mainrun"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_cache_folder() == tmp_path / ".cache" / "mainrun"

    def refuse() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", refuse)
    assert find_cache_folder() is None
