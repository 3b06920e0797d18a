"""What makes a page readable: where its lines break, and how a click sorts its tables."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from harness.claims.report_order import say_all
from harness.formats import format_bytes, format_duration, format_flops, format_percent
from harness.report.blocks import Table
from harness.report.joint_sections import describe_ablation
from harness.report.render import render_html, render_markdown
from harness.report.sections import wrap_command
from harness.store.document import load_document

ROOT = Path(__file__).parents[3]


def test_a_long_command_is_broken_so_that_a_shell_reads_the_same_words() -> None:
    files = ["a file --of two\nlines", "Bob's very long list of headlines of the archive, all of 2024.csv"]
    words = ["python", "--seeds", "1,2", "--set", "it's", *(word for file in files for word in ("--data", file))]
    words += ["--precision", "x"] * 9
    lines = wrap_command(shlex.join(words))
    assert len(lines) > 1 and all(len(line) <= 90 for line in lines)
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == words


@pytest.mark.parametrize("length", range(1, 20))
def test_no_option_of_a_long_command_is_parted_from_its_value(length: int) -> None:
    lines = wrap_command(f"python {'x' * length}{' --precision bfloat16' * 9}")
    assert len(lines) > 1 and not any(re.search(r"--[\w-]+ \\$", line) for line in lines)


def test_the_intervals_of_an_ablation_stand_in_one_line() -> None:
    sections = describe_ablation(load_document(ROOT / "results" / "ablation-laptop"))
    tables = [block for section in sections for block in section.blocks if isinstance(block, Table)]
    columns = [(table, place) for table in tables for place, name in enumerate(table.header) if "Interval" in name]
    assert len(columns) == 4 and all(place in table.numeric for table, place in columns)


def test_the_sorting_of_a_table_knows_every_unit_of_amounts() -> None:
    script = (ROOT / "reports" / "templates" / "report.js").read_text(encoding="utf-8")
    known = set(re.findall(r"(\w+): \d", script[: script.index("};")]))
    amounts = [show(4.0**power) for show in (format_duration, format_bytes, format_flops) for power in range(32)]
    assert {unit for amount in amounts for unit in re.findall(r"\b[A-Za-z]+", amount)} <= known


def test_no_line_of_a_page_begins_with_a_percent_sign(tiny_document: dict[str, Any]) -> None:
    page = render_html(tiny_document, {})
    assert re.search(r"\d\u00a0%", page)
    assert not re.search(r"\d [%×]", page)


@pytest.mark.parametrize(
    ("words", "box", "own"),
    [
        (("IMPROVED", "IMPROVED"), "good", ("", "")),
        (("IMPROVED", "INCONCLUSIVE"), "good", ("", " open")),
        (("IMPROVED", "REGRESSED"), "good", ("", " bad")),
        (("INCONCLUSIVE", "REGRESSED"), "open", ("", " bad")),
        (("INCONCLUSIVE", "IMPROVED"), "open", ("", "")),
    ],
)
def test_a_verdict_beside_a_better_one_is_not_shown_in_its_colour(
    words: tuple[str, str], box: str, own: tuple[str, str]
) -> None:
    document = load_document(ROOT / "results" / "frontier-laptop")
    rows = [row for row in document["ranking"]["rows"] if not row["is_baseline"]]
    for row, word in zip(rows, words, strict=True):
        row["verdict"] = word
        [pair] = [pair for pair in document["pairs"] if pair["candidate"] == row["arm"]]
        [claim] = [claim for claim in pair["claims"] if claim["id"] == "conclusion"]
        claim["text"] = claim["text"].replace("IMPROVED", word)
    page = render_html(document, {})
    assert f'<div class="headline {box}">' in page
    assert re.findall(r'<span class="word( \w+)?">(\w+)</span>', page) == list(zip(own, words, strict=True))


@pytest.mark.parametrize("name", ["frontier-left-out", "mainrun-former", "mainrun-frontier"])
def test_a_conclusion_gives_the_gain_that_the_ranking_gives(name: str) -> None:
    document = say_all(load_document(ROOT / "results" / name))
    gains = {row["arm"]: row["gain_percent"] for row in document["ranking"]["rows"]}
    for pair in document["pairs"]:
        [conclusion] = [claim["text"] for claim in pair["claims"] if claim["id"] == "conclusion"]
        assert f" {format_percent(abs(gains[pair['candidate']]), 2)} " in conclusion.partition("(95 %")[0]


@pytest.mark.parametrize(("name", "is_named"), [("mainrun-former", True), ("mainrun-frontier", False)])
def test_what_cannot_be_vouched_for_is_named_where_it_is_counted(name: str, is_named: bool) -> None:
    document = load_document(ROOT / "results" / name)
    said = "Cannot be vouched for: The full loss is one that the training losses lead to."
    summary, report = (
        render_markdown(f"{kind}.md.j2", document) for kind in ("PERFORMANCE_SUMMARY", "TRAINING_OPTIMIZATION_REPORT")
    )
    page = render_html(document, {})
    for text, end in ((summary, "<details>"), (report, "## Caveats"), (page, "<h2>")):
        assert (said in text.partition(end)[0]) == is_named
