"""Every comparison that is committed as a reference is what its journals say, under this version of the harness."""

import re
from pathlib import Path
from statistics import fmean

import pytest
from pypdf import PdfReader

from harness.cli.list import list_comparisons
from harness.formats import format_loss, format_percent
from harness.launch.local import LocalLauncher
from harness.store.records import TAKEN_OVER
from harness.store.runs import load_comparison
from harness.verify.verify import verify

RESULTS = Path(__file__).parents[1] / "results"
REFERENCES = (
    "quick-synthetic", "quick-seeds", "mainrun-frontier", "mainrun-former", "frontier-laptop", "frontier-held-out",
    "ablation-laptop", "ablation-quick", "frontier-rdrop", "frontier-width", "frontier-schedule", "frontier-left-out",
    "frontier-former",
)  # fmt: skip
"""Committed comparisons; a folder of results may hold others that stay on their machine."""
ANYWHERE = {"official-data", "pre-trained-weights", "pdf-attachments", "replay", "kept-weights", "stored-findings"}
"""The last one since they were made before findings were stored."""
OF_A_FILE = {
    "fingerprints", "denominator", "tokens", "round-trip", "facts-by-title", "characters-per-token", "fresh-start",
    "reads",
}  # fmt: skip
"""What cannot be checked without the file of the titles."""


@pytest.mark.parametrize("name", REFERENCES)
def test_a_committed_comparison_fails_no_check(name: str) -> None:
    findings = {finding.name: finding for finding in verify(RESULTS / name, None, None, LocalLauncher())}
    failed = {finding.name: finding.evidence for finding in findings.values() if finding.status == "FAIL"}
    assert not failed
    not_checked = {name for name, finding in findings.items() if finding.status == "NOT CHECKED"}
    assert not_checked <= ANYWHERE | (set() if name.startswith("quick-") else OF_A_FILE)


@pytest.mark.parametrize("name", REFERENCES)
def test_list_gives_the_numbers_that_the_summary_gives(name: str) -> None:
    summary = (RESULTS / name / "PERFORMANCE_SUMMARY.md").read_text(encoding="utf-8").splitlines()
    entries = [entry for entry in list_comparisons(RESULTS) if entry["name"] == name]
    assert {entry["num_seed_pairs"] for entry in entries} == {len(load_comparison(RESULTS / name).plan.seeds)}
    for entry in entries:
        arms = reversed(entry["pair"].split(" / "))
        rows = [next(line for line in summary if re.match(rf"\| [\d ?≈]+ \| {arm} \|", line)) for arm in arms]
        assert all(
            format_loss(entry[f"{side}_loss"]) in row.split(" | ")
            for side, row in zip(("baseline", "candidate"), rows, strict=True)
        )
        assert f"| {format_percent(entry['gain_percent'], 2)} (" in rows[1]


@pytest.mark.parametrize("name", REFERENCES)
def test_the_pdf_of_a_pair_has_three_to_five_pages(name: str) -> None:
    """Six where the two read the titles in other tokens, which takes more caveats and tables of two steps a row."""
    arms = load_comparison(RESULTS / name).plan.arms
    if len(arms) > 2:
        pytest.skip("of more arms than two")
    has_one_tokenizer = len({arm.config["data.tokenizer"] for arm in arms}) == 1
    assert 3 <= len(PdfReader(RESULTS / name / "report.pdf").pages) <= (5 if has_one_tokenizer else 6)


def test_the_full_task_has_the_numbers_that_are_given() -> None:
    comparison = load_comparison(RESULTS / "mainrun-frontier")
    document = (RESULTS.parent / "docs" / "metric.md").read_text(encoding="utf-8")
    assert len(comparison.runs) == 3
    for run in comparison.runs.values():
        evaluations = run.select("validation_step")
        last = evaluations[-1]
        assert [event["step"] for event in evaluations] == run.record["sizes"]["evaluation_steps"]
        assert last["step"] == last["max_steps"]
        coverage = f"{100 * run.record['sizes']['coverage']:.1f} %"
        losses = f"**{last['loss']:.4f}** | **{coverage}** | **{last['full_loss_nats_per_char']:.4f}**"
        assert f"| **ours, `{run.arm}`** | {losses} |" in document


