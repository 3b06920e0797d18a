"""From `comparison.json` (and the parquet, for curves) to Markdown, HTML and PDF: the only module that imports jinja2.

Rendering returns text; everything that comes out of the document is made inert for the format it goes into.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness import formats
from harness.plan.changes import FILE_NAME as PATCH_NAME
from harness.report import front, pair_sections, ranking_table, sections
from harness.report.blocks import Code, has_content, select_section
from harness.report.change_section import describe_changes
from harness.report.escape import escape_html, escape_markdown, format_block, format_code
from harness.report.figure_list import FIGURES, show_figures
from harness.report.figures import FOLDER, save_figures
from harness.report.pdf import Attachment, Renderer, render_pdf
from harness.store.document import FILE_NAME as DOCUMENT_NAME
from harness.store.document import load_document
from harness.store.findings import STATUSES
from harness.store.measurements import FILE_NAME as METRICS_NAME
from harness.store.measurements import Row, load_metrics, save_rows
from harness.store.runs import OURS
from mainrun.record.files import save_text
from mainrun.record.inert import make_inert

SUMMARY_NAME = "PERFORMANCE_SUMMARY.md"
REPORT_NAME = "TRAINING_OPTIMIZATION_REPORT.md"
PDF_NAME = "report.pdf"
PAGE_NAME = "report.html"
ATTACHED_NAME = "metrics-validation.parquet"
UNDATED = 315_532_800
"""1980-01-01: the date of a PDF whose sources hold none."""
MAX_ATTACHED_BYTES = 300_000
"""A larger parquet travels in the PDF with its validation rows only."""
MAX_RANKED = 60
"""Arms in the summary's table."""
MAX_SUMMARY_CHARS = 60_000
"""A comment on a pull request holds 65,536."""
DETAILED = (None, 2, 1)
"""Pairs that the summary shows in detail: as many as fit."""
Figures = Mapping[str, str | None]
"""Name → SVG, or None where it has nothing to show."""


