"""Names, reasons and file names in Markdown notify nobody on GitHub, link to nothing, and close no issue."""

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.comparison import run_comparison
from harness.launch.job import Job, Outcome
from harness.launch.progress import ProgressDisplay
from harness.report.escape import escape_markdown
from harness.report.render import render_markdown
from mainrun.record.errors import RunError
from tests.harness.fakes import FakeLauncher, Writing, build_request, skip_rendering, type_tiny_settings
from tests.harness.report.test_render import REPORT, SUMMARY, rename_everything
from tests.harness.sources.logs import Shape, write_json
from tests.harness.sources.test_imports import compare

LIVE = {
    "user": r"(?<!\w)@\w",
    "user's commit": r"\w@[0-9a-f]{7,40}\b",
    "mail": r"[\w.+-]@[\w-]+\.\w",
    "issue": r"#\d",
    "numbered": r"(?i:\bGH-\d)",
    "commit": r"\b(?=\d*[a-f])[0-9a-f]{7,40}\b(?!…)",
    "address": r"\w://|\bwww\.",
    "emoji": r":[\w+-]+:",
    "tag": r"<(?!/?(?:details|summary)>)",
}
"""What GitHub makes something of in text that is rendered already, code left out."""
MENTIONS = (
    "@jane",
    "fixes #1",
    "GH-2",
    "deadbeef1 0123456789abcdef0123456789abcdef01234567",
    "owner/repo#3",
    "owner/repo@1a2b3c4",
    "http://h.example",
    "www.h.example",
    "a@h.example",
    ":+1:",
    "![i](x) [l](http://h.example)",
    "<details><summary>x</summary><img src=x>",
    "`@jane` \\@jane \\`@jane\\`",
)


def render_text(markdown: str) -> str:
    """The text of a rendered document without its code; a `<` that Markdown does not show as text is still one."""
    flowing = re.sub(r"^```\n.*?^```$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    piece = re.compile(r"\\([!-/:-@\[-`{-~])|(`+)(?!`).*?(?<!`)\2(?!`)")
    return html.unescape(piece.sub(lambda found: (found[1] or "").replace("<", "‹"), flowing))


def find_live(markdown: str) -> dict[str, str]:
    text = render_text(markdown)
    return {what: found[0] for what, pattern in LIVE.items() if (found := re.search(pattern, text))}


def hide(text: str) -> str:
    """Every mention behind a backslash, as if that helped."""
    return re.sub(r"([@#:<-])", r"\\\1", text)


@pytest.mark.parametrize("text", MENTIONS)
def test_a_mention_is_found_as_it_stands_and_not_in_code(text: str) -> None:
    assert find_live(text)
    assert not find_live(f"```` {text} ````")


@pytest.mark.parametrize("text", ["@jane", "fixes #1", "GH-2", "owner/repo@1a2b3c4", "http://h.example", ":+1:"])
def test_a_backslash_makes_no_mention_inert(text: str) -> None:
    assert find_live(hide(text))


@pytest.mark.parametrize("template", [f"{SUMMARY}.j2", f"{REPORT}.j2"])
def test_a_name_is_no_mention_in_any_report(tiny_document: dict[str, Any], template: str) -> None:
    for text in MENTIONS:
        markdown = render_markdown(template, rename_everything(tiny_document, text))
        assert not find_live(markdown), text
        assert html.escape(text, quote=False) in html.escape(unbreak(markdown), quote=False)


def unbreak(markdown: str) -> str:
    """What a reader sees: without the zero width spaces."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace("&#8203;", "")


class RefusingLauncher(FakeLauncher):
    """Starts no run of the second arm, and says what a hostile program would say."""

    def write_run(self, job: Job) -> Writing:
        if "fixes" in job.name:
            yield
            return Outcome(1, " ".join(MENTIONS))
        return (yield from super().write_run(job))


def test_arm_and_failure_message_of_a_run_that_did_not_start_are_no_mentions(tmp_path: Path) -> None:
    name = "fixes #1 GH-2 deadbeef1 www.h.example"
    request = replace(build_request(tmp_path / "fake"), recipes=("baseline", f"{name}=optimized"))
    request = replace(request, set_texts=type_tiny_settings(["baseline", name]))
    with skip_rendering(), pytest.raises(RunError):
        run_comparison(request, RefusingLauncher(), ProgressDisplay(lambda text: None))
    for name in (SUMMARY, REPORT):
        text = (tmp_path / "fake" / name).read_text(encoding="utf-8")
        assert "fixes" in text and not find_live(text)
        assert "GH-&#8203;2" in text


def test_the_name_of_a_log_is_no_mention(tmp_path: Path) -> None:
    sources = []
    for place, mention in enumerate(("@jane fixes #1 GH-2", "deadbeef1 owner@1a2b3c4")):
        path = tmp_path / f"{mention} www.h.example.log"
        shape = Shape(final=1.5 - place / 10, hyperparameters={"note": " ".join(MENTIONS)})
        path.write_bytes(write_json(shape.build()))
        sources.append(str(path))
    assert compare(sources, tmp_path / "out") == 0
    for name in (SUMMARY, REPORT):
        assert not find_live((tmp_path / "out" / name).read_text(encoding="utf-8"))


def test_numbers_and_our_own_hashes_are_not_broken(tiny_comparison: Path) -> None:
    for name in (SUMMARY, REPORT):
        assert "&#8203;" not in (tiny_comparison / name).read_text(encoding="utf-8")
    assert escape_markdown("27172864 0.1234567 1,234,567 0123456789abcdef… 2026-01-01") == (
        "27172864 0.1234567 1,234,567 0123456789abcdef… 2026-01-01"
    )
