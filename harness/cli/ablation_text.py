"""What `ablate` answers on the command line: each change added one more at a time, and left out of the whole."""

from collections.abc import Mapping
from typing import Any

from harness.cli.table import format_columns
from harness.formats import format_ends, format_loss, format_percent

HEADER = ("Change", "nats per char", "Gain", "95 % interval", "all at once", "Verdict", "all at once")
NUMERIC = (1, 2)


def format_ablation(ablation: Mapping[str, Any]) -> list[str]:
    """The lines of both tables, each with its sum, and the whole under them."""
    lines: list[str] = []
    kinds = (("ladder", "Added one more at a time", "+"), ("leave_one_out", "Left out of the whole", "−"))
    for kind, title, sign in kinds:
        rows = [[f"{sign} {step['unit']}", *_format_step(step)] for step in ablation[kind]]
        rows.append(["sum", format_loss(ablation[f"{kind}_sum_nats_per_char"]), *5 * [""]])
        lines += [title, *(f"  {line}" for line in format_columns(HEADER, rows, NUMERIC)), ""]
    return [
        *lines,
        f"The whole, {ablation['recipe']}: {format_loss(ablation['whole_nats_per_char'])} nats per character",
        "",
    ]


def _format_step(step: Mapping[str, Any]) -> list[str]:
    verdict = step["verdict"]
    return [
        format_loss(step["impact_nats_per_char"]),
        format_percent(verdict["gain_percent"], 2),
        *(format_ends(verdict[f"interval_{level}"]) for level in ("95", "joint")),
        verdict["word"] + (" (one seed)" if verdict["num_seed_pairs"] == 1 else ""),
        verdict["adjusted"]["word"] if verdict["adjusted"] else "",
    ]
