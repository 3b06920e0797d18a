"""Does everything that was derived follow from what was measured? Parquet, numbers and reports are made again."""

import io
from functools import partial
from pathlib import Path
from typing import Any

from harness.check.registry import Evidence, Registry, Result, register
from harness.claims.engine import find_flaw
from harness.comparison import rebuild
from harness.plan.changes import FILE_NAME as PATCH_NAME
from harness.report.render import PDF_NAME, REPORT_NAME, SUMMARY_NAME, render_markdown, select_attached_rows
from harness.store.document import FILE_NAME as DOCUMENT_NAME
from harness.store.document import load_document
from harness.store.measurements import FILE_NAME as METRICS_NAME
from harness.store.measurements import load_metrics, load_rows
from harness.store.rounding import find_difference
from harness.store.runs import StoredComparison, find_hash_changes, find_hashes
from mainrun.record.errors import StoredResultsError

REBUILD: Registry = {}
rebuilt = partial(register, REBUILD)


@rebuilt("hashes", "Journals, losses by title, tokenizers and plan are those the records name")
def check_hashes(evidence: Evidence) -> Result:
    """A file that was edited after its run has another SHA-256 than its record says."""
    comparison = evidence.comparison
    for run in comparison.runs.values():
        for name, found, expected in find_hash_changes(run):
            return "FAIL", f"runs/{run.folder.name}/{name} has SHA-256 {found}, its run.json says {expected}"
    stored = load_document(comparison.folder)["sha256"]
    for path, found in comparison.compute_hashes().items():
        if stored.get(path) != found:
            return "FAIL", f"{path} has SHA-256 {found}, comparison.json says {stored.get(path)}"
    num_files = sum(len(find_hashes(run)) for run in comparison.runs.values())
    return "PASS", f"{len(stored)} records and {num_files} files of runs have the SHA-256 that is stored"


@rebuilt("measurements", "metrics.parquet follows from the journals")
def check_measurements(evidence: Evidence) -> Result:
    """Every cell of the parquet, made again."""
    stored, expected = load_metrics(evidence.comparison.folder), rebuild(evidence.comparison)[0]
    if len(stored) != len(expected):
        return "FAIL", f"{METRICS_NAME} has {len(stored)} rows, the journals give {len(expected)}"
    for number, (found, due) in enumerate(zip(stored, expected, strict=True)):
        if difference := find_difference(found, due):
            return "FAIL", f"{METRICS_NAME}, row {number}: {difference}"
    return "PASS", f"{len(stored):,} rows made again from the journals"


@rebuilt("numbers", "comparison.json follows from the measurements")
def check_numbers(evidence: Evidence) -> Result:
    """Every number and sentence of the document, made again."""
    if difference := find_difference(load_document(evidence.comparison.folder), rebuild(evidence.comparison)[1]):
        return "FAIL", f"comparison.json{difference}"
    return "PASS", "every value made again from the measurements"


@rebuilt("claims", "Every sentence of the reports follows from its formula and its inputs")
def check_claims(evidence: Evidence) -> Result:
    """The stored sentences, judged by their own proofs and not by what made them."""
    document = load_document(evidence.comparison.folder)
    claims = [*document["claims"], *document["caveats"], *(c for pair in document["pairs"] for c in pair["claims"])]
    for claim in claims:
        if flaw := find_flaw(claim, document):
            return "FAIL", f"comparison.json, claim {claim['id']}: {flaw}"
    return "PASS", f"{len(claims)} sentences filled again from their inputs; their formulas and conditions hold"


@rebuilt("reports", "Both Markdown reports follow from the numbers")
def check_reports(evidence: Evidence) -> Result:
    """Both reports, rendered again and compared byte for byte."""
    document = rebuild(evidence.comparison)[1]
    for name in (SUMMARY_NAME, REPORT_NAME):
        found = (evidence.comparison.folder / name).read_bytes().decode().split("\n")
        due = render_markdown(f"{name}.j2", document).split("\n")
        for number, (line, expected) in enumerate(zip(found, due, strict=False), 1):
            if line != expected:
                return "FAIL", f"{name}, line {number}: found '{line}', expected '{expected}'"
        if len(found) != len(due):
            return "FAIL", f"{name} has {len(found)} lines, expected {len(due)}"
    return "PASS", f"{SUMMARY_NAME} and {REPORT_NAME} rendered again, byte for byte the same"


@rebuilt("pdf-attachments", "The files attached to report.pdf are the comparison's own")
def check_attachments(evidence: Evidence) -> Result:
    """The PDF is judged by what travels inside it."""
    folder = evidence.comparison.folder
    if not (folder / PDF_NAME).exists():
        return "NOT CHECKED", "there is no report.pdf; `report` makes one where its libraries are installed"
    attached = read_attachments(folder / PDF_NAME)
    if attached.get(DOCUMENT_NAME) != (folder / DOCUMENT_NAME).read_bytes():
        return "FAIL", f"the {DOCUMENT_NAME} inside report.pdf is not the one beside it"
    patch = folder / PATCH_NAME
    if patch.exists() and attached.get(PATCH_NAME) != patch.read_bytes():
        return "FAIL", f"the {PATCH_NAME} inside report.pdf is not the one beside it"
    name, rows = select_attached_rows(folder, load_metrics(folder))
    if name not in attached:
        return "FAIL", f"report.pdf has no {name} inside"
    inside = load_rows(io.BytesIO(attached[name]))
    if difference := find_difference(inside, rows):
        return "FAIL", f"{name} inside report.pdf: {difference}"
    return "PASS", f"comparison.json and {name} inside report.pdf equal the files"


def load_proven_document(comparison: StoredComparison) -> dict[str, Any]:
    """The content of `comparison.json` made again; `StoredResultsError` where the stored one differs."""
    document = rebuild(comparison)[1]
    if difference := find_difference(load_document(comparison.folder), document):
        raise StoredResultsError(
            f"{comparison.folder}/comparison.json is not what the journals give: {difference}. "
            f"Make it again: report {comparison.folder}"
        )
    return document


def read_attachments(path: Path) -> dict[str, bytes]:
    """The files embedded in a PDF, by name."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        return {name: contents[0] for name, contents in PdfReader(path).attachments.items()}
    except PyPdfError as error:
        raise StoredResultsError(f"{path.name} is damaged: {error}.") from None
