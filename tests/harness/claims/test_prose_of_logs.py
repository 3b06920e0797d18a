"""Reports with runs of other programs hold no number and no verdict outside claims, findings, tables and code."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from harness.claims.engine import find_flaw
from harness.report.figure_list import FIGURES
from harness.report.render import render_html, render_markdown
from harness.store.document import load_document
from tests.harness.claims.test_prose import MARKDOWN, VERDICT, ProseReader, blank, find_prose
from tests.harness.sources.logs import BASELINE, LARGE_BATCH, SAME_COVERAGE, Shape, write_console, write_json
from tests.harness.sources.test_imports import compare, write

OTHER = Shape(final=1.5, num_train_tokens=1_000_000, first_training_loss=9.774 / 4)
SHRUNK = [
    line | ({"loss": line["loss"] / 1.1} if line["event"] == "validation_step" else {})
    for line in SAME_COVERAGE.build()
]
TABLE = b"step,val_loss\n1,9.7\n5,6.0\n9,4.5\n"
NAMES = ("logs", "no pair", "tables", "own and a log")


@pytest.fixture(scope="module")
def documents(tiny_comparison: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("prose")
    sources = write(
        folder,
        baseline=write_json(BASELINE.build()),
        large=write_json(LARGE_BATCH.build()),
        shrunk=write_json(SHRUNK),
        other=write_json(OTHER.build()),
        console=write_console(SAME_COVERAGE.build()),
        cut=write_json(SAME_COVERAGE.build()[:500]),
    )
    (folder / "a.csv").write_bytes(TABLE)
    (folder / "b.csv").write_bytes(TABLE.replace(b"4.5", b"4.4"))
    own = tiny_comparison / "runs"
    asked = {
        "logs": [*sources],
        "no pair": [sources[0], sources[-1]],
        "tables": [str(folder / "a.csv"), str(folder / "b.csv"), "--loss-unit", "nats_per_token"],
        "own and a log": [str(own / "baseline-s1337"), str(own / "optimized-s1337/mainrun.log")],
    }
    for name, words in asked.items():
        assert compare(words, folder / name) == (3 if sources[-1] in words else 0)
    return {name: load_document(folder / name) for name in asked}


@pytest.mark.parametrize("name", NAMES)
def test_without_claims_no_number_and_no_verdict_is_left(name: str, documents: dict[str, dict[str, Any]]) -> None:
    document = blank(documents[name])
    page = ProseReader(render_html(document, dict.fromkeys(FIGURES, ""), metrics_cut=True)).text
    for prose in (*(find_prose(render_markdown(template, document)) for template in MARKDOWN), page):
        assert "(a claim)" in prose
        lines = [line for line in prose.splitlines() if not line.startswith("![")]
        assert [line for line in lines if re.search(r"\d", line) or VERDICT.search(line)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_proves_itself_and_is_printed(
    name: str, documents: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.report.front.MANY_ARMS", 9)  # of more the best alone are shown in detail
    document = copy.deepcopy(documents[name])
    claims = [*document["claims"], *document["caveats"], *(c for pair in document["pairs"] for c in pair["claims"])]
    assert [flaw for claim in claims if (flaw := find_flaw(claim, document))] == []
    for place, claim in enumerate(claims):
        claim["text"] = f"claim {place}."
    reports = "".join(render_markdown(template, document) for template in MARKDOWN)
    assert [claim["id"] for claim in claims if claim["text"] not in reports] == []


def test_the_logs_raise_the_caveats_they_should(documents: dict[str, dict[str, Any]]) -> None:
    raised = {claim["id"] for claim in documents["logs"]["caveats"]}
    due = {"mismatch", "missing-run", "fit", "start", "unequal-coverage", "estimated-coverage", "official-size"}
    assert due <= raised
