"""What the figures draw from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from harness.store.measurements import Row
from mainrun.record.inert import make_inert

MAX_NAMED = 8
"""Arms of many that are told apart; the others are grey lines."""
Point = Sequence[Row]
"""The rows of one step: of an arm's headline run, then of its other seeds."""


def show_labels(value: Any) -> Any:
    """Part of a document with every label as matplotlib shows it: inert, and no `_` in front, which hides a curve."""
    if isinstance(value, Mapping):
        return {key: _show(item) if key.endswith("label") else show_labels(item) for key, item in value.items()}
    return [show_labels(item) for item in value] if isinstance(value, list) else value


def _show(label: str) -> str:
    inert = make_inert(label)
    return f" {inert}" if inert.startswith("_") else inert


@dataclass(frozen=True)
class Curves:
    """What the figures draw: the document, and the runs of every arm."""

    document: Mapping[str, Any]
    runs: Mapping[str, Sequence[Sequence[Row]]]
    """By arm the rows of its headline run, then those of its other seeds that are whole."""

    @property
    def arms(self) -> list[dict[str, Any]]:
        """Every arm of the document."""
        return list(self.document["arms"])

    @property
    def named(self) -> list[str]:
        """The arms that are drawn in colour and named: all, or of more than `MAX_NAMED` the best ones.

        Of an ablation its two ends.
        """
        arms = [arm["name"] for arm in self.arms]
        if self.document["ablation"] is not None:
            return [arms[0], self.document["ablation"]["recipe"]]
        ranked = [row["arm"] for row in self.document["ranking"]["rows"]]
        return arms if len(arms) <= MAX_NAMED + 1 else ranked[:MAX_NAMED]

    @property
    def same_steps(self) -> bool:
        """Whether all runs are planned to have as many steps, so that steps compare."""
        return len({runs[0][-1]["max_steps"] for runs in self.runs.values() if runs[0]}) <= 1

    @property
    def has_many(self) -> bool:
        """Whether some arms are drawn without a name."""
        return len(self.named) < len(self.arms)

    @property
    def matched(self) -> bool:
        """Whether losses are divided by the coverage, as it differs between arms."""
        return any(pair["coverage_differs"] for pair in self.document["pairs"])

    @property
    def max_seeds(self) -> int:
        """The most runs of one arm."""
        return max(map(len, self.runs.values()), default=1)

    def has(self, split: str, field: str) -> bool:
        """Whether some arm has a point."""
        return any(self.trace(arm, split, field) for arm in self.arms)

    def trace(self, arm: Mapping[str, Any], split: str, field: str) -> list[Point]:
        """An arm's steps at which `field` is known of all its runs."""
        first, *others = (
            {row["step"]: row for row in run if row["split"] == split and row[field] is not None}
            for run in self.runs[arm["name"]]
        )
        return [[first[step], *(other[step] for other in others)]
                for step in first if all(step in other for other in others)]  # fmt: skip


def build_curves(document: Mapping[str, Any], rows: Sequence[Row]) -> Curves:
    """The curves of a document's arms from all measurements of its comparison."""
    by_run: defaultdict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        by_run[row["arm"], row["seed"]].append(row)
    whole = [(run["arm"], run["seed"]) for run in document["runs"]
             if run["status"] == "complete" and "is_left_out" not in run]  # fmt: skip
    runs = {}
    for arm in document["arms"]:
        headline = (arm["name"], arm["seed"])
        others = [run for run in whole if run[0] == arm["name"] and run != headline and headline in whole]
        runs[arm["name"]] = [by_run[run] for run in (headline, *others)]
    return Curves(document, runs)


def average(trace: Sequence[Point], field: str) -> list[float]:
    """The mean over the seeds at every point."""
    return [fmean(row[field] for row in point) for point in trace]
