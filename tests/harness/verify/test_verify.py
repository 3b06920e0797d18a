"""The verb itself: what it says, how it ends, and what it does where titles or machine are missing."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.check.registry import Finding
from harness.cli.app import main
from harness.cli.verify import format_findings
from harness.comparison import find_source
from harness.plan.plan import load_plan
from harness.store.rounding import find_difference
from harness.verify.verify import list_checks, verify
from mainrun.record.errors import RequestError
from mainrun.record.files import load_json, save_json
from tests.harness.fakes import MACHINE, Curve, FakeLauncher, make_comparison, write_titles

NEEDS_TITLES = {
    *("facts-by-title", "fingerprints", "denominator", "tokens", "round-trip", "pre-trained-weights"),
    *("characters-per-token", "fresh-start", "stored-findings"),
}
ASKED_FOR = {"official-data", "pdf-attachments", "replay", "kept-weights"}
"""Checks of what is not there, or made where it is asked for."""

ELSEWHERE = {"reimport", "own-clock", "equal-terms", "revisions"}
"""Checks that are asked where a run was read from a log, or where arms have code of their own."""


def find_by_status(
    folder: Path, status: str, data: str | None = None, launcher: FakeLauncher | None = None
) -> set[str]:
    findings = verify(folder, data, None, launcher or FakeLauncher())
    return {finding.name for finding in findings if finding.status == status}


@pytest.fixture(scope="module")
def of_a_file(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("file")
    titles = write_titles(folder, 500)
    return make_comparison(folder, data=str(titles)), titles


def test_without_the_titles_what_needs_them_is_not_checked_and_the_rest_is(of_a_file: tuple[Path, Path]) -> None:
    folder, _ = of_a_file
    missing = find_by_status(folder, "NOT CHECKED")
    assert missing >= NEEDS_TITLES
    assert missing - NEEDS_TITLES == ASKED_FOR
    assert find_by_status(folder, "FAIL") == set()


def test_with_the_titles_everything_they_decide_is_checked(of_a_file: tuple[Path, Path]) -> None:
    folder, titles = of_a_file
    assert find_by_status(folder, "NOT CHECKED", str(titles)) == ASKED_FOR
    assert find_by_status(folder, "FAIL", str(titles)) == set()


def test_other_titles_than_the_runs_fail(of_a_file: tuple[Path, Path], tmp_path: Path) -> None:
    folder, titles = of_a_file
    other = tmp_path / "other.txt"
    other.write_text(titles.read_text(encoding="utf-8").replace("a", "b"), encoding="utf-8")
    assert find_by_status(folder, "FAIL", str(other)) >= {"fingerprints", "tokens"}


def test_another_fresh_initialization_on_another_machine_is_not_vouched_for(own_comparison: Path) -> None:
    elsewhere = FakeLauncher(machine={**MACHINE, "cpu_capability": "AVX512"})
    path = own_comparison / "runs" / "optimized-s1337" / "run.json"
    save_json(path, load_json(path, 2) | {"initial_weights_sha256": "f" * 64})
    assert "pre-trained-weights" in find_by_status(own_comparison, "NOT VOUCHED", launcher=elsewhere)
    assert "pre-trained-weights" in find_by_status(own_comparison, "FAIL")


def test_other_training_code_here_cannot_judge_by_training_again(tiny_comparison: Path) -> None:
    launcher = FakeLauncher(source_sha256={"model/gpt.py": "0" * 64}, curves={"optimized": Curve(floor=1.0)})
    findings = {finding.name: finding for finding in verify(tiny_comparison, None, 3, launcher)}
    assert findings["replay"].status == "NOT VOUCHED"
    assert "another training program than the one here" in findings["replay"].evidence


def test_every_finding_has_evidence_and_the_last_line_counts_them(
    tiny_comparison: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)
    assert main(["verify", str(tiny_comparison)]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list_checks()) - len(ELSEWHERE)
    assert all(line.partition(": ")[2] for line in lines)
    assert last.startswith(f"{len(lines)} checks: ") and "0 FAIL" in last


def test_strict_fails_on_what_is_not_checked(
    tiny_comparison: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)
    assert main(["verify", str(tiny_comparison), "--strict", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert "official-data" in answer["reason"]
    assert {finding["name"] for finding in answer["findings"]} == set(list_checks()) - ELSEWHERE


def test_under_strict_the_last_line_names_what_failed(
    tiny_comparison: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)
    assert main(["verify", str(tiny_comparison), "--strict"]) == 1
    *_, count, last = capsys.readouterr().out.splitlines()
    assert " checks: " in count and last == "failed (--strict): official-data, pdf-attachments, kept-weights, replay"


def test_no_finding_begins_a_line_of_its_own() -> None:
    finding = Finding("a", "a", "PASS", "7 epochs\n::error::b\r\nPASS         c: d")
    assert len(format_findings([finding]).splitlines()) == 2


@pytest.mark.parametrize("verb", ["verify", "report"])
def test_titles_of_a_file_are_refused_where_they_are_never_read(
    verb: str, own_comparison: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)
    assert main([verb, str(own_comparison), "--data", str(write_titles(tmp_path))]) == 2
    assert "is never read: the comparison has synthetic titles, which are made again" in capsys.readouterr().err


def test_the_titles_of_a_synthetic_comparison_may_be_called_so(tiny_comparison: Path) -> None:
    assert "fingerprints" in find_by_status(tiny_comparison, "PASS", "synthetic")
    plan = load_plan(tiny_comparison)
    with pytest.raises(RequestError, match="is of logs, which name no titles"):
        find_source(replace(plan, corpus=plan.corpus | {"source": "imported"}), "titles.txt")


def judge_stored(folder: Path, change: Callable[[dict[str, Any]], None]) -> tuple[str, str]:
    """What `stored-findings` says once findings.json was changed."""
    stored = load_json(folder / "findings.json", 1)
    change(stored)
    save_json(folder / "findings.json", stored)
    found = next(finding for finding in verify(folder, None, None, FakeLauncher()) if finding.name == "stored-findings")
    return found.status, found.evidence


def test_other_words_of_what_was_not_checked_are_not_vouched_for(own_comparison: Path) -> None:
    def reword(stored: dict[str, Any]) -> None:
        for entry in stored["constraints"]:
            if entry["name"] == "official-data":
                assert entry["status"] == "NOT CHECKED"
                entry["evidence"] = "the titles are the task's own, compared title by title"

    status, evidence = judge_stored(own_comparison, reword)
    assert status == "NOT VOUCHED" and "official-data" in evidence


def test_other_words_of_what_this_machine_lacks_do_not_pass(of_a_file: tuple[Path, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(of_a_file[0], tmp_path / of_a_file[0].name))

    def reword(stored: dict[str, Any]) -> None:
        for entry in stored["integrity"]:
            if entry["name"] == "tokens":
                entry.update(status="NOT CHECKED", evidence="the licence of the titles was not read")

    status, evidence = judge_stored(folder, reword)
    assert status == "NOT CHECKED" and "tokens" in evidence


def test_findings_of_an_older_release_that_checks_less_are_not_vouched_for(own_comparison: Path) -> None:
    status, evidence = judge_stored(own_comparison, lambda stored: stored["integrity"].pop())
    assert (status, evidence.partition(":")[0]) == ("NOT VOUCHED", "findings.json says nothing of same-tokens")


def test_a_finding_of_no_check_of_this_release_fails(own_comparison: Path) -> None:
    def invent(stored: dict[str, Any]) -> None:
        stored["integrity"].append(stored["integrity"][-1] | {"name": "peer-review"})

    status, evidence = judge_stored(own_comparison, invent)
    assert status == "FAIL" and "peer-review" in evidence


def test_the_list_of_checks_needs_no_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--list-checks"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in list_checks())
    assert main(["verify"]) == 2


@pytest.mark.parametrize(
    ("found", "expected", "where"),
    [
        ({"a": [1.0, 2.0]}, {"a": [1.0, 2.1]}, "/a/1: found 2.0, expected 2.1"),
        ({"a": 1}, {}, "/a: not expected"),
        ({}, {"a": 1}, "/a: missing"),
        ([1], [1, 2], ": 1 items, expected 2"),
        ({"a": True}, {"a": 1}, "/a: found True, expected 1"),
        ({"a": None}, {"a": 0.0}, "/a: found None, expected 0.0"),
    ],
)
def test_a_difference_is_named_with_its_place(found: object, expected: object, where: str) -> None:
    assert find_difference(found, expected) == where


def test_rounding_is_no_difference() -> None:
    assert find_difference({"a": 1.0}, {"a": 1.0 + 1e-12}) is None
    assert find_difference({"a": 1.0}, {"a": 1.0 + 1e-8}) is not None
