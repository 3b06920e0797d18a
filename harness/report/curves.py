"""What the figures draw from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.store.measurements import Row

MAX_NAMED = 8
"""Arms of many that are told apart; the others are grey lines."""


@dataclass(frozen=True)
class Curves:
    """What the figures draw: the document, and the headline runs' rows by arm."""

    document: dict[str, Any]
    rows: Mapping[str, Sequence[Row]]

    @property
    def named(self) -> list[str]:
        """The arms that are drawn in colour and named: all, or of more than `MAX_NAMED` the best ones."""
        arms = [arm["name"] for arm in self.document["arms"]]
        ranked = [row["arm"] for row in self.document["ranking"]["rows"]]
        return arms if len(arms) <= MAX_NAMED + 1 else ranked[:MAX_NAMED]

    @property
    def same_steps(self) -> bool:
        """Whether all runs are planned to have as many steps, so that steps compare."""
        return len({rows[-1]["max_steps"] for rows in self.rows.values() if rows}) <= 1 or not self.has_many

    @property
    def has_many(self) -> bool:
        """Whether some arms are drawn without a name."""
        return len(self.named) < len(self.document["arms"])

    @property
    def matched(self) -> bool:
        return any(pair["coverage_differs"] for pair in self.document["pairs"])

    def validation(self, arm: dict[str, Any], field: str) -> tuple[list[float], list[float], list[Row]]:
        """Steps, values and rows of an arm's evaluations at which `field` was measured."""
        rows = [row for row in self.rows[arm["name"]] if row["split"] == "validation" and row[field] is not None]
        return [row["step"] for row in rows], [row[field] for row in rows], rows


def group_rows(document: dict[str, Any], rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each arm's headline run, in order."""
    headline = {(arm["name"], arm["seed"]) for arm in document["arms"]}
    found: dict[str, list[Row]] = {name: [] for name, _ in headline}
    for row in rows:
        if (row["arm"], row["seed"]) in headline:
            found[row["arm"]].append(row)
    return found
