import json
import shutil
from pathlib import Path

import pytest

from harness.comparison import make_reports
from harness.plan.plan import PlannedRun
from harness.store.runs import load_comparison, load_run
from mainrun.record.errors import StoredResultsError
from mainrun.record.files import compute_file_sha256
from mainrun.record.parquet import load_table
from mainrun.record.title_losses import COLUMNS
from tests.harness.fakes import FakeLauncher, Mishap, make_comparison, read_events, rehash, write_events

BASELINE = Path("runs") / "baseline-s1337"
OPTIMIZED = Path("runs") / "optimized-s1337"


def test_a_comparison_is_loaded_with_its_runs_in_the_order_of_the_plan(three_seeds: Path) -> None:
    comparison = load_comparison(three_seeds)
    assert list(comparison.runs) == list(comparison.plan.runs)
    assert comparison.unfinished == []
    assert set(comparison.compute_hashes()) == {
        "plan.json",
        *(f"runs/{run.folder_name}/run.json" for run in comparison.plan.runs),
    }


def test_the_losses_by_title_add_up_to_the_full_loss_of_the_last_step(tiny_comparison: Path) -> None:
    for run in load_comparison(tiny_comparison).runs.values():
        last = run.select("validation_step")[-1]
        losses = run.load_title_losses()["loss_nats"]
        assert sum(losses) == pytest.approx(last["full_loss_nats_per_char"] * last["num_chars"], rel=1e-12)


@pytest.mark.parametrize("name", ["mainrun.log", "title_losses.parquet"])
def test_a_file_that_was_changed_after_the_run_is_refused_with_both_hashes(own_comparison: Path, name: str) -> None:
    path = own_comparison / OPTIMIZED / name
    before = compute_file_sha256(path)
    if name == "mainrun.log":
        events = read_events(path)
        events[-1]["loss"] -= 0.1
        write_events(path, events)
    else:
        path.write_bytes((own_comparison / BASELINE / name).read_bytes())
    after = compute_file_sha256(path)
    assert after != before
    with pytest.raises(StoredResultsError, match=rf"{OPTIMIZED}/{name} was changed.*{after}.*{before}") as caught:
        load_comparison(own_comparison)
    assert caught.value.exit_code == 4
    with pytest.raises(StoredResultsError):
        make_reports(own_comparison)


@pytest.mark.parametrize("name", ["mainrun.log", "title_losses.parquet"])
def test_a_file_that_is_missing_from_a_complete_run_is_named(own_comparison: Path, name: str) -> None:
    (own_comparison / OPTIMIZED / name).unlink()
    with pytest.raises(StoredResultsError, match=rf"{OPTIMIZED}/{name} is missing"):
        load_comparison(own_comparison)


def test_a_run_that_never_started_is_absent_and_unfinished(own_comparison: Path) -> None:
    shutil.rmtree(own_comparison / OPTIMIZED)
    comparison = load_comparison(own_comparison)
    assert list(comparison.runs) == [PlannedRun("baseline", 1337)]
    assert comparison.unfinished == [PlannedRun("optimized", 1337)]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"schema_version": 99}', b'{"schema_version": 1}', b"\xff\xff", b"NaN"]
)
def test_a_damaged_record_is_refused_with_its_path(own_comparison: Path, content: bytes) -> None:
    (own_comparison / OPTIMIZED / "run.json").write_bytes(content)
    with pytest.raises(StoredResultsError, match=rf"{OPTIMIZED}/run\.json"):
        load_comparison(own_comparison)


@pytest.mark.parametrize("name", ["status", "config", "sizes", "machine", "mainrun_log_sha256", "peak_memory_bytes"])
def test_a_record_without_one_of_its_fields_cannot_be_used(own_comparison: Path, name: str) -> None:
    path = own_comparison / OPTIMIZED / "run.json"
    record = json.loads(path.read_text())
    del record[name]
    path.write_text(json.dumps(record))
    with pytest.raises(StoredResultsError):
        make_reports(own_comparison)


def test_a_run_of_another_arm_in_an_arms_folder_is_refused(own_comparison: Path) -> None:
    shutil.rmtree(own_comparison / OPTIMIZED)
    shutil.copytree(own_comparison / BASELINE, own_comparison / OPTIMIZED)
    with pytest.raises(StoredResultsError, match="optimized-s1337"):
        make_reports(own_comparison)


def test_a_folder_that_is_not_there_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(StoredResultsError, match="no such folder"):
        load_comparison(tmp_path / "absent")


def test_a_killed_run_is_kept_with_its_whole_lines_and_marked_failed(tmp_path: Path) -> None:
    launcher = FakeLauncher({"optimized": Mishap("kill", step=40, torn=True)})
    with pytest.raises(Exception, match=r"1 of 2 runs failed\. optimized-s1337: the process was ended by SIGKILL"):
        make_comparison(tmp_path, launcher=launcher)
    run = load_run(tmp_path / "fake" / OPTIMIZED)
    assert (run.record["status"], run.record["reason"]) == ("failed", "the process was ended by SIGKILL")
    assert run.select("training_step")[-1]["step"] == 40


def test_a_parquet_whose_bytes_are_damaged_is_refused(own_comparison: Path) -> None:
    path = own_comparison / OPTIMIZED / "title_losses.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    rehash(own_comparison / OPTIMIZED)
    with pytest.raises(StoredResultsError, match=r"title_losses\.parquet is damaged"):
        load_comparison(own_comparison).runs[PlannedRun("optimized", 1337)].load_title_losses()
    with pytest.raises(StoredResultsError, match="schema version"):
        load_table(own_comparison / BASELINE / "title_losses.parquet", COLUMNS, schema_version=2)
