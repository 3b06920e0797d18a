"""The same titles read from another place are the same titles, where the plan that named the place is another one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.check.corpus import find_other_corpus
from harness.check.rules import OFFICIAL_DATASET, judge_official_corpus
from harness.comparison import run_comparison
from harness.launch.progress import ProgressDisplay
from harness.store.document import load_document
from harness.store.runs import StoredComparison, load_comparison
from tests.harness.fakes import FakeLauncher, build_request, make_comparison, skip_rendering, write_titles
from tests.harness.sources.test_imports import compare


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """The same titles as text and as a table."""
    text, table = write_titles(tmp_path), tmp_path / "copy.tsv"
    table.write_text(f"title\n{text.read_text(encoding='utf-8')}", encoding="utf-8")
    return text, table


def find_same_data(folder: Path) -> tuple[str, str]:
    (found,) = [found for found in load_document(folder)["constraints"] if found["name"] == "same-data"]
    return found["status"], found["evidence"]


def take_in_both(folder: Path, places: tuple[Path, Path]) -> StoredComparison:
    """A run of each place, judged together."""
    text, table = (
        make_comparison(folder, name=name, data=str(place)) for name, place in zip(("a", "b"), places, strict=True)
    )
    runs = [str(text / "runs/baseline-s1337"), str(table / "runs/optimized-s1337")]
    assert compare(runs, folder / "out") == 0
    return load_comparison(folder / "out")


def test_runs_taken_in_have_the_same_titles_wherever_these_were_read_from(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    one, other = take_in_both(tmp_path, places).runs.values()
    assert one.record["corpus"]["name"] == "titles.txt" and other.record["corpus"]["name"] == "copy.tsv"
    status, evidence = find_same_data(tmp_path / "out")
    assert (status, evidence[:20]) == ("PASS", "training fingerprint")


def test_runs_taken_over_have_the_same_titles_wherever_these_were_read_from(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    text, table = places
    reused = make_comparison(tmp_path, name="reused", data=str(text))
    request = replace(build_request(tmp_path / "out", data=str(table)), reuse=(reused,))
    with skip_rendering():
        folder = run_comparison(request, FakeLauncher(), ProgressDisplay(lambda text: None))
    assert {run.record["corpus"]["name"] for run in load_comparison(folder).runs.values()} == {"titles.txt"}
    assert find_same_data(folder)[0] == "PASS"


@pytest.mark.parametrize("of", ["record", "journal"])
@pytest.mark.parametrize(
    ("key", "value"), [("validation_sha256", "0" * 64), ("num_train_titles", 1), ("name", "other.txt")]
)
def test_a_run_taken_in_is_held_to_fingerprints_counts_and_its_own_record(
    of: str, key: str, value: Any, places: tuple[Path, Path], tmp_path: Path
) -> None:
    comparison = take_in_both(tmp_path, places)
    planned, run = comparison.plan.corpus, [*comparison.runs.values()][1]
    assert find_other_corpus(run, planned) is None
    (run.record["corpus"] if of == "record" else run.select("dataset_info")[0])[key] = value
    assert find_other_corpus(run, planned) == key


def test_a_run_that_was_trained_under_the_plan_is_held_to_all_that_it_says_of_its_titles(
    own_comparison: Path,
) -> None:
    comparison = load_comparison(own_comparison)
    run = next(iter(comparison.runs.values()))
    run.record["corpus"]["name"] = run.select("dataset_info")[0]["name"] = "other.txt"
    assert find_other_corpus(run, comparison.plan.corpus) == "name"


def test_a_copy_of_the_official_titles_beside_them_is_no_other_source(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    comparison = take_in_both(tmp_path, places)
    first = next(iter(comparison.runs.values()))
    official = {"source": "hub", "name": OFFICIAL_DATASET, "revision": "0" * 40, "file_bytes": None}
    for corpus in (comparison.plan.corpus, first.record["corpus"], first.select("dataset_info")[0]):
        corpus.update(official)
    status, evidence = judge_official_corpus(comparison)
    assert status == "NOT CHECKED" and "400 titles of the task's dataset" in evidence
