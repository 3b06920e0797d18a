"""What the command line prints about a comparison that is done: all arms in a table, the conclusion, the checks."""

import shlex
from pathlib import Path
from typing import Any

from harness.cli.ablation_text import format_ablation
from harness.cli.table import find_width, format_columns


def format_result(document: dict[str, Any], folder: Path) -> str:
    """The ranking, what it comes to, and where the reports are."""
    from harness.report.blocks import select_section
    from harness.report.front import find_broken_rules, find_conclusions, select_pairs
    from harness.report.ranking_table import LEAST, describe_ranking

    width, table = find_width(), describe_ranking(document, short=True, split=True)
    rows = [[cell if isinstance(cell, str) else cell.text for cell in row] for row in table.rows]
    header = list(table.header)
    places = {name: place for place, name in enumerate(header)}
    ranked = format_columns(
        header,
        rows,
        table.numeric,
        max_width=width,
        names=(places["Arm"], len(header) - 2),
        longest=places["What changed"],
        spared=[*(places[name] for name in (*LEAST, "What changed") if name in places), len(header) - 1],
    )
    rules = [f"FAIL: {finding['title']}: {finding['evidence']}" for finding in find_broken_rules(document)]
    conclusions = [claim["text"] for claim in find_conclusions(document)] or ["No two arms can be compared."]
    checks = [claim["text"] for claim in document["claims"] if claim["id"] == "checks"]
    shares = [
        claim["text"] for pair in select_pairs(document) for claim in pair["claims"] if claim["id"] == "coverage-share"
    ]
    return "\n".join(
        [
            *(format_ablation(document["ablation"], width) if document["ablation"] else ()),
            *ranked,
            *(claim["text"] for claim in select_section(document["claims"], "front")),
            "",
            *(claim["text"] for claim in document["claims"] if claim["id"] == "sweep-tied"),
            *rules,
            *conclusions,
            *shares,
            *checks,
            *(caveat["text"] for caveat in document["caveats"][:1]),
            "",
            f"Reports: {folder}/PERFORMANCE_SUMMARY.md, report.html, report.pdf, TRAINING_OPTIMIZATION_REPORT.md",
            f"TensorBoard: tensorboard --host 127.0.0.1 --logdir {shlex.quote(f'{folder}/logs/tensorboard')}",
        ]
    )
