"""`verify`: all checks on a stored comparison, with the titles and a fresh initialization where they can be had."""

from pathlib import Path

from harness.check.registry import Evidence, Finding, Registry, Result, run_checks
from harness.check.suite import GROUPS, list_titles
from harness.check.token_reads import OTHER_RELEASE
from harness.comparison import find_source, gather_evidence
from harness.launch.again import Again
from harness.launch.job import Launcher
from harness.store.findings import load_findings
from harness.store.runs import load_comparison
from harness.verify import replay, revisions, weights
from harness.verify.derived import REBUILD

REGISTRIES: tuple[Registry, ...] = (*(registry for group in GROUPS.values() for registry in group), REBUILD)
STORED_NAME = "stored-findings"
STORED_TITLE = "What the reports say was checked is found again"


def verify(
    folder: Path, data: str | None, steps: replay.Steps, launcher: Launcher, repository: Path | None = None
) -> list[Finding]:
    """All findings on the comparison in `folder`.

    `data` is where the titles are read again from (a file, or `hub`); synthetic ones are always made again.
    `repository` holds the training program and its revisions; None is our own. Raises
    `StoredResultsError` where a file cannot be read at all, `RequestError` or `MachineError` where `data` cannot.
    """
    comparison = load_comparison(folder, check_hashes=False)
    source = find_source(comparison.plan, data)
    evidence = gather_evidence(comparison, source, launcher, repository)
    findings = [finding for registry in REGISTRIES for finding in run_checks(registry, evidence)]
    findings.append(Finding(STORED_NAME, STORED_TITLE, *_judge_stored(evidence, findings)))
    if comparison.plan.code_changes is not None:
        findings.append(Finding(revisions.NAME, revisions.TITLE, *revisions.judge_revisions(comparison, repository)))
    again = None if source is None else Again(comparison, source, launcher, repository)
    replayed = replay.replay(comparison, steps, again)
    probed = weights.probe_all(comparison, again)
    return [
        *findings,
        Finding(weights.NAME, weights.TITLE, *probed),
        Finding(replay.NAME, replay.TITLE, *replayed),
    ]


def list_checks() -> dict[str, str]:
    """Name → title of every check."""
    return list_titles(REGISTRIES) | {
        STORED_NAME: STORED_TITLE,
        revisions.NAME: revisions.TITLE,
        weights.NAME: weights.TITLE,
        replay.NAME: replay.TITLE,
    }


def _judge_stored(evidence: Evidence, findings: list[Finding]) -> Result:
    """A stored finding is never taken over: status and words are found again, but of checks whose means are not here.

    NOT VOUCHED where words alone are others, or checks of this release are not among them: another release of the
    harness may have said it so.
    """
    stored = load_findings(evidence.comparison)
    if stored is None:
        return "NOT CHECKED", "no findings on these files were stored when they were made"
    anew = {finding.name: finding for finding in findings}
    entries = [entry for group in stored.values() for entry in group]
    names, due = [entry["name"] for entry in entries], [name for name in list_titles(REGISTRIES[:-1]) if name in anew]
    if other := sorted({name for name in names if name not in due or names.count(name) > 1}):
        return "FAIL", f"findings.json names what is not checked here, or twice: {', '.join(other)}"
    means = [text for text in (evidence.titles, evidence.fresh_starts, OTHER_RELEASE) if isinstance(text, str)]
    absent, lacking, reworded = [], [name for name in due if name not in names], ""
    for entry in entries:
        name, status, found = entry["name"], entry["status"], anew[entry["name"]]
        said, again = f"{entry['title']}: {entry['evidence']}", f"{found.title}: {found.evidence}"
        is_absent = found.status == "NOT CHECKED" and any(text in found.evidence for text in means)
        if is_absent and said != again:
            absent.append(name)
        elif status not in ("NOT CHECKED", found.status):
            return "FAIL", f"findings.json says {status} of {name}, found anew is {found.status}"
        if entry["title"] != found.title or (status == found.status and said != again and not is_absent):
            reworded = reworded or f"findings.json says of {name} '{said}', found anew is '{again}'"
    if reworded:
        return "NOT VOUCHED", reworded
    if lacking:
        return "NOT VOUCHED", f"findings.json says nothing of {', '.join(lacking)}: this release checks more than it"
    if absent:
        return "NOT CHECKED", f"{len(absent)} of {len(entries)} cannot be found again here: {', '.join(absent)}"
    return "PASS", f"{len(entries)} findings made when the comparison was, none better than what is found now"
