"""What the figures draw from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.store.measurements import Row


@dataclass(frozen=True)
class Curves:
    """What the figures draw: the document, and the headline runs' rows by arm."""

    document: dict[str, Any]
    rows: Mapping[str, Sequence[Row]]

    @property
    def matched(self) -> bool:
        return any(pair["coverage_differs"] for pair in self.document["pairs"])

    def validation(self, arm: dict[str, Any], field: str) -> tuple[list[float], list[float], list[Row]]:
        """Steps, values and rows of an arm's evaluations at which `field` was measured."""
        rows = [row for row in self.rows[arm["name"]] if row["split"] == "validation" and row[field] is not None]
        return [row["step"] for row in rows], [row[field] for row in rows], rows
