"""The documentation as the tests read it: which files there are, their generated parts, links and command lines."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.formats import format_ends, format_loss, format_percent, format_ratio
from harness.store.document import load_document

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PROGRAMS = ("python -m harness", "python -m mainrun.train", ".venv/bin/python -m harness")


def read_document(name: str) -> str:
    """The text of a document by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def find_part(document: str, name: str) -> str:
    """What stands between the markers `name` of a document."""
    found = re.search(rf"<!-- {name}:start -->\n(.*?)<!-- {name}:end -->", read_document(document), re.DOTALL)
    assert found is not None, f"{document} has no part {name}"
    return found[1].strip()


def hold_part(document: str, name: str, text: str) -> None:
    """Holds a generated part to what the program says; `UPDATE_GOLDEN=1` writes it anew."""
    if os.environ.get("UPDATE_GOLDEN"):
        begin, end = f"<!-- {name}:start -->\n", f"<!-- {name}:end -->"
        before, _, rest = read_document(document).partition(begin)
        (ROOT / document).write_text(f"{before}{begin}{text}\n{end}{rest.partition(end)[2]}", encoding="utf-8")
    assert find_part(document, name) == text, f"{document}, part {name}; if the program is right: UPDATE_GOLDEN=1"


def read_code(document: str, name: str) -> str:
    """The one code block between the markers `name` of a document."""
    found = re.fullmatch(r"```\w+\n(.*?)```", find_part(document, name), re.DOTALL)
    assert found is not None, f"{document}, part {name} is no code block"
    return found[1]


def list_blocks(text: str) -> Iterator[str]:
    """The contents of the code blocks of a text."""
    yield from re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def list_spans(text: str) -> list[str]:
    """Code within the lines of a text."""
    return re.findall(r"`([^`\n]+)`", leave_blocks_out(text))


def leave_blocks_out(text: str) -> str:
    """The text without its code blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def list_links(text: str) -> list[str]:
    """Targets of the links and images of a text, code left out."""
    prose = leave_blocks_out(text)
    return [*re.findall(r"\]\(([^)\s]+)\)", prose), *re.findall(r"(?:href|src)=\"([^\"]+)\"", prose)]


def list_anchors(text: str) -> set[str]:
    """The names under which headings of a text can be linked to."""
    headings = re.findall(r"^#+ (.+)$", leave_blocks_out(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def list_commands(text: str) -> list[list[str]]:
    """Our command lines in code of a text, each with its program first: `["harness", "verify", "DIR"]`."""
    lines = [line.strip().removeprefix("- run: ") for block in list_blocks(text) for line in block.splitlines()]
    found = []
    for line in [*lines, *list_spans(text)]:
        for program in PROGRAMS:
            if line.startswith(program):
                found.append([program.rpartition(" ")[2], *shlex.split(line.removeprefix(program), comments=True)])
    return found


KNOWN_NOISE = {"quick": ("quick-seeds", 1337), "laptop": ("frontier-laptop", None)}
"""By preset the committed comparison that shows its noise, and the seed left out, by which single runs are judged."""


def load_known_gains(preset: str) -> list[float]:
    """Gains in percent of the seed pairs of baseline and optimized that the known noise is of."""
    name, left_out = KNOWN_NOISE[preset]
    pairs = load_document(ROOT / "results" / name)["pairs"]
    [pair] = [pair for pair in pairs if (pair["baseline"], pair["candidate"]) == ("baseline", "optimized")]
    return [entry["gain_percent"] for entry in pair["robustness"]["seed_pairs"] if entry["seed"] != left_out]


def describe_gain(judged: dict[str, Any]) -> str:
    """The gain of a verdict, or of a row of the ranking, with its interval."""
    return f"{format_percent(judged['gain_percent'], 2)} ({format_ends(judged['interval_95'])})"


def describe_recipes(document: dict[str, Any]) -> str:
    """A table of the recipes: the ranking with its cost."""
    rows = document["ranking"]["rows"]
    baseline = next(row for row in rows if row["is_baseline"])
    lines = ["| recipe | full loss | lower by (95 % interval) | verdict | frozen loss | coverage | training compute |",
             "|---|---:|---|---|---:|---:|---:|"]  # fmt: skip
    for row in rows:
        cells = (
            f"`{row['label']}`",
            format_loss(row["loss"]),
            "" if row["interval_95"] is None else describe_gain(row),
            row["verdict"] or "",
            format_loss(row["frozen_loss_nats_per_char"]),
            format_percent(row["coverage_percent"]),
            format_ratio(row["training_flops"] / baseline["training_flops"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