def test_the_ranges_of_honest_runs_hold_every_run_that_is_committed() -> None:
    document = (RESULTS.parent / "docs" / "trust.md").read_text(encoding="utf-8")
    ratios: dict[bool, list[float]] = {False: [], True: []}
    losses: list[float] = []
    for comparison in map(load_comparison, (RESULTS / name for name in REFERENCES)):
        for run in comparison.runs.values():
            last = fmean(event["loss"] for event in run.select("training_step")[-50:])
            full = run.select("validation_step")[-1]
            per_token = full["full_loss_nats_per_char"] * full["num_chars"] / full["num_tokens"]
            ratios[run.record["config"]["model.dropout"] > 0.1].append(per_token / last)
            whole = [event for event in run.select("validation_step") if event["full_loss_nats_per_char"]]
            coverage = run.record["sizes"]["coverage"]
            losses += [event["loss"] / coverage / event["full_loss_nats_per_char"] for event in whole]
    ends = f"{min(losses):.3f} to {max(losses):.3f}"
    assert f"{ends}: all {len(losses):,} evaluations of the runs in `results/`" in document
    usual, more = sorted(ratios[False]), sorted(ratios[True])
    assert f"{usual[-1]:.3f}" == "1.289"
    ends = f"{usual[0]:.3f} to {usual[-2]:.3f}: all runs in `results/` but `dropout0.1` at `mainrun`: 1.289"
    assert f"dropout at most 0.1 | {ends} |" in document
    assert f"dropout above 0.1 | {more[0]:.3f} to {more[-1]:.3f}: all runs in `results/`" in document


@pytest.mark.parametrize("name", REFERENCES)
def test_a_committed_comparison_is_small_and_holds_no_checkpoint(name: str) -> None:
    files = [path for path in (RESULTS / name).rglob("*") if path.is_file()]
    num_runs = len(load_comparison(RESULTS / name).runs)
    assert sum(path.stat().st_size for path in files) < 1_500_000 * num_runs
    assert not any("checkpoint" in path.parts for path in files)


def test_where_twice_the_dropout_was_ahead_is_what_was_measured() -> None:
    document = (RESULTS.parent / "docs" / "frontier.md").read_text(encoding="utf-8").replace("\n", " ")
    runs = {run.arm: run for run in load_comparison(RESULTS / "mainrun-former").runs.values()}
    assert [run.record["config"]["model.dropout"] for run in runs.values()] == [0.2, 0.1, 0.2]
    frontier, less = (
        {event["step"]: event["loss"] for event in runs[arm].select("validation_step")}
        for arm in ("frontier", "dropout0.1")
    )
    ahead = {step: 100 * (1 - loss / less[step]) for step, loss in frontier.items()}
    until, since = 780, 988
    assert all(gain < 0 for step, gain in ahead.items() if 1 < step <= until)
    assert all((gain > 0) == (step >= since) for step, gain in ahead.items() if step > 832)
    assert f"up to step {until} of {max(ahead):,}, by up to {-min(ahead.values()):.1f} %" in document
    assert (
        f"ahead from step {since} on, late in the fall of the learning rate, by up to {max(ahead.values()):.1f} %"
        in document
    )


def test_no_comparison_is_said_to_be_trained_under_its_plan_where_all_runs_were_taken_over() -> None:
    document = (RESULTS.parent / "docs" / "frontier.md").read_text(encoding="utf-8")
    [said] = re.findall(r"None of these runs was trained .*?\n\n", document, re.DOTALL)
    taken_over = {
        name
        for name in REFERENCES
        if all(TAKEN_OVER in run.record for run in load_comparison(RESULTS / name).runs.values())
    }
    assert {"frontier-laptop", *re.findall(r"`((?:frontier|mainrun)-[a-z-]+)`", said)} == taken_over


def test_no_title_is_committed() -> None:
    data = Path(__file__).parents[2] / "shared" / "data" / "hn_titles.parquet"
    if not data.exists():
        pytest.skip("the real titles are not on this machine")
    from mainrun.data.title_files import load_title_file

    long_titles = {title for title in load_title_file(str(data), "title").values if len(str(title)) >= 40}
    for path in RESULTS.rglob("*"):
        if path.suffix in (".md", ".json", ".log", ".svg") and path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not any(line.strip() in long_titles for line in text.splitlines()), path.name
