"""From `comparison.json` (and the parquet, for curves) to Markdown, HTML and PDF: the only module that imports jinja2.

Rendering returns text; everything that comes out of the document is made inert for the format it goes into.
"""

import base64
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness import formats
from harness.analyse.document import FILE_NAME as DOCUMENT_NAME
from harness.analyse.document import load_document
from harness.report.figures import FIGURES, FOLDER, save_figures
from harness.report.pdf import Attachment, Renderer, render_pdf
from harness.store.measurements import FILE_NAME as METRICS_NAME
from harness.store.measurements import Row, load_metrics, save_rows
from mainrun.record.files import save_text
from mainrun.record.inert import make_inert

SUMMARY_NAME = "PERFORMANCE_SUMMARY.md"
REPORT_NAME = "TRAINING_OPTIMIZATION_REPORT.md"
PDF_NAME = "report.pdf"
ATTACHED_NAME = "metrics-validation.parquet"
UNDATED = 315_532_800
"""1980-01-01: the date of a PDF whose sources hold none."""
MAX_ATTACHED_BYTES = 300_000
"""A larger parquet travels in the PDF with its validation rows only."""
FIGURE_WORDS = {
    "loss_by_step": "Validation loss by step of every arm",
    "loss_by_time": "Validation loss by training time of every arm",
    "gain": "Gain over the baseline by step",
    "training_loss": "Training loss by step of every arm",
    "learning_rate": "Learning rate by step of every arm",
    "perplexity": "Validation perplexity by step of every arm",
}
"""What each figure of the curves section shows, in its order; in the PDF the first one stands on the first page."""
_MARKDOWN_SPECIAL = str.maketrans({character: f"\\{character}" for character in r"\`*_[]<>|~&#@$"})


