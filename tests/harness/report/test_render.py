import copy
import html.parser
import re
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from harness.check.known_code import load_releases
from harness.claims.report_order import say_all
from harness.comparison import make_reports
from harness.report.escape import escape_markdown, format_block, format_code
from harness.report.figure_list import FIGURES
from harness.report.render import render_html, render_markdown
from harness.store.document import load_document
from mainrun.record.errors import RunError
from mainrun.record.inert import make_inert
from tests.harness.fakes import FakeLauncher, Mishap, make_comparison, skip_rendering, write_titles

QUICK = Path(__file__).parents[3] / "results" / "quick-synthetic"
SUMMARY, REPORT = "PERFORMANCE_SUMMARY.md", "TRAINING_OPTIMIZATION_REPORT.md"
SECTIONS = [
    "Results Achieved",
    "Key Changes Made",
    "Performance Comparison",
    "Key Improvements",
    "Constraints Respected",
    "Success Metrics",
    "Files Generated",
    "TensorBoard Access",
]
"""Of the task's public summary."""
HOSTILE = [
    "**bold** _it_ ~~no~~",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![i](http://h/x.png) [l](http://h)",
    "[ref]: http://h",
    "a | b || c",
    "`code` ``more`` ```block```",
    "&lt;b&gt; &amp;",
    "# head\n## head\n- item\n> quote",
    "one\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    "\x1b[31mred\x1b[0m\x07\x00",
    "\u202egnp.exe\u2066\u200b\u200e",
    "http://h www.h.example a@h.example @user #12",
    "\\",
    "\\*not\\* \\[not\\]",
    "{{ 7 * 7 }} {% raw %}",
    "]]> --> <!-- x",
    "\ud83d lone",
]
FIGURE = "data:image/svg+xml;base64,PHN2Zy8+"


class TagReader(html.parser.HTMLParser):
    """The tags of a page, with the names of their attributes, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str | None] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def rename_everything(document: dict[str, Any], text: str) -> dict[str, Any]:
    """The document of a comparison whose arm, reason, corpus and device have `text` as their name."""
    renamed = copy.deepcopy(document)
    renamed["arms"][1] |= {"name": text, "label": text}
    pair = renamed["pairs"][0]
    pair |= {"candidate": text, "candidate_label": text}
    renamed["name"] = text
    renamed["corpus"] |= {"name": text, "description": f"from the local file {text}", "source": "file"}
    renamed["runs"][1] |= {"arm": text, "label": text, "status": "failed", "reason": text}
    renamed["arms"][0]["machine"]["device_name"] = text
    renamed["constraints"][0]["evidence"] = text
    pair["changes"][0] |= {"baseline": text, "candidate": text}
    renamed["command"] = f"python -m harness compare --data {text}"
    return say_all(renamed)


def find_markup(markdown: str) -> str:
    """What is left of a Markdown text when escaped characters and plain text are taken out: its structure."""
    unescaped = re.sub(r"&#8203;|\\[!-/:-@\[-`{-~]", "", markdown)
    return re.sub(r"[^`*_\[\]<>|~#@&\n]", "", unescaped)


def find_unsafe_characters(text: str) -> set[str]:
    return {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co")}


def build_page(document: dict[str, Any]) -> str:
    figures = dict.fromkeys(FIGURES, "<svg/>")
    return render_html(document, figures, metrics_cut=False)


@pytest.mark.parametrize("name", [SUMMARY, REPORT])
def test_a_report_is_the_golden_one(tmp_path: Path, golden: Callable[[str, str], None], name: str) -> None:
    known = load_releases()["0.0.1"]  # whose hashes no change here moves
    text = (make_comparison(tmp_path, seeds=(1337, 1), launcher=FakeLauncher(source_sha256=known)) / name).read_text()
    text = re.sub(r"\b[0-9a-f]{64}\b", "<SHA-256>", text)
    golden(name, re.sub(r"\b[0-9a-f]{16}…", "<SHA-256>…", text))


def test_a_broken_rule_stands_above_the_headline_of_every_report(tiny_document: dict[str, Any]) -> None:
    [finding] = [finding for finding in tiny_document["constraints"] if finding["name"] == "epochs"]
    broken = [{**finding, "status": "FAIL", "evidence": "14 epochs were trained"}]
    document = tiny_document | {"constraints": broken}
    for text, headline in (
        (build_page(document), '<div class="headline'),
        (render_markdown(f"{SUMMARY}.j2", document), "**Verdict"),
        (render_markdown(f"{REPORT}.j2", document), "## optimized"),
    ):
        before = text[: text.index(headline)]
        assert re.search(r"FAIL: Fixed epochs: 7\W.*14 epochs were trained", before), before


def test_the_summary_has_the_sections_of_the_public_one_in_their_order(tiny_comparison: Path) -> None:
    text = (tiny_comparison / SUMMARY).read_text()
    assert text.startswith("# Performance Summary: Mainrun Training Optimization\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert text.rstrip().splitlines()[-1].startswith("**Final result: ")


def test_the_summary_holds_no_image_and_no_link_but_the_local_address(tiny_comparison: Path) -> None:
    text = (tiny_comparison / SUMMARY).read_text()
    assert not re.search(r"!\[|\]\(|<img|<a |\]:", text)
    assert set(re.findall(r"\w+://[^\s`]+", text)) == {"http://127.0.0.1:6006"}


@pytest.mark.parametrize("name", [SUMMARY, REPORT])
def test_a_synthetic_corpus_is_named_in_the_first_lines(tiny_comparison: Path, name: str) -> None:
    first = "\n".join((tiny_comparison / name).read_text().splitlines()[:4])
    assert "**Synthetic corpus.**" in first


def test_titles_that_are_not_the_tasks_are_named_in_the_first_lines(tmp_path: Path) -> None:
    folder = make_comparison(tmp_path, data=str(write_titles(tmp_path)))
    for name in (SUMMARY, REPORT):
        text = (folder / name).read_text()
        assert "**Not the task's own data.**" in "\n".join(text.splitlines()[:4])
        assert str(tmp_path) not in text


@pytest.mark.parametrize("template", [f"{SUMMARY}.j2", f"{REPORT}.j2"])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_changes_nothing_of_a_markdown_reports_structure(
    tiny_document: dict[str, Any], template: str, text: str
) -> None:
    plain = render_markdown(template, rename_everything(tiny_document, "plain"))
    hostile = render_markdown(template, rename_everything(tiny_document, text))
    block = re.compile(r"^```\n.*\n```$", re.MULTILINE)
    assert find_markup(block.sub("", hostile)) == find_markup(block.sub("", plain))
    assert len(block.findall(hostile)) == len(block.findall(plain)) == (template == f"{REPORT}.j2")
    assert not find_unsafe_characters(hostile)
    assert not re.search(r"[^\\]://h|[^\\]www\.h", block.sub("", hostile))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_changes_nothing_of_the_pages_structure(tiny_document: dict[str, Any], text: str) -> None:
    plain = TagReader(build_page(rename_everything(tiny_document, "plain")))
    page = build_page(rename_everything(tiny_document, text))
    hostile = TagReader(page)
    assert hostile.tags == plain.tags
    assert set(hostile.addresses) == {FIGURE}
    assert not find_unsafe_characters(page)
    assert make_inert(text) in hostile.text


@pytest.mark.parametrize("template", [f"{SUMMARY}.j2", f"{REPORT}.j2"])
def test_a_name_with_dollar_signs_is_no_formula(tiny_document: dict[str, Any], template: str) -> None:
    """GitHub typesets `$…$` as mathematics."""
    text = render_markdown(template, rename_everything(tiny_document, "$x^2$"))
    block = re.compile(r"^```\n.*\n```$", re.MULTILINE)
    assert not re.search(r"(?<!\\)\$", block.sub("", text))


def test_a_hostile_file_name_goes_through_the_whole_pipeline(tmp_path: Path) -> None:
    data = write_titles(tmp_path).rename(tmp_path / "<img src=x>|[l](h) `c` *b*\n\x1b[31m.txt")
    with skip_rendering() as pages:
        folder = make_comparison(tmp_path, data=str(data), pdf=True, figures=True)
    for name in (SUMMARY, REPORT):
        text = (folder / name).read_text()
        assert r"\<img src=x\>\|\[l\](h) \`c\` \*b\*" in text
        assert not find_unsafe_characters(text)
    (page,) = pages
    assert "<img src=x>" not in page
    assert not find_unsafe_characters(page)


def test_escaped_markdown_reads_as_it_stands() -> None:
    assert escape_markdown("a*b|c") == r"a\*b\|c"
    assert escape_markdown("\\") == r"\\"
    assert escape_markdown("two\nlines") == "two lines"
    assert [escape_markdown(text) for text in ("- a", "1. a", "    a", "  ")] == [r"\- a", r"1\. a", "a", "  "]


@pytest.mark.parametrize(
    "text", ["plain", "a`b", "a``b", "`", "``", "```", "`a`", "a```b``c`d", " a ", "x``<script>``y", "a``b`c"]
)
def test_a_code_span_holds_any_text(text: str) -> None:
    """By CommonMark: a span opens with n backticks and ends at the next run of exactly n."""
    span = format_code(text)
    fence = re.match(r"`+", span)
    assert fence
    inner = span[len(fence[0]) : -len(fence[0])]
    assert span.startswith(fence[0]) and span.endswith(fence[0])
    assert fence[0] not in re.findall(r"`+", inner)
    assert text.strip() in inner


def test_a_block_cannot_be_ended_from_inside() -> None:
    assert "```" not in format_block("a\n```\n# out\n````")


def test_a_run_that_failed_is_named_in_the_first_section_and_no_section_is_empty(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        make_comparison(tmp_path, launcher=FakeLauncher({"optimized": Mishap("fail", step=50)}))
    summary = (tmp_path / "fake" / SUMMARY).read_text()
    assert "**Missing:** optimized (changed) with seed 1337 is not complete: failed (training loss nan, " in summary
    assert "Final result: none" in summary
    assert_no_empty_section(summary)
    assert_no_empty_section((tmp_path / "fake" / REPORT).read_text())


def test_a_comparison_of_which_no_run_is_complete_has_no_empty_section(tmp_path: Path) -> None:
    mishaps = {"baseline": Mishap("fail", step=50), "optimized": Mishap("kill", step=60, torn=True)}
    with skip_rendering() as pages, pytest.raises(RunError):
        make_comparison(tmp_path, launcher=FakeLauncher(mishaps), pdf=True, figures=True)
    assert_no_empty_section((tmp_path / "fake" / SUMMARY).read_text())
    assert_no_empty_section((tmp_path / "fake" / REPORT).read_text())
    (page,) = pages
    assert not re.search(r"<tr><th></th></tr>", page)


def assert_no_empty_section(markdown: str) -> None:
    for title, body in re.findall(r"^#+ (.*)\n((?:(?!#).*\n?)*)", markdown, re.MULTILINE):
        rows = [line for line in body.splitlines() if line.startswith("|")]
        assert len(rows) != 2, f"{title}: a table without rows"
        assert not any(line.strip("| -:") == "" for line in rows[:1] if line.count("|") < 3), f"{title}: no columns"


@pytest.fixture(scope="module")
def reader(full_comparison: Path) -> PdfReader:
    return PdfReader(full_comparison / "report.pdf")


def test_the_pdf_has_the_reports_text(reader: PdfReader, full_comparison: Path) -> None:
    text = " ".join("".join(page.extract_text() for page in reader.pages).split())
    document = load_document(full_comparison)
    for word in ("Synthetic corpus.", "Caveats", "Metric integrity", "Provenance", "Reproduce"):
        assert word in text
    for arm in document["arms"]:
        assert f"{arm['final']['full_loss_nats_per_char']:.4f}" in text
        assert f"{arm['final']['loss_nats_per_char']:.4f}" in text
    assert document["pairs"][0]["verdict"]["label"] in text


@pytest.mark.usefixtures("reader")  # which skips where no PDF can be made
def test_the_pdf_of_a_pair_has_three_to_five_pages(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(QUICK, tmp_path / "quick", symlinks=True))
    make_reports(folder)
    assert 3 <= len(PdfReader(folder / "report.pdf").pages) <= 5


def test_every_symbol_of_the_page_is_in_the_pdf(reader: PdfReader, full_comparison: Path) -> None:
    text = "".join(page.extract_text() for page in reader.pages)
    missing = {symbol for symbol in "→−×…–" if symbol not in text}
    assert not missing
    assert "\ufffd" not in text


def test_the_pdf_has_bookmarks_of_its_sections(reader: PdfReader) -> None:
    def flatten(outline: list[Any]) -> list[str]:
        return [title for item in outline for title in (flatten(item) if isinstance(item, list) else [str(item.title)])]

    titles = flatten(reader.outline)
    assert titles[0] == "fake"
    assert {
        "Caveats",
        "optimized (changed) against baseline (changed)",
        "Curves",
        "Cost",
        "Provenance",
        "Reproduce",
    } <= set(titles)


def test_the_pdfs_attachments_are_the_files(reader: PdfReader, full_comparison: Path) -> None:
    attached = {name: contents[0] for name, contents in reader.attachments.items()}
    assert set(attached) == {"comparison.json", "metrics.parquet"}
    for name, content in attached.items():
        assert content == (full_comparison / name).read_bytes()


def test_the_pdf_is_small_and_dated_by_the_journals(reader: PdfReader, full_comparison: Path) -> None:
    assert (full_comparison / "report.pdf").stat().st_size < 1_000_000
    assert reader.metadata is not None and reader.metadata.creation_date is not None
    finished_at = load_document(full_comparison)["finished_at"]
    assert reader.metadata.creation_date.timestamp() == pytest.approx(finished_at, abs=1)


def test_reports_made_again_are_the_same_bytes(full_comparison: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(full_comparison, tmp_path / "again" / "fake", symlinks=True))
    for path in ("metrics.parquet", "comparison.json", SUMMARY, REPORT, "report.pdf"):
        (again / path).unlink()
    shutil.rmtree(again / "figures")
    shutil.rmtree(again / "logs")
    make_reports(again)
    files = {path.relative_to(again) for path in again.rglob("*") if path.is_file()}
    assert files == {path.relative_to(full_comparison) for path in full_comparison.rglob("*") if path.is_file()}
    assert {path.suffix for path in files} >= {".md", ".json", ".svg", ".parquet", ".pdf", ".run"}
    changed = [str(path) for path in files if (again / path).read_bytes() != (full_comparison / path).read_bytes()]
    assert not changed


def test_no_file_of_a_comparison_names_a_folder_outside_it(full_comparison: Path) -> None:
    outside = str(full_comparison.parent).encode()
    for path in full_comparison.rglob("*"):
        assert not path.is_file() or outside not in path.read_bytes(), path