def render(folder: Path, renderer: Renderer | None = None, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Writes the Markdown reports, the figures, the page and the PDF of a comparison that has been analysed.

    `renderer` is a child that waits for the PDF, if one was started early; `meanwhile` is called while it renders.
    Raises `MachineError` where the PDF cannot be made here; everything else is written by then.
    """
    document, rows = load_document(folder), load_metrics(folder)
    save_figures(folder, document, rows)
    figures = {name: load_figure(folder / FOLDER / f"{name}.svg") for name in FIGURES}
    patch = (folder / PATCH_NAME).read_text(encoding="utf-8") if (folder / PATCH_NAME).is_file() else ""
    metrics_name, attached_rows = select_attached_rows(folder, rows)
    is_cut = metrics_name != METRICS_NAME
    if is_cut:
        save_rows(folder / metrics_name, attached_rows)

    def write_others() -> None:
        save_text(folder / SUMMARY_NAME, render_markdown(f"{SUMMARY_NAME}.j2", document))
        save_text(folder / REPORT_NAME, render_markdown(f"{REPORT_NAME}.j2", document))
        save_text(folder / PAGE_NAME, render_html(document, figures, on_screen=True, patch=patch))
        meanwhile()

    try:
        page = render_html(document, figures, metrics_cut=is_cut, patch=patch)
        with ThreadPoolExecutor(1) as others:  # the PDF is not the one that waits here, so that it can be interrupted
            written = others.submit(write_others)
            render_pdf(
                page,
                folder / PDF_NAME,
                attachments=[
                    Attachment(folder / DOCUMENT_NAME, "Every number in this report"),
                    Attachment(folder / metrics_name, f"The measurements{', validation rows only' * is_cut}"),
                    *([Attachment(folder / PATCH_NAME, "What differs in code")] if patch else []),
                ],
                created=datetime.fromtimestamp(document["finished_at"] or UNDATED, UTC),
                renderer=renderer,
            )
        written.result()
    finally:
        if is_cut:
            (folder / metrics_name).unlink()


def render_markdown(template: str, document: dict[str, Any]) -> str:
    """A Markdown report; every value is escaped. The summary shows fewer pairs in detail until a comment holds it."""
    page = _build_environment(escape_markdown).get_template(template)
    for most in DETAILED:
        text = _join_blank_lines(page.render(_build_context(document, most)))
        if template != f"{SUMMARY_NAME}.j2" or len(text) <= MAX_SUMMARY_CHARS:
            return text
    end = f"\n\nCut here: all of it stands in {REPORT_NAME}.\n"
    return text[: text.rindex("\n", 0, MAX_SUMMARY_CHARS - len(end))] + end


def render_html(
    document: dict[str, Any], figures: Figures, *, metrics_cut: bool = False, on_screen: bool = False, patch: str = ""
) -> str:
    """The report as one HTML page with style sheet and figures inline, for the PDF or a browser; all is escaped.

    `patch` is the difference in code, shown whole on a screen.
    """
    page = _build_environment(escape_html).get_template("report.html.j2")
    inline = {name: Markup(_read_template(name)) for name in ("report.css", "screen.css", "report.js")}
    return page.render(
        _build_context(document) | {"ranking": ranking_table.describe_ranking(document, on_paper=not on_screen)},
        style=inline["report.css"],
        screen_style=inline["screen.css"],
        script=inline["report.js"],
        figures=figures,
        metrics_cut=metrics_cut,
        on_screen=on_screen,
        patch=Markup(Markup.escape(make_inert(patch, keep="\n\t"))),
    )


def load_figure(path: Path) -> str | None:
    """A figure's SVG, or None where it has nothing to show."""
    return path.read_text(encoding="utf-8") if path.exists() else None


def get_claim_text(claims: Sequence[dict[str, Any]], claim_id: str) -> str:
    """The sentence of one claim; "" where it was not made, because it is not true."""
    return next((str(claim["text"]) for claim in claims if claim["id"] == claim_id), "")


def select_attached_rows(folder: Path, rows: Sequence[Row]) -> tuple[str, list[Row]]:
    """Name and rows of the parquet that travels in the PDF: all of them, or above 300 KB the validation rows."""
    if (folder / METRICS_NAME).stat().st_size <= MAX_ATTACHED_BYTES:
        return METRICS_NAME, list(rows)
    return ATTACHED_NAME, [row for row in rows if row["split"] == "validation"]


def _build_context(document: dict[str, Any], most: int | None = None) -> dict[str, Any]:
    groups = {group: front.shorten_findings(document, group) for group in ("constraints", "integrity")}
    pairs = front.select_pairs(document, most)
    document = {**document, **groups}
    findings = [*groups["constraints"], *groups["integrity"]]
    return {
        **document,
        **{group: front.select_claims(document, group) for group in ("claims", "caveats")},
        "pairs": pairs,
        "num_pairs": len(document["pairs"]),
        "has_several_arms": len(ranking_table.list_ranked(document)) > ranking_table.FEW_ARMS,
        "first_figures": show_figures(document, is_first=True),
        "statuses": STATUSES,
        "mismatch": any(pair["mismatch"] for pair in document["pairs"]),
        "has_logs": any(arm["origin"] not in OURS for arm in document["arms"]),
        "conclusions": front.find_conclusions(document),
        "color": front.find_color(document),
        "tones": front.find_tones(document),
        "ranking": ranking_table.describe_ranking(document),
        "short_ranking": ranking_table.describe_ranking(document, most=MAX_RANKED, short=True),
        "trust": front.describe_trust(document),
        "first_caveat": document["caveats"][0]["text"] if document["caveats"] else "",
        "broken_rules": front.find_broken_rules(document),
        "passed": [finding for finding in findings if finding["status"] == "PASS"],
        "unpassed": [finding for finding in findings if finding["status"] != "PASS"],
        "unvouched": "; ".join(finding["title"] for finding in findings if finding["status"] == "NOT VOUCHED"),
        "pair_parts": _build_pair_parts(document, pairs),
        "metrics": front.describe_metrics(document, pairs),
        "sections": sections.describe_report(document),
    }


def _build_pair_parts(document: dict[str, Any], pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the summary shows of each of the pairs."""
    several = len(document["pairs"]) > 1
    return [
        {
            "suffix": f": {pair['candidate_label']}" if several else "",
            "changes": describe_changes(document, pair),
            "steps": pair_sections.describe_steps(pair),
            "findings": pair_sections.describe_findings(pair),
            "certainty": pair_sections.describe_certainty(pair),
        }
        for pair in pairs
    ]


@lru_cache(maxsize=2)
def _build_environment(escape: Any) -> Environment:
    def finalize(value: Any) -> Any:
        return value if isinstance(value, Markup) else Markup(escape(make_inert(str(value))))

    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,  # finalize escapes every value, for Markdown and HTML alike; macros give what is safe already
    )
    environment.filters |= formats.FORMATS | {
        "code": format_code,
        "block": format_block,
        "claim": get_claim_text,
        "section": select_section,
        "mark": Markup,
        "inline": _inline_figure,
        "data_address": _encode_figure,
    }
    environment.tests |= {"code": lambda value: isinstance(value, Code), "content": has_content}
    return environment


def _encode_figure(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _inline_figure(svg: str) -> Markup:
    """The drawing itself, which matplotlib escaped, so that its text can be selected and its values hovered over."""
    return Markup(svg[svg.index("<svg") :])


def _read_template(name: str) -> str:
    return files("reports").joinpath("templates", name).read_text(encoding="utf-8")


def _join_blank_lines(text: str) -> str:
    """No more than one blank line in a row, as blocks bring their own."""
    lines = text.strip("\n").split("\n")
    kept = [line for place, line in enumerate(lines) if line.strip() or place == 0 or lines[place - 1].strip()]
    return "\n".join(kept) + "\n"
