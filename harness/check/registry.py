"""What a check is: a named question about a comparison, answered with evidence.

A check is asked of every run alike. What a run states against a rule is a FAIL; what it does not state is NOT CHECKED,
which the engine says by the `AbsentError` that the check meets; what could not be told apart from a cheat, because of
what the record says of itself, is NOT VOUCHED, by `UnvouchedError`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.store.facts import AbsentError
from harness.store.findings import Status
from harness.store.runs import StoredComparison, StoredRun
from mainrun.record.errors import ProgramError

NOT_VOUCHED: Status = "NOT VOUCHED"
"""It cannot be vouched for: the record names code or a machine under which the check says nothing. Never a pass."""
ROUNDING_TOLERANCE = 1e-9
"""Relative difference that rounding in a sum can cause."""
Result = tuple[Status, str]
"""The answer and its evidence."""
NO_CODE = "a log does not hold the code, machine or weights"
NO_TITLES = "a log does not hold the titles, their tokens or losses by title"
_RANK: dict[Status, int] = {"FAIL": 0, "NOT VOUCHED": 1, "NOT CHECKED": 2, "PASS": 3}


@dataclass(frozen=True)
class Titles:
    """The titles themselves, read again from their source."""

    train: list[str]
    validation: list[str]


FreshStart = dict[str, Any]
"""The record of a run of no steps, with the `tokenizer_sha256` of what it left."""


class UnvouchedError(Exception):
    """Nothing shows that a run is what it says, because of what its record says; the message says which."""


@dataclass(frozen=True)
class Evidence:
    """All that checks may look at."""

    comparison: StoredComparison
    titles: Titles | str = "the titles were not read again: verify and report --data do"
    """The titles, or why they are not here."""
    fresh_starts: Mapping[str, FreshStart | str] | str = "no run was begun again: verify and report --data do"
    """By run folder, the run begun again, or why it cannot be; or why no run was."""

    def need_titles(self) -> Titles:
        """The titles; raises `AbsentError` where they are not here."""
        if isinstance(self.titles, str):
            raise AbsentError(self.titles)
        return self.titles

    def need_fresh_start(self, run: StoredRun) -> FreshStart:
        """The run begun again; `AbsentError` where none was, `UnvouchedError` where this one cannot be."""
        if isinstance(self.fresh_starts, str):
            raise AbsentError(self.fresh_starts)
        started = self.fresh_starts[run.folder.name]
        if isinstance(started, str):
            raise UnvouchedError(f"it cannot be begun again here: {started}")
        return started


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    title: str
    status: Status
    evidence: str


@dataclass(frozen=True)
class Check:
    """One entry of a registry."""

    title: str
    judge: Callable[[Evidence], Result]
    applies: Callable[[StoredComparison], bool]


Registry = dict[str, Check]
"""Name → check, in the order in which reports print them."""
JudgeRun = Callable[[Evidence, StoredRun], str | None]
"""What is wrong with a run, or None; raises `AbsentError` where that cannot be said."""


def register(
    registry: Registry, name: str, title: str, applies: Callable[[StoredComparison], bool] = lambda comparison: True
) -> Callable[[Callable[[Evidence], Result]], Callable[[Evidence], Result]]:
    """Decorator that enters a check on a comparison; where it does not apply it is not asked."""

    def enter(judge: Callable[[Evidence], Result]) -> Callable[[Evidence], Result]:
        assert name not in registry
        registry[name] = Check(title, judge, applies)
        return judge

    return enter


def register_of_runs(
    registry: Registry, name: str, title: str, passed: Callable[[Evidence], str] | str
) -> Callable[[JudgeRun], JudgeRun]:
    """Decorator that enters a check which every run has to pass by itself; `passed` is what is said where all do.

    The answer is the gravest over all whole runs; a planned run that is missing lets nothing pass.
    """

    def enter(judge: JudgeRun) -> JudgeRun:
        def judge_all(evidence: Evidence) -> Result:
            runs = [run for run in evidence.comparison.runs.values() if run.is_complete]
            results = [_ask(evidence, run, judge) for run in runs]
            status, text = join_results([*results, *find_unfinished(evidence.comparison)])
            if status == "PASS":
                text = passed if isinstance(passed, str) else passed(evidence)
            return status, text

        register(registry, name, title)(judge_all)
        return judge

    return enter


def find_unfinished(comparison: StoredComparison) -> list[Result]:
    """That not all planned runs are complete, where that is so."""
    num_planned, num_complete = len(comparison.plan.runs), sum(run.is_complete for run in comparison.runs.values())
    if num_complete == num_planned:
        return []
    return [("NOT CHECKED", f"{num_complete} of {num_planned} runs are complete")]


def join_results(results: Sequence[Result]) -> Result:
    """The gravest status, with everything said; what is said twice is said once."""
    statuses: list[Status] = [status for status, _ in results]
    status = min(statuses, key=_RANK.__getitem__) if statuses else "NOT CHECKED"
    texts = dict.fromkeys(text for found, text in results if found == status)
    return status, "; ".join(texts) or "there is no run"


def run_checks(registry: Registry, evidence: Evidence) -> list[Finding]:
    """All findings, in the registry's order; a stored value that is missing or malformed is never a pass."""
    return [
        Finding(name, check.title, *_answer(check.judge, evidence))
        for name, check in registry.items()
        if check.applies(evidence.comparison)
    ]


def _ask(evidence: Evidence, run: StoredRun, judge: JudgeRun) -> Result:
    def judge_one(evidence: Evidence) -> Result:
        problem = judge(evidence, run)
        return ("PASS", "") if problem is None else ("FAIL", f"{run.folder.name}: {problem}")

    status, text = _answer(judge_one, evidence)
    if status == "NOT CHECKED" and text in (NO_CODE, NO_TITLES) and not run.is_read:
        return "FAIL", f"{run.folder.name}: a stored value is missing or malformed"
    is_of_the_run = status in (NOT_VOUCHED, "NOT CHECKED")
    if is_of_the_run and text not in (NO_CODE, NO_TITLES, evidence.titles, evidence.fresh_starts):
        text = f"{run.folder.name}: {text}"
    return status, text


def _answer(judge: Callable[[Evidence], Result], evidence: Evidence) -> Result:
    try:
        return judge(evidence)
    except AbsentError as absent:
        return "NOT CHECKED", str(absent)
    except UnvouchedError as unvouched:
        return NOT_VOUCHED, str(unvouched)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        return "FAIL", f"a stored value is missing or malformed ({type(error).__name__}: {error})"
    except OSError as error:
        return "FAIL", f"{Path(error.filename or '?').name} cannot be read: {error.strerror}"
    except ProgramError as error:
        return "FAIL", str(error)