def render(folder: Path, renderer: Renderer | None = None, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Writes both Markdown reports, the figures and the PDF of a comparison that has been analysed.

    `renderer` is a child that waits for the PDF, if one was started early; `meanwhile` is called while it renders.
    Raises `MachineError` where the PDF cannot be made here; everything else is written by then.
    """
    document, rows = load_document(folder), load_metrics(folder)
    save_figures(folder, document, rows)
    figures = {name: load_figure(folder / FOLDER / f"{name}.svg") for name in FIGURES}
    metrics_name, attached_rows = select_attached_rows(folder, rows)
    is_cut = metrics_name != METRICS_NAME
    if is_cut:
        save_rows(folder / metrics_name, attached_rows)

    def write_others() -> None:
        save_text(folder / SUMMARY_NAME, render_markdown("PERFORMANCE_SUMMARY.md.j2", document))
        save_text(folder / REPORT_NAME, render_markdown("TRAINING_OPTIMIZATION_REPORT.md.j2", document))
        meanwhile()

    try:
        page = render_html(document, figures, metrics_cut=is_cut)
        with ThreadPoolExecutor(1) as others:  # the PDF is not the one that waits here, so that it can be interrupted
            written = others.submit(write_others)
            render_pdf(
                page,
                folder / PDF_NAME,
                attachments=[
                    Attachment(folder / DOCUMENT_NAME, "Every number in this report"),
                    Attachment(folder / metrics_name, f"The measurements{', validation rows only' * is_cut}"),
                ],
                created=datetime.fromtimestamp(document["finished_at"] or UNDATED, UTC),
                renderer=renderer,
            )
        written.result()
    finally:
        if is_cut:
            (folder / metrics_name).unlink()


def render_markdown(template: str, document: dict[str, Any]) -> str:
    """A Markdown report; every value is escaped."""
    chosen = _choose_template(template, document)
    return _build_environment(escape_markdown).get_template(chosen).render(_build_context(document))


def render_html(document: dict[str, Any], figures: dict[str, str | None], *, metrics_cut: bool) -> str:
    """The report as one HTML page with its style sheet and figures inline; every value is escaped."""
    style = files("reports").joinpath("templates", "report.css").read_text(encoding="utf-8")
    page = _build_environment(Markup.escape).get_template(_choose_template("report.html.j2", document))
    context = _build_context(document)
    return page.render(context, style=Markup(style), figures=figures, metrics_cut=metrics_cut)


def _choose_template(name: str, document: dict[str, Any]) -> str:
    """Comparisons with logs of other programs have templates of their own: most of what ours say is not known there."""
    return f"foreign/{name}" if "foreign" in document else name


def load_figure(path: Path) -> str | None:
    """A figure as a `data:` address, or None where it has nothing to show."""
    if not path.exists():
        return None
    return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it stands; an address is not turned into a link."""
    return text.translate(_MARKDOWN_SPECIAL).replace("://", "\\://").replace("www.", "www\\.").replace("\n", " ")


def format_code(text: Any) -> Markup:
    """A Markdown code span, whatever the text holds."""
    inert = make_inert(formats.format_value(text))
    longest = max(map(len, re.findall("`+", inert)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if inert.startswith("`") or inert.endswith("`") else ""
    return Markup(f"{fence}{padding}{inert}{padding}{fence}".replace("|", "\\|"))


def format_block(text: str) -> Markup:
    """Text for inside a fenced Markdown code block."""
    return Markup(make_inert(text).replace("```", "'''"))


def get_claim_text(claims: Sequence[dict[str, Any]], claim_id: str) -> str:
    """The sentence of one claim; "" where it was not made, because it is not true."""
    return next((str(claim["text"]) for claim in claims if claim["id"] == claim_id), "")


def select_section(claims: Sequence[dict[str, Any]], section: str) -> list[dict[str, Any]]:
    """The claims on a pair that stand in one section of a report."""
    return [claim for claim in claims if claim["section"] == section]


def format_impact(key: str, ablation: dict[str, Any] | None) -> str:
    """What an ablation measured of the unit a setting belongs to, or that it was not measured."""
    if ablation is None:
        return "not measured"
    parts = []
    for kind, word in (("ladder", "added"), ("leave_one_out", "left out")):
        step = next((step for step in ablation[kind] if key in step["keys"]), None)
        if step is not None:
            verdict = step["verdict"]
            parts.append(f"{word}: {formats.format_percent(verdict['gain_percent'], 2)}, {verdict['label']}")
    return "; ".join(parts) or "not measured"


def _build_context(document: dict[str, Any]) -> dict[str, Any]:
    return {
        **document,
        "by_name": {arm["name"]: arm for arm in document["arms"]},
        "figure_words": FIGURE_WORDS,
        "index": [
            *(("", claim) for claim in [*document["claims"], *document["caveats"]]),
            *((pair["candidate_label"], claim) for pair in document["pairs"] for claim in pair["claims"]),
        ],
        "drawn_figures": _list_drawn_figures(document),
    }


def _list_drawn_figures(document: dict[str, Any]) -> list[str]:
    if "foreign" in document:
        return list(document["foreign"]["figures"]) if document["pairs"] else []
    drawn = {"gain": bool(document["pairs"]), "ablation": document["ablation"] is not None}
    return [name for name in FIGURES if drawn.get(name, True)]


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
        autoescape=False,  # finalize escapes every value, for Markdown and HTML alike
    )
    environment.filters |= formats.FORMATS | {
        "code": format_code,
        "block": format_block,
        "claim": get_claim_text,
        "section": select_section,
        "impact": format_impact,
        "zip": zip,
    }
    return environment


def select_attached_rows(folder: Path, rows: Sequence[Row]) -> tuple[str, list[Row]]:
    """Name and rows of the parquet that travels in the PDF: all of them, or above 300 KB the validation rows."""
    if (folder / METRICS_NAME).stat().st_size <= MAX_ATTACHED_BYTES:
        return METRICS_NAME, list(rows)
    return ATTACHED_NAME, [row for row in rows if row["split"] == "validation"]
