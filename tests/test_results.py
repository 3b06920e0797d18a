"""Every comparison that is committed as a reference is what its journals say, under this version of the harness."""

from pathlib import Path

import pytest

from harness.launch import LocalLauncher
from harness.stored import load_comparison
from harness.verify import verify

RESULTS = Path(__file__).parents[1] / "results"
REFERENCES = ("quick-synthetic",)
"""Committed comparisons; a folder of results may hold others that stay on their machine."""


@pytest.mark.parametrize("name", REFERENCES)
def test_a_committed_comparison_fails_no_check(name: str) -> None:
    findings = {finding.name: finding for finding in verify(RESULTS / name, None, None, LocalLauncher())}
    failed = [f"{finding.name}: {finding.evidence}" for finding in findings.values() if finding.status == "FAIL"]
    assert not failed
    assert {name for name, finding in findings.items() if finding.status == "NOT CHECKED"} <= {
        "official-data",
        "pre-trained-weights",
        "pdf-attachments",
        "replay",
    }


def test_the_full_task_is_trained_so_far_as_the_readme_says() -> None:
    comparison = load_comparison(RESULTS / "mainrun-hn-titles")  # which judges every file by its hash
    ((planned, run),) = comparison.runs.items()
    last = run.select("validation_step")[-1]
    assert (planned.arm, run.is_complete, last["step"]) == ("baseline", True, last["max_steps"])
    losses = f"| **{last['loss']:.4f}** | **95.3 %** | **{last['full_loss_nats_per_char']:.4f}** |"
    assert losses in (RESULTS.parent / "README.md").read_text(encoding="utf-8")
    assert round(100 * run.record["sizes"]["coverage"], 1) == 95.3


def test_no_title_is_committed() -> None:
    data = Path(__file__).parents[2] / "shared" / "data" / "hn_titles.parquet"
    if not data.exists():
        pytest.skip("the real titles are not on this machine")
    from mainrun.corpus_files import load_title_file

    long_titles = {title for title in load_title_file(str(data), "title").values if len(str(title)) >= 40}
    for path in RESULTS.rglob("*"):
        if path.suffix in (".md", ".json", ".log", ".svg") and path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not any(line.strip() in long_titles for line in text.splitlines()), path.name
