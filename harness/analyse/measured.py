"""The runs of a comparison with what was measured of them: what arms are described and judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analyse.arms import average_costs, describe_arm, describe_cost, measure_last
from harness.analyse.certainty import describe_certainty
from harness.analyse.examine import examine_all
from harness.analyse.opponents import Finals
from harness.plan.plan import PlannedRun
from harness.store.arm_fields import Arm
from harness.store.measurements import Row
from harness.store.runs import StoredComparison

Rows = dict[tuple[str, int], list[Row]]
"""Measurements by arm and seed."""


@dataclass(frozen=True)
class Measured:
    """Runs, measurements and final losses."""

    comparison: StoredComparison
    headlines: Mapping[str, PlannedRun]
    """By arm, the run whose curves and final losses stand for it."""
    rows: Rows
    finals: Finals

    def get_rows(self, arm: str) -> list[Row]:
        """The measurements of an arm's headline run."""
        return self.rows[arm, self.headlines[arm].seed]

    def describe_arm(self, name: str) -> Arm:
        """An arm at its headline seed; what it cost is the mean over all its seeds."""
        comparison, run = self.comparison, self.headlines[name]
        arm, found = comparison.plan.get_arm(name), examine_all(comparison)
        described = describe_arm(arm, run.seed, comparison.runs.get(run), found.get(run), self.get_rows(name))
        if described["cost"] is not None:
            seeds = [seed for seed in comparison.plan.seeds if seed != run.seed and self.finals.get((name, seed))]
            others = [PlannedRun(name, seed) for seed in seeds]
            costs = [
                describe_cost(comparison.runs[other], found.get(other), arm, self.rows[name, other.seed])
                for other in others
            ]
            described["cost"] = average_costs([described["cost"], *costs])
        return described

    def judge(
        self, before: str, after: str, basis: Mapping[str, Any], doubts: Sequence[str] = (), num_pairs: int = 1
    ) -> dict[str, Any]:
        """How sure the gain of one arm on another is, of `num_pairs` that are compared: see `describe_certainty`."""
        runs = self.headlines[before], self.headlines[after]
        return describe_certainty(self.comparison, *runs, self.finals, basis, doubts, num_pairs)


def measure(comparison: StoredComparison, rows: Sequence[Row]) -> Measured:
    """Sorts the measurements by run and takes the last of each."""
    by_run: Rows = {(run.arm, run.seed): [] for run in comparison.plan.runs}
    for row in rows:
        by_run[row["arm"], row["seed"]].append(row)
    examined = examine_all(comparison)
    finals = {
        (run.arm, run.seed): measure_last(comparison.runs.get(run), examined.get(run), by_run[run.arm, run.seed])[0]
        for run in comparison.plan.runs
    }
    headlines = {arm.name: comparison.find_headline(arm.name) for arm in comparison.plan.arms}
    return Measured(comparison, headlines, by_run, finals)
