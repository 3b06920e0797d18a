"""What a check is: a named question about a comparison, answered PASS, FAIL or NOT CHECKED with evidence."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.store.runs import StoredComparison, StoredRun
from mainrun.record.errors import ProgramError

Status = Literal["PASS", "FAIL", "NOT CHECKED"]
ROUNDING_TOLERANCE = 1e-9
"""Relative difference that rounding in a sum can cause."""
Result = tuple[Status, str]
"""The answer and its evidence."""


@dataclass(frozen=True)
class Titles:
    """The titles themselves, read again from their source."""

    train: list[str]
    validation: list[str]


@dataclass(frozen=True)
class Evidence:
    """All that checks may look at."""

    comparison: StoredComparison
    titles: Titles | str = "the titles are read again by verify only"
    """The titles, or why they are not here."""
    fresh_weights: dict[str, str] | str = "a fresh initialization is made by verify only"
    """SHA-256 of freshly initialized weights by run folder, or why there are none."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    title: str
    status: Status
    evidence: str


Check = Callable[[Evidence], Result]
Registry = dict[str, tuple[str, Check]]
"""Name → title and check, in the order in which reports print them."""


def register(registry: Registry, name: str, title: str) -> Callable[[Check], Check]:
    """Decorator that enters a check into a registry."""

    def enter(check: Check) -> Check:
        assert name not in registry
        registry[name] = (title, check)
        return check

    return enter


def run_checks(registry: Registry, evidence: Evidence) -> list[Finding]:
    """All findings, in the registry's order; a stored value that is missing or malformed is never a pass."""
    findings = []
    for name, (title, check) in registry.items():
        try:
            status, text = check(evidence)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            status, text = "FAIL", f"a stored value is missing or malformed ({type(error).__name__}: {error})"
        except OSError as error:
            status, text = "FAIL", f"{Path(error.filename or '?').name} cannot be read: {error.strerror}"
        except ProgramError as error:
            status, text = "FAIL", str(error)
        findings.append(Finding(name, title, status, text))
    return findings


def judge_runs(evidence: Evidence, judge: Callable[[StoredRun], str | None], text: str) -> Result:
    """PASS with `text` where `judge` finds nothing wrong with any run; else what it finds in the first bad one."""
    runs = [run for run in evidence.comparison.runs.values() if run.is_complete]
    for run in runs:
        problem = judge(run)
        if problem:
            return "FAIL", f"{run.folder.name}: {problem}"
    num_planned = len(evidence.comparison.plan.runs)
    if len(runs) < num_planned:
        return "NOT CHECKED", f"{len(runs)} of {num_planned} runs are complete"
    return "PASS", text
