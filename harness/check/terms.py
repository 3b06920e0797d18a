"""Are the losses of two revisions of the code on equal terms? What makes data, tokens and metric must not change."""

from collections.abc import Mapping

from harness.check.registry import NO_CODE, Evidence, Result
from harness.check.rules import constraint
from harness.store.facts import known
from harness.store.runs import StoredComparison

PROTECTED = ("data/", "metric/", "record/events.py", "record/journal.py", "record/parquet.py", "record/run_record.py",
             "record/title_losses.py")  # fmt: skip
"""Folders and files of the training program that make data, tokens and metric, and the formats they are stored in."""
PROTECTED_IN_FIRST_RELEASE = ("corpus.py", "evaluate.py", "full_loss.py", "streams.py", "tokenizer.py")
"""The same when the program had no folders."""


def _has_own_code(comparison: StoredComparison) -> bool:
    return comparison.plan.code_changes is not None


@constraint("equal-terms", "Data, tokens and metric are made by the same code in all arms", _has_own_code)
def check_equal_terms(evidence: Evidence) -> Result:
    """The files that make data, tokens and metric are the same in the programs of all arms, by hash.

    A file that only has another name is the same.
    """
    plan, runs = evidence.comparison.plan, evidence.comparison.runs.values()
    sources = {run.arm: known(run.facts.source_sha256, NO_CODE) for run in runs if not run.is_read}
    missing = [arm.name for arm in plan.arms if arm.code is not None and arm.name not in sources]
    if missing:
        return "NOT CHECKED", f"no run of {', '.join(missing)} is there"
    (baseline, first), *others = sources.items()
    for arm, other in others:
        changed = sorted({*_list_missing(first, other), *_list_missing(other, first)})
        if changed:
            return "FAIL", (
                f"{', '.join(changed)}: not the same in {arm} as in {baseline}; their losses may not be on equal terms"
            )
    count = sum(map(_is_protected, first))
    return "PASS", f"{count} files of data, metric and stored formats are the same in {len(sources)} arms"


def _list_missing(one: Mapping[str, str], two: Mapping[str, str]) -> list[str]:
    """Protected files of `one` whose content none of `two` has."""
    digests = set(two.values())
    return [name for name, digest in one.items() if _is_protected(name) and digest not in digests]


def _is_protected(name: str) -> bool:
    return name.startswith(PROTECTED) or name in PROTECTED_IN_FIRST_RELEASE
