"""Parquet tables with a fixed schema, units and a schema version: the only module that imports pyarrow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from mainrun.record.errors import StoredResultsError
from mainrun.record.files import atomic_write

Columns = Mapping[str, str]
"""Column name → Arrow type name (`int64`, `float64`, `bool`, `string`); the unit is the name's last part."""

_UNITS = {
    "nats_per_token": "nats per token",
    "nats_per_char": "nats per character",
    "tokens_per_s": "tokens per second",
    "nats": "nats",
    "s": "seconds",
}
"""The unit by the last part of a column's name; any other column is a count, a name or a plain number."""
_TYPES = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "string": pa.string()}

MAX_ROWS = 20_000_000
"""Of a table that is read: a small file can unpack to hundreds of millions."""


def save_table(path: Path, columns: Columns, values: Mapping[str, Any], *, schema_version: int) -> None:
    """Writes equally long sequences, one a column, atomically; None is null. Same values, same bytes."""
    num_rows = str(len(values[next(iter(columns))]))
    metadata = {"schema_version": str(schema_version), "num_rows": num_rows}
    schema = pa.schema([_build_field(name, kind) for name, kind in columns.items()], metadata)
    table = pa.table({name: pa.array(values[name], schema.field(name).type) for name in columns}, schema)
    with atomic_write(path) as file:
        parquet.write_table(table, file, compression="zstd", write_page_checksum=True)


def load_table(source: Path | BinaryIO, columns: Columns, *, schema_version: int) -> dict[str, list[Any]]:
    """The columns of a stored table as lists; `StoredResultsError` where it is absent, damaged or of another schema."""
    name = source if isinstance(source, Path) else "the parquet file"
    try:
        # Without Arrow's threads, which can abort a process that ends soon after (apache/arrow issue 34314).
        with parquet.ParquetFile(source, pre_buffer=False, page_checksum_verification=True) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise ValueError(f"it has {file.metadata.num_rows:,} rows, and {MAX_ROWS:,} are read at most")
            table = file.read(use_threads=False)
        kinds = {field.name: field.type for field in table.schema}
    except FileNotFoundError:
        raise StoredResultsError(f"{name} is missing.") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoredResultsError(f"{name} is damaged: {error}.") from None
    metadata = table.schema.metadata or {}
    found = metadata.get(b"schema_version", b"none").decode(errors="replace")
    if found != str(schema_version):
        raise StoredResultsError(f"{name} has schema version {found}; this program reads {schema_version}.")
    # Page checksums do not cover the footer, where a flipped bit can take rows away.
    if metadata.get(b"num_rows") != str(table.num_rows).encode():
        raise StoredResultsError(f"{name} is damaged: it has {table.num_rows} rows, not as many as were written.")
    if kinds != {column: _TYPES[kind] for column, kind in columns.items()}:
        raise StoredResultsError(f"{name} is damaged: its columns are not those of its schema version.")
    return {column: table.column(column).to_pylist() for column in columns}


def _build_field(name: str, kind: str) -> pa.Field:
    unit = next((unit for part, unit in _UNITS.items() if name == part or name.endswith(f"_{part}")), None)
    return pa.field(name, _TYPES[kind], metadata={"unit": unit} if unit else None)
