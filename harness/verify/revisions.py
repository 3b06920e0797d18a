"""The code of revisions, fetched again from git: whether it is the code that ran, and the patch their difference."""

import hashlib
import re
from pathlib import Path

from harness.check.registry import Result, join_results
from harness.plan.changes import FILE_NAME, compare_code
from harness.plan.code import compute_sources_sha256, hash_sources, locate_code_again
from harness.plan.plan import Arm
from harness.store.runs import StoredComparison

NAME = "revisions"
TITLE = "The code of every revision, fetched again from git, is the code that ran"


def judge_revisions(comparison: StoredComparison, repository: Path | None) -> Result:
    """PASS where git gives the code of every arm again, and `changes.patch` is its difference.

    NOT CHECKED where a commit is not in the repository here, and for a changed working tree that stands here no more.
    """
    changes = comparison.plan.code_changes or ()
    patch = comparison.folder / FILE_NAME
    text = patch.read_bytes().decode(errors="replace") if patch.is_file() else ""
    parts = re.split("(?m)^(?=# )", text)[1:]
    if [hashlib.sha256(part.encode()).hexdigest() for part in parts] != [change.patch_sha256 for change in changes]:
        return "FAIL", f"{FILE_NAME} is not the difference that was planned"
    places: dict[str, Path] = {}
    results: list[Result] = []
    for arm in comparison.plan.arms:
        if arm.code is None:
            continue
        place = locate_code_again(arm.name, arm.code, repository)
        if isinstance(place, str):
            results.append(("NOT CHECKED", place))
            continue
        places[arm.name] = place
        if compute_sources_sha256(hash_sources(place)) != arm.code.sources_sha256:
            results.append(("FAIL", f"{arm.name} was not trained with the code of {arm.code.words}"))
    for change in changes:
        if change.baseline in places and change.candidate in places:
            again, _ = compare_code(
                change.baseline, places[change.baseline], change.candidate, places[change.candidate]
            )
            if again != change:
                results.append(("FAIL", f"{FILE_NAME} is not the difference of {again.candidate} to {again.baseline}"))
    return join_results(results or [("PASS", _describe_match([arm for arm in comparison.plan.arms if arm.code]))])


def _describe_match(arms: list[Arm]) -> str:
    changed = [arm.name for arm in arms if arm.code is not None and arm.code.tree is None]
    said = f"{len(arms) - len(changed)} arms have the code of their commits to the last file"
    return f"{said}, {', '.join(changed)} that of the files here, which no commit holds" if changed else said
