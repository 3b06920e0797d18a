"""What the command line prints about a comparison that is done: all arms in a table, the conclusion, the checks."""

from pathlib import Path
from typing import Any

from harness.cli.ablation_text import format_ablation

MAX_WIDTH = 44
"""Characters of a cell; a longer one is cut, as a terminal is narrow."""


def format_result(document: dict[str, Any], folder: Path) -> str:
    """The ranking, what it comes to, and where the reports are."""
    from harness.report.front import describe_ranking, find_broken_rules, find_conclusions, select_pairs

    table = describe_ranking(document, short=True)
    rows = [[_cut(cell if isinstance(cell, str) else cell.text) for cell in row] for row in table.rows]
    rules = [f"FAIL: {finding['title']}: {finding['evidence']}" for finding in find_broken_rules(document)]
    conclusions = [claim["text"] for claim in find_conclusions(document)] or ["No two arms can be compared."]
    checks = [claim["text"] for claim in document["claims"] if claim["id"] == "checks"]
    shares = [
        claim["text"] for pair in select_pairs(document) for claim in pair["claims"] if claim["id"] == "coverage-share"
    ]
    return "\n".join(
        [
            *(format_ablation(document["ablation"]) if document["ablation"] else ()),
            *_format_columns([list(table.header), *rows], set(table.numeric)),
            *(claim["text"] for claim in document["claims"] if claim["id"].startswith("ranking-")),
            "",
            *(claim["text"] for claim in document["claims"] if claim["id"].startswith("sweep-")),
            *rules,
            *conclusions,
            *shares,
            *checks,
            *(caveat["text"] for caveat in document["caveats"][:1]),
            "",
            f"Reports: {folder}/PERFORMANCE_SUMMARY.md, report.html, report.pdf, TRAINING_OPTIMIZATION_REPORT.md",
            f"TensorBoard: tensorboard --host 127.0.0.1 --logdir {folder}/logs/tensorboard",
        ]
    )


def _cut(cell: str) -> str:
    return cell if len(cell) <= MAX_WIDTH else f"{cell[: MAX_WIDTH - 1]}…"


def _format_columns(rows: list[list[str]], right: set[int]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
