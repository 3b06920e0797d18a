import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mainrun.record.errors import MachineError, StoredResultsError
from mainrun.record.parquet import load_table, save_table

COLUMNS = {"step": "int64", "loss_nats": "float64", "in_train": "bool", "kind": "string"}
VALUES: dict[str, list[Any]] = {
    "step": [1, 2**62, None],
    "loss_nats": [0.1 + 0.2, None, -0.0],
    "in_train": [True, False, None],
    "kind": ["ask", "é\x00", None],
}


def save(
    path: Path, values: dict[str, list[Any]] = VALUES, columns: dict[str, str] = COLUMNS, version: int = 1
) -> Path:
    save_table(path, columns, values, schema_version=version)
    return path


def load(path: Path, version: int = 1) -> dict[str, list[Any]]:
    return load_table(path, COLUMNS, schema_version=version)


def load_error(path: Path, version: int = 1) -> str:
    with pytest.raises(StoredResultsError) as raised:
        load(path, version)
    assert path.name in str(raised.value)
    return str(raised.value)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted as Linux shows them")
def test_reading_leaves_no_thread_behind_that_could_abort_the_exit(tmp_path: Path) -> None:
    code = f"""import os, pathlib
from mainrun.record.parquet import load_table
before = set(os.listdir("/proc/self/task"))
load_table(pathlib.Path({str(save(tmp_path / "a.parquet"))!r}), {COLUMNS!r}, schema_version=1)
assert set(os.listdir("/proc/self/task")) == before"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_values_and_nulls_come_back_bit_for_bit(tmp_path: Path) -> None:
    assert repr(load(save(tmp_path / "a.parquet"))) == repr(VALUES)


def test_an_empty_table_comes_back_empty(tmp_path: Path) -> None:
    assert load(save(tmp_path / "a.parquet", {name: [] for name in COLUMNS})) == {name: [] for name in COLUMNS}


def test_the_same_values_are_the_same_bytes_wherever_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert save(tmp_path / "a.parquet").read_bytes() == save(tmp_path / "folder" / "b.parquet").read_bytes()


def test_other_programs_read_the_columns_and_their_schema_version(tmp_path: Path) -> None:
    schema = pq.read_schema(save(tmp_path / "a.parquet", version=7))
    assert schema.names == list(COLUMNS)
    assert schema.metadata[b"schema_version"] == b"7"


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    (tmp_path / "lr=3").mkdir()
    assert load(save(tmp_path / "lr=3" / "a.parquet")) == VALUES


def test_an_absent_table_is_said_to_be_missing(tmp_path: Path) -> None:
    assert "is missing" in load_error(tmp_path / "a.parquet")


def test_another_schema_version_is_refused_with_both(tmp_path: Path) -> None:
    assert "schema version 2; this program reads 1" in load_error(save(tmp_path / "a.parquet", version=2))


def test_a_table_of_another_program_has_no_schema_version(tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame(VALUES).to_parquet(tmp_path / "a.parquet")
    assert "schema version none; this program reads 1" in load_error(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    "columns",
    [
        {name: kind for name, kind in COLUMNS.items() if name != "kind"},
        COLUMNS | {"more": "int64"},
        COLUMNS | {"step": "float64"},
    ],
)
def test_other_columns_under_the_same_version_are_damage(columns: dict[str, str], tmp_path: Path) -> None:
    values = {name: VALUES.get(name, [None] * 3) for name in columns} | {"step": [1, 2, 3]}
    assert "columns are not those" in load_error(save(tmp_path / "a.parquet", values, columns))


def test_a_table_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    content = save(tmp_path / "whole.parquet").read_bytes()
    for num_bytes in [*range(0, len(content), 29), len(content) - 1]:
        (tmp_path / "cut.parquet").write_bytes(content[:num_bytes])
        assert "is damaged" in load_error(tmp_path / "cut.parquet")


@pytest.mark.parametrize("bit", [1, 7])
def test_a_flipped_bit_is_refused_or_harmless_and_never_gives_other_values(bit: int, tmp_path: Path) -> None:
    """Some bytes carry nothing that is read, such as statistics; what may never happen is a silent other value."""
    content = save(tmp_path / "whole.parquet").read_bytes()
    outcomes: dict[str, list[int]] = {"refused": [], "same": [], "other values": [], "not our error": []}
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        (tmp_path / "flipped.parquet").write_bytes(flipped)
        try:
            outcome = "same" if repr(load(tmp_path / "flipped.parquet")) == repr(VALUES) else "other values"
        except StoredResultsError:
            outcome = "refused"
        except Exception:
            outcome = "not our error"
        outcomes[outcome].append(place)
    assert len(outcomes["refused"]) > len(content) / 4
    assert (outcomes["other values"], outcomes["not our error"]) == ([], [])


def test_a_place_that_cannot_be_written_is_a_machine_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError):
        save(tmp_path / "file" / "a.parquet")


def test_every_column_with_a_unit_names_it_in_the_file(tmp_path: Path) -> None:
    columns = {"step": "int64", "elapsed_s": "float64", "tokens_per_s": "float64", "loss_nats_per_char": "float64"}
    save_table(tmp_path / "t.parquet", columns, {name: [] for name in columns}, schema_version=1)
    schema = pq.read_schema(tmp_path / "t.parquet")
    units = {name: (schema.field(name).metadata or {}).get(b"unit") for name in columns}
    assert units == {
        "step": None,
        "elapsed_s": b"seconds",
        "tokens_per_s": b"tokens per second",
        "loss_nats_per_char": b"nats per character",
    }
