"""Which code two runs must share, and which settings a journal must repeat."""

from pathlib import Path
from typing import Any

import pytest

from harness.check import planned
from harness.check.consistency import find_other_header
from harness.check.integrity import INTEGRITY
from harness.check.registry import Evidence
from harness.plan.plan import load_plan
from harness.store.journals import load_journal
from harness.store.runs import StoredRun, load_comparison
from mainrun.record.files import load_json, save_json
from mainrun.record.identity import decides_numbers
from mainrun.record.run_record import load_run_record
from tests.harness.fakes import SOURCE_SHA256, FakeLauncher, make_comparison, read_events, rehash, write_events

FIRST_RELEASE = Path(__file__).parents[2] / "first_release"


def judge_code(folder: Path, **changed: str) -> tuple[str, str]:
    """What `same-code` says once the second run's source files have other hashes."""
    path = folder / "runs" / "optimized-s1337" / "run.json"
    record = load_json(path, 2)
    record["source_sha256"] |= changed
    save_json(path, record)
    return planned.check_same_code(Evidence(load_comparison(folder, check_hashes=False)))


@pytest.mark.parametrize("name", ["recipes.py", "train.py", "data/synthetic_words.py", "data/one_more_source.py"])
def test_a_recipe_or_a_source_of_titles_more_is_no_other_code(name: str, own_comparison: Path) -> None:
    assert judge_code(own_comparison, **{name: "0" * 64})[0] == "PASS"


@pytest.mark.parametrize("name", ["model/mlp.py", "optim/one_more.py", "data/batches.py", "step.py"])
def test_code_that_decides_numbers_is_other_code(name: str, own_comparison: Path) -> None:
    assert judge_code(own_comparison, **{name: "0" * 64})[0] == "FAIL"


def test_of_the_first_release_every_file_counts(tmp_path: Path) -> None:
    first = load_json(FIRST_RELEASE / "runs" / "baseline-s1337" / "run.json", 1)["source_sha256"]
    folder = make_comparison(tmp_path, launcher=FakeLauncher(source_sha256=first))
    said = "the same 32 source files that decide numbers, torch 2.13.0, cpu, float32, 2 threads"
    assert judge_code(folder) == ("PASS", said)
    assert judge_code(folder, **{"recipes.py": "0" * 64})[0] == "FAIL"


def test_the_checkers_list_of_deciding_code_is_the_programs_own() -> None:
    assert {name for name in SOURCE_SHA256 if name.startswith(planned.DECIDING_SOURCES)} == {
        name for name in SOURCE_SHA256 if decides_numbers(name)
    }


def judge_header(folder: Path, **changed: Any) -> str | None:
    """What is wrong with a journal whose first event says something else."""
    run_folder = folder / "runs" / "optimized-s1337"
    events = read_events(run_folder / "mainrun.log")
    events[0] |= changed
    write_events(run_folder / "mainrun.log", events)
    rehash(run_folder)
    run: StoredRun = next(run for run in load_comparison(folder).runs.values() if run.arm == "optimized")
    return find_other_header(run, load_plan(folder).get_arm("optimized").sizes)


@pytest.mark.parametrize(
    ("key", "short", "value"),
    [("schedule.name", "schedule", "linear"), ("model.mlp", "mlp", "geglu"), ("optimizer.name", "optimizer", "lion")],
)
def test_what_follows_from_a_choice_without_a_formula_here_is_not_vouched_for(
    key: str, short: str, value: str, own_comparison: Path
) -> None:
    folder = own_comparison / "runs" / "optimized-s1337"
    assert INTEGRITY["journals"].judge(Evidence(load_comparison(own_comparison)))[0] == "PASS"
    record, events = load_json(folder / "run.json", 2), read_events(folder / "mainrun.log")
    record["config"][key] = events[0]["config"][key] = events[0][short] = value
    save_json(folder / "run.json", record)
    write_events(folder / "mainrun.log", events)
    rehash(folder)
    status, text = INTEGRITY["journals"].judge(Evidence(load_comparison(own_comparison)))
    assert status == "NOT VOUCHED"
    assert text == f"optimized-s1337: what follows from {key} '{value}' is not known to the checker"


def test_an_honest_journal_repeats_the_settings_of_its_record(own_comparison: Path) -> None:
    assert judge_header(own_comparison) is None


@pytest.mark.parametrize(
    "changed",
    [{"beta1": 0.5}, {"optimizer": "sgd"}, {"batch_size": 4}, {"config": {}}],
    ids=lambda value: next(iter(value)),
)
def test_a_setting_that_a_journal_says_otherwise_is_found_by_its_short_and_by_its_full_name(
    changed: dict[str, Any], own_comparison: Path
) -> None:
    assert f"its journal says {next(iter(changed))} " in str(judge_header(own_comparison, **changed))


@pytest.mark.parametrize(
    ("arm", "name", "said"),
    [("baseline", "momentum", "momentum"), ("optimized", "weight_decay", "weight_decay"),
     ("optimized", "beta1", "adam_beta1")],
)  # fmt: skip
def test_a_journal_of_the_first_release_is_held_against_its_record_too(arm: str, name: str, said: str) -> None:
    folder, sizes = FIRST_RELEASE / "runs" / f"{arm}-s1337", load_plan(FIRST_RELEASE).get_arm(arm).sizes
    events = load_journal(folder / "mainrun.log", finished=False)
    run = StoredRun(arm, 1337, folder, load_run_record(folder), events)
    assert find_other_header(run, sizes) is None
    run.record["config"][f"optimizer.{name}"] = 0.7
    assert f"its journal says {said} " in str(find_other_header(run, sizes))
