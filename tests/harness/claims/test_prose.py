"""No number stands in the prose of a report but as part of a claim or of a check's finding.

Every claim and finding is blanked, then the reports are rendered: whatever number is left outside tables and code was
printed by a template on its own. So is a verdict.
"""

import copy
import html
import html.parser
import re
from pathlib import Path
from typing import Any

import pytest

from harness.analyse.ablation import describe_ablation
from harness.plan.ablation import plan_ablation
from harness.plan.arm_syntax import parse_arm
from harness.report.figure_list import FIGURES
from harness.report.render import render_html, render_markdown
from harness.store.document import load_document
from mainrun.record.errors import RunError
from tests.harness.fakes import FakeLauncher, Mishap, make_comparison

MARKDOWN = ("PERFORMANCE_SUMMARY.md.j2", "TRAINING_OPTIMIZATION_REPORT.md.j2")
VERDICT = re.compile(r"IMPROVED|EQUIVALENT|REGRESSED|INCONCLUSIVE|single seed")


@pytest.fixture(scope="module")
def documents(
    tiny_comparison: Path, three_seeds: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("prose")
    batch = make_comparison(folder, settings={"optimized": {"batch_size": "32"}}, name="batch")
    with pytest.raises(RunError):
        make_comparison(folder, launcher=FakeLauncher({"optimized": Mishap("fail", step=50)}), name="failed")
    documents = {
        "tiny": load_document(tiny_comparison),
        "three seeds": load_document(three_seeds),
        "larger batch": load_document(batch),
        "failed": load_document(folder / "failed"),
    }
    documents["ablation"] = copy.deepcopy(documents["tiny"])
    planned = plan_ablation(parse_arm("optimized"), "quick")
    verdict = documents["tiny"]["pairs"][0]["verdict"]
    stored = {name: [vars(step) for step in getattr(planned, name)] for name in ("ladder", "leave_one_out")}
    finals = dict.fromkeys(planned.arms, 2.0)
    documents["ablation"]["ablation"] = describe_ablation(
        {"recipe": "optimized", **stored}, finals, lambda before, after, num_pairs: verdict
    )
    return documents


def blank(document: dict[str, Any]) -> dict[str, Any]:
    blanked = copy.deepcopy(document)
    for claim in [*blanked["claims"], *blanked["caveats"], *(c for pair in blanked["pairs"] for c in pair["claims"])]:
        claim["text"] = "(a claim)"
    for finding in [*blanked["constraints"], *blanked["integrity"]]:
        finding |= {"title": "(a check)", "evidence": "(its evidence)"}
    return blanked


def find_prose(markdown: str) -> str:
    """What is left of a Markdown report without tables, headings, code and the numbers of lists."""
    without_code = re.sub(r"`[^`\n]*`", "", re.sub(r"^```\n.*?^```$", "", markdown, flags=re.DOTALL | re.MULTILINE))
    lines = [line for line in without_code.splitlines() if not line.startswith(("|", "#"))]
    return "\n".join(re.sub(r"^\d+\. ", "", line) for line in lines)


class ProseReader(html.parser.HTMLParser):
    """The text of a page without tables, index of claims, headings, code, style, and the headline's large numbers."""

    skipped = frozenset({"table", "title", "style", "pre", "code", "h1", "h2", "h3", "figures", "index"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("meta", "img", "br"):
            return
        kind = dict(attrs).get("class")
        self._open.append(kind if kind in ("figures", "index") else tag)

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self.skipped & set(self._open):
            self.text += data


@pytest.mark.parametrize("name", ["tiny", "three seeds", "larger batch", "failed", "ablation"])
@pytest.mark.parametrize("template", MARKDOWN)
def test_without_claims_no_number_and_no_verdict_is_left_in_the_prose(
    name: str, template: str, documents: dict[str, dict[str, Any]]
) -> None:
    prose = find_prose(render_markdown(template, blank(documents[name])))
    assert "(a claim)" in prose
    assert [line for line in prose.splitlines() if re.search(r"\d", line) or VERDICT.search(line)] == []


@pytest.mark.parametrize("name", ["tiny", "three seeds", "larger batch", "failed", "ablation"])
def test_without_claims_no_number_and_no_verdict_is_left_in_the_pages_prose(
    name: str, documents: dict[str, dict[str, Any]]
) -> None:
    prose = ProseReader(render_html(blank(documents[name]), dict.fromkeys(FIGURES, ""), metrics_cut=True)).text
    assert "(a claim)" in prose
    assert [line for line in prose.splitlines() if re.search(r"\d", line) or VERDICT.search(line)] == []


@pytest.mark.parametrize("name", ["tiny", "three seeds", "larger batch", "failed"])
def test_every_sentence_of_a_list_opens_to_its_proof_on_the_screen(
    name: str, documents: dict[str, dict[str, Any]]
) -> None:
    document = documents[name]
    page = html.unescape(render_html(document, dict.fromkeys(FIGURES), on_screen=True)).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    shown = [claim for pair in document["pairs"] for claim in pair["claims"] if claim["section"] == "findings"]
    for claim in [*document["caveats"], *shown]:
        start = page.index(f"<summary>{claim['text']}</summary>")
        proof = page[start : page.index("</details>", start)]
        assert all(f"<code>{pointer}</code>" in proof for pointer in claim["inputs"].values())
        assert not claim["formula"] or f"<code>{claim['formula']}</code>" in proof
        assert not claim["condition"] or f"<code>{claim['condition']}</code>" in proof
    assert "Index of claims" not in page + render_markdown(MARKDOWN[1], document)


@pytest.mark.parametrize("name", ["tiny", "three seeds", "larger batch", "failed"])
def test_every_claim_is_printed_in_the_report(name: str, documents: dict[str, dict[str, Any]]) -> None:
    """A claim that stands in the index alone would be decoration."""
    document = copy.deepcopy(documents[name])
    claims = [*document["claims"], *document["caveats"], *(c for pair in document["pairs"] for c in pair["claims"])]
    for place, claim in enumerate(claims):
        claim["text"] = f"claim {place}."
    reports = "".join(render_markdown(template, document) for template in MARKDOWN)
    assert [claim["id"] for claim in claims if claim["text"] not in reports] == (
        ["data-kind"] if document["corpus"]["is_official"] else []
    )
