"""`findings.json`: what the checks found when a comparison was made, by which its numbers can be rebuilt later.

Raw, beside `plan.json`: titles that were read again and runs that were begun again are not stored. `verify` makes
every finding anew and holds these to it.
"""

from typing import Any, Literal, get_args

from harness.store.runs import StoredComparison
from mainrun.record.errors import StoredResultsError
from mainrun.record.files import load_json, save_json

FILE_NAME = "findings.json"
SCHEMA_VERSION = 1
Status = Literal["PASS", "FAIL", "NOT VOUCHED", "NOT CHECKED"]
STATUSES: tuple[Status, ...] = get_args(Status)
Findings = dict[str, list[dict[str, Any]]]
"""`constraints` and `integrity`, as in `comparison.json`."""


def save_findings(comparison: StoredComparison, findings: Findings) -> None:
    """Writes them with the SHA-256 of the plan and records that were judged."""
    stored = {"schema_version": SCHEMA_VERSION, "judged_sha256": comparison.compute_hashes(), **findings}
    save_json(comparison.folder / FILE_NAME, stored)


def load_findings(comparison: StoredComparison) -> Findings | None:
    """The stored findings; None where there are none, or where plan or records changed since.

    Raises `StoredResultsError` where the file is damaged.
    """
    path = comparison.folder / FILE_NAME
    if not path.exists():
        return None
    stored = load_json(path, SCHEMA_VERSION)
    if stored.get("judged_sha256") != comparison.compute_hashes():
        return None
    findings = {name: stored.get(name) for name in ("constraints", "integrity")}
    for name, group in findings.items():
        if not isinstance(group, list) or not all(_is_finding(entry) for entry in group):
            raise StoredResultsError(f"{path} is damaged: its {name} are no findings.")
    return findings  # type: ignore[return-value]  # each was just seen to be a list


def _is_finding(entry: Any) -> bool:
    texts = ("name", "title", "status", "evidence")
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in texts)
