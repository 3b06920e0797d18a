"""The verb itself: what it says, how it ends, and what it does where titles or machine are missing."""

import json
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.store.rounding import find_difference
from harness.verify.verify import list_checks, verify
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
