"""Runs that are taken over from another comparison: the very same ones, and never without saying so."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.comparison import run_comparison
from harness.launch.progress import ProgressDisplay
from harness.report.sections import HASH_DIGITS
from harness.store.document import load_document
from harness.verify.verify import verify
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.files import compute_file_sha256, save_json
from tests.harness.fakes import (
    MACHINE,
    SOURCE_SHA256,
    FakeLauncher,
    build_request,
    make_comparison,
    skip_rendering,
)
from tests.harness.sources.logs import Shape, write_json

BASELINE, OPTIMIZED = "baseline-s1337", "optimized-s1337"


def compare_with(
    folder: Path, reuse: Sequence[Path], launcher: FakeLauncher, said: list[str] | None = None, *, keep: bool = False,
    **request: Any,
) -> Path:  # fmt: skip
    """A tiny comparison that may take over runs; `said` gets what a person would see."""
    asked = build_request(folder, **request)
    asked = replace(asked, reuse=tuple(reuse), keep_weights=keep, keep_checkpoints=keep)
    with skip_rendering():
        return run_comparison(asked, launcher, ProgressDisplay((said if said is not None else []).append))


def list_trained(folder: Path) -> set[str]:
    """Runs of a comparison that do not say they were taken over."""
    return {
        path.parent.name for path in folder.glob("runs/*/run.json") if "taken_over" not in json.loads(path.read_text())
    }


def find_failed(folder: Path, status: str = "FAIL") -> set[str]:
    return {finding.name for finding in verify(folder, None, 3, FakeLauncher()) if finding.status == status}


@pytest.fixture(scope="module")
def both(_private_cache: None, tmp_path_factory: pytest.TempPathFactory, tiny_comparison: Path) -> Path:
    """Three arms, two of which were trained in `tiny_comparison`; to be read only."""
    folder = tmp_path_factory.mktemp("reuse") / "three"
    settings = {"baseline-2": {"dropout": "0.2"}}
    launcher = FakeLauncher()
    return compare_with(
        folder, [tiny_comparison], launcher, recipes=("baseline", "optimized", "baseline"), settings=settings
    )


def test_the_same_runs_are_taken_over_and_only_the_others_trained(both: Path, tiny_comparison: Path) -> None:
    assert list_trained(both) == {"baseline-2-s1337"}
    for name in (BASELINE, OPTIMIZED):
        for file in ("mainrun.log", "title_losses.parquet", "tokenizer.json"):
            there, here = tiny_comparison / "runs" / name / file, both / "runs" / name / file
            assert here.read_bytes() == there.read_bytes()
    assert not list((both / "runs").glob(".*"))


def test_the_record_names_the_comparison_its_plan_and_its_record_and_no_path(both: Path, tiny_comparison: Path) -> None:
    record = json.loads((both / "runs" / BASELINE / "run.json").read_text())
    assert record["plan_sha256"] == compute_file_sha256(both / "plan.json")
    assert record["taken_over"] == {
        "comparison": tiny_comparison.name,
        "run": BASELINE,
        "plan_sha256": compute_file_sha256(tiny_comparison / "plan.json"),
        "run_json_sha256": compute_file_sha256(tiny_comparison / "runs" / BASELINE / "run.json"),
    }
    assert str(tiny_comparison.parent) not in json.dumps(record)


def test_a_comparison_with_runs_taken_over_fails_no_check(both: Path) -> None:
    assert not find_failed(both)
    summary = (both / "PERFORMANCE_SUMMARY.md").read_text(encoding="utf-8")
    assert "Not trained under this plan" in summary and "no run was" not in summary
    assert "`plan.json`: what was planned before the first run that was trained under it" in summary


def test_a_setting_that_changes_no_loss_is_not_vouched_for_and_no_failure(both: Path) -> None:
    assert "distinct-runs" in find_failed(both, "NOT VOUCHED")  # made-up runs of one recipe have one curve


def test_both_reports_say_what_was_taken_over_and_that_times_are_not_back_to_back(
    tiny_comparison: Path, tmp_path: Path
) -> None:
    asked = build_request(tmp_path / "again")
    with skip_rendering() as pages:
        run_comparison(
            type(asked)(**{**vars(asked), "reuse": (tiny_comparison,)}),
            FakeLauncher(),
            ProgressDisplay(lambda text: None),
        )
    texts = [
        (tmp_path / "again" / name).read_text()
        for name in ("PERFORMANCE_SUMMARY.md", "TRAINING_OPTIMIZATION_REPORT.md")
    ]
    for text in [*texts, *pages]:
        assert re.search(r"Not trained under this plan but taken over from fake \(plan [0-9a-f]{16}…\): baseline", text)
        assert "not measured back to back" in text
        assert "no run was: this plan does not show that arms, seeds and margin were fixed before the losses" in text
        assert "taken over into it" in text
    assert "`plan.json`: what was planned; no run was trained under it" in texts[0]
    digest = compute_file_sha256(tiny_comparison / "runs" / BASELINE / "run.json")
    assert all(f"{digest[:HASH_DIGITS]}…" in text for text in [texts[1], *pages])
    assert digest in {run["taken_over"]["run_json_sha256"] for run in load_document(tmp_path / "again")["runs"]}


@pytest.mark.parametrize("keep", [True, False])
def test_what_a_run_kept_is_taken_over_where_it_is_asked_for_and_what_it_did_not_keep_is_told(
    keep: bool, own_comparison: Path, tmp_path: Path
) -> None:
    kept = ("weights.pt", "checkpoint/0.pt")
    for name in kept:
        path = own_comparison / "runs" / BASELINE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    said: list[str] = []
    runs = compare_with(tmp_path / "new", [own_comparison], FakeLauncher(), said, keep=keep) / "runs"
    assert [(runs / BASELINE / name).exists() for name in kept] == [keep, keep]
    assert not list(runs.glob(f"{OPTIMIZED}/*.pt"))
    told = "complete: taken over from optimized-s1337 of fake, which kept no weights.pt and checkpoint\n"
    assert (told in "".join(said)) == keep
    assert "complete: taken over from baseline-s1337 of fake\n" in "".join(said)


def test_without_being_asked_nothing_is_taken_over(tiny_comparison: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    folder = compare_with(tmp_path / "own", [], launcher)
    assert launcher.launched == [BASELINE, OPTIMIZED]
    document = load_document(folder)
    assert document["taken_over"] is None and not any("taken_over" in run for run in document["runs"])


@pytest.mark.parametrize(
    ("launcher", "named"),
    [
        (FakeLauncher(source_sha256={**SOURCE_SHA256, "model/gpt.py": "0" * 64}), "source.model/gpt.py"),
        (FakeLauncher(machine={**MACHINE, "num_threads": 1}), "machine.num_threads"),
        (FakeLauncher(machine={**MACHINE, "cpu_capability": "AVX512"}), "machine.cpu_capability"),
        (FakeLauncher(machine={**MACHINE, "device": "cuda"}), "machine.device"),
        (FakeLauncher(machine={**MACHINE, "precision": "bfloat16"}), "machine.precision"),
        (FakeLauncher(machine={**MACHINE, "device_name": "Another CPU"}), "machine.device_name"),
        (
            FakeLauncher(machine={**MACHINE, "library_versions": {**MACHINE["library_versions"], "torch": "2.12.0"}}),
            "torch",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_run_of_another_program_or_machine_is_trained_and_the_difference_named(
    launcher: FakeLauncher, named: str, tiny_comparison: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    folder = compare_with(tmp_path / "own", [tiny_comparison], launcher, said)
    assert list_trained(folder) == {BASELINE, OPTIMIZED}
    assert f"is not taken over, because it is not the same run: {named}\n" in "".join(said)


def test_other_weights_at_the_first_step_are_another_run(own_comparison: Path, tmp_path: Path) -> None:
    path = own_comparison / "runs" / BASELINE / "run.json"
    save_json(path, json.loads(path.read_text()) | {"initial_weights_sha256": "0" * 64})
    folder = compare_with(tmp_path / "new", [own_comparison], FakeLauncher())
    assert list_trained(folder) == {BASELINE}


@pytest.mark.parametrize(
    "request_",
    [
        {"seeds": (7,)},
        {"settings": {arm: {"dropout": "0.2"} for arm in ("baseline", "optimized")}},
        {"settings": {arm: {"num_titles": "410"} for arm in ("baseline", "optimized")}},
    ],
    ids=["seed", "settings", "titles"],
)
def test_another_seed_setting_or_corpus_is_not_even_looked_at(
    request_: dict[str, Any], tiny_comparison: Path, tmp_path: Path
) -> None:
    launcher = FakeLauncher()
    folder = compare_with(tmp_path / "own", [tiny_comparison], launcher, **request_)
    assert len(launcher.launched) == len(list_trained(folder)) == 2


def test_a_log_of_another_program_is_never_taken_over(tiny_comparison: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.log").write_bytes(write_json(Shape(final=1.5 if name == "two" else 1.7).build()))
    sources = [str(tmp_path / f"{name}.log") for name in ("one", "two")]
    with skip_rendering():
        assert main(["compare", "--from", *sources, "--out", str(tmp_path / "imported")]) == 0
    launcher = FakeLauncher()
    compare_with(tmp_path / "own", [tmp_path / "imported"], launcher)
    assert launcher.launched == ["baseline-s1337", "optimized-s1337"]


def test_one_training_is_never_two_runs(tiny_comparison: Path, tmp_path: Path) -> None:
    """Else `compare baseline baseline` would show that a run equals itself."""
    folder = compare_with(
        tmp_path / "aa", [tiny_comparison, tiny_comparison], FakeLauncher(), recipes=("baseline",) * 2
    )
    assert list_trained(folder) == {"baseline-2-s1337"}
    for run in ("baseline-s1337", "baseline-2-s1337"):
        (folder / "runs" / run).rename(folder / run)
    shutil.copytree(folder / "baseline-s1337", folder / "runs" / "baseline-s1337")
    shutil.copytree(folder / "baseline-s1337", folder / "runs" / "baseline-2-s1337")
    path = folder / "runs" / "baseline-2-s1337" / "run.json"
    save_json(path, json.loads(path.read_text()) | {"arm": "baseline-2"})
    assert "planned-runs" in find_failed(folder)


def test_a_run_taken_over_twice_names_where_it_was_trained(both: Path, tiny_comparison: Path, tmp_path: Path) -> None:
    folder = compare_with(tmp_path / "third", [both], FakeLauncher())
    record = json.loads((folder / "runs" / BASELINE / "run.json").read_text())
    assert record["taken_over"]["comparison"] == tiny_comparison.name
    assert record["taken_over"]["plan_sha256"] == compute_file_sha256(tiny_comparison / "plan.json")


def test_a_record_that_does_not_say_its_plan_fails_planned_runs(both: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(both, tmp_path / both.name))
    path = folder / "runs" / BASELINE / "run.json"
    record = json.loads(path.read_text())
    for origin in (None, {}, {**record["taken_over"], "plan_sha256": compute_file_sha256(folder / "plan.json")}):
        save_json(path, record | {"taken_over": origin})
        assert "planned-runs" in find_failed(folder)


@pytest.mark.parametrize("name", ["mainrun.log", "title_losses.parquet"])
def test_a_damaged_run_is_not_taken_over_and_nothing_is_begun(own_comparison: Path, name: str, tmp_path: Path) -> None:
    path = own_comparison / "runs" / BASELINE / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(StoredResultsError, match=name):
        compare_with(tmp_path / "new", [own_comparison], FakeLauncher())
    assert not (tmp_path / "new").exists()


def test_a_comparison_that_is_not_there_and_the_comparison_itself_are_refused(
    own_comparison: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoredResultsError, match="no such folder"):
        compare_with(tmp_path / "new", [tmp_path / "absent"], FakeLauncher())
    with pytest.raises(RequestError, match="the comparison itself"):
        compare_with(tmp_path / "new", [tmp_path / "new"], FakeLauncher())


def test_a_run_that_was_begun_here_goes_on_here(tiny_comparison: Path, tmp_path: Path) -> None:
    from tests.harness.fakes import Mishap

    with pytest.raises(Exception, match="runs failed"):
        make_comparison(tmp_path, launcher=FakeLauncher({"optimized": Mishap("kill", step=30)}), name="fake")
    folder = compare_with(tmp_path / "fake", [tiny_comparison], FakeLauncher(), resume=True)
    assert list_trained(folder) == {BASELINE, OPTIMIZED}


def test_an_ablation_takes_over_baseline_and_whole(tmp_path: Path) -> None:
    from harness.plan.request import CompareRequest

    def request(name: str, **asked: Any) -> CompareRequest:
        return CompareRequest(recipes=("baseline", "optimized"), preset="quick", seeds=(1337,), device="cpu",
                              out=tmp_path / name, **asked)  # fmt: skip

    quiet = ProgressDisplay(lambda text: None)
    with skip_rendering():
        whole = run_comparison(request("whole"), FakeLauncher(), quiet)
        ablated = run_comparison(request("parts", ablate="optimized", reuse=(whole,)), FakeLauncher(), quiet)
    assert list_trained(ablated) == {f"{arm}-s1337" for arm in ("with-1-optimizer", "with-2-schedule",
                                                               "without-optimizer", "without-schedule")}  # fmt: skip
    ablation = load_document(ablated)["ablation"]
    impacts = [*ablation["ladder"], *ablation["leave_one_out"]]
    assert len(impacts) == 6 and all(step["verdict"]["interval_joint"] for step in impacts)
    caveats = "\n".join(caveat["text"] for caveat in load_document(ablated)["caveats"])
    assert re.search(r"from whole \(plan \w+…\): baseline with seed 1337, optimized with seed 1337\. ", caveats)
    assert "5 impacts of changes are given; their intervals and verdicts are unadjusted" in caveats, "one is in both"


def test_several_arms_have_unadjusted_intervals_and_the_reports_say_so(both: Path, tiny_comparison: Path) -> None:
    said = "2 arms are compared with baseline (changed); their intervals and verdicts are unadjusted"
    for name in ("PERFORMANCE_SUMMARY.md", "TRAINING_OPTIMIZATION_REPORT.md"):
        assert said in (both / name).read_text()
        assert "unadjusted" not in (tiny_comparison / name).read_text()


@pytest.mark.parametrize("name", ["recipes.py", "data/one_more_source.py"])
def test_a_recipe_or_a_source_of_titles_more_leaves_the_same_run(
    name: str, tiny_comparison: Path, tmp_path: Path
) -> None:
    launcher = FakeLauncher(source_sha256={**SOURCE_SHA256, name: "0" * 64})
    assert list_trained(compare_with(tmp_path / "own", [tiny_comparison], launcher)) == set()
