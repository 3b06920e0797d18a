from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.launch.local import LocalLauncher
from harness.plan.plan import Plan, load_plan, order_runs, save_plan
from harness.plan.seeds import continue_plan, find_plan_hashes, list_differences, parse_seeds
from harness.store.runs import load_comparison
from harness.verify.verify import verify
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.files import compute_file_sha256
from tests.harness.fakes import SOURCE_SHA256, FakeLauncher, make_comparison


@pytest.fixture
def plan(tiny_comparison: Path) -> Plan:
    return load_plan(tiny_comparison)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("1337", (1337,)), ("1337,1338", (1337, 1338)), ("1337+2", (1337, 1338, 1339)), ("7, 1337+1", (7, 1337, 1338)),
     ("5+0", (5,))],
)  # fmt: skip
def test_seeds_are_a_list_or_one_with_those_after_it(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "a", "1,", "1+", "+2", "-1", "1+-2", "1+2+3", "1.5", "٣", "1+1000", "0+99999999999"]
)
def test_what_is_no_seed_or_too_many_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--seeds takes"):
        parse_seeds(text)


def ask(plan: Plan, *seeds: int) -> Plan:
    """The same comparison, asked for with these seeds."""
    return replace(plan, seeds=seeds, runs=order_runs([arm.name for arm in plan.arms], seeds), seeds_added=None)


def test_added_seeds_are_marked_and_their_runs_come_after_the_planned_ones(plan: Plan) -> None:
    asked = ask(plan, 1337, 1, 2)
    assert list_differences(plan, asked) == []
    more = continue_plan(plan, asked)
    assert (more.seeds, more.seeds_added) == ((1337, 1, 2), [[1, 2]])
    assert more.runs[: len(plan.runs)] == plan.runs and len(more.runs) == 6
    again = continue_plan(more, ask(plan, 1337, 1, 2, 3))
    assert again.seeds_added == [[1, 2], [3]]
    assert continue_plan(again, ask(plan, *again.seeds)) == again


@pytest.mark.parametrize("seeds", [(1,), (1, 1337), (2, 1337, 1)])
def test_a_planned_seed_is_not_left_out_or_moved(plan: Plan, seeds: tuple[int, ...]) -> None:
    assert list_differences(plan, ask(plan, *seeds)) == ["seeds", "runs"]


def test_a_seed_that_was_added_is_not_left_out_later(plan: Plan) -> None:
    assert "seeds" in list_differences(continue_plan(plan, ask(plan, 1337, 1)), plan)


def test_a_comparison_goes_on_under_the_noise_it_was_planned_with(plan: Plan) -> None:
    later = replace(ask(plan, 1337, 1), known_noise=None, name="renamed")
    assert list_differences(plan, later) == [] == list_differences(replace(plan, known_noise=None), plan)
    more = continue_plan(plan, later)
    assert (more.known_noise, more.name) == (plan.known_noise, plan.name)
    assert list_differences(plan, replace(later, margin_percent=0.1)) == ["margin_percent"]


def test_what_a_plan_said_and_the_command_leaves_out_is_a_difference(plan: Plan) -> None:
    """Its stored form has no `against` where that is the first arm."""
    begun = replace(plan, against="best")
    assert list_differences(begun, ask(plan, 1337, 1)) == ["against"] == list_differences(plan, begun)


def test_the_hash_of_every_earlier_plan_follows_from_the_last(plan: Plan, tmp_path: Path) -> None:
    more = continue_plan(plan, ask(plan, 1337, 1, 2))
    last = continue_plan(more, ask(plan, 1337, 1, 2, 3))
    first, second, third = (save_plan(tmp_path, each) for each in (plan, more, last))
    found = {seed: find_plan_hashes(last, third, seed) for seed in last.seeds}
    assert found == {1337: {first, second, third}, 1: {second, third}, 2: {second, third}, 3: {third}}


def test_added_seeds_are_stored(plan: Plan, tmp_path: Path) -> None:
    more = continue_plan(plan, ask(plan, 1337, 1))
    save_plan(tmp_path, more)
    assert load_plan(tmp_path) == more


@pytest.mark.parametrize("added", [[[1337]], [[2]], [[1, 1337]], [[1], [1]]])
def test_a_plan_whose_added_seeds_are_not_its_last_is_damaged(
    plan: Plan, tmp_path: Path, added: list[list[int]]
) -> None:
    save_plan(tmp_path, replace(ask(plan, 1337, 1), seeds_added=added))
    with pytest.raises(StoredResultsError, match="said to be added"):
        load_plan(tmp_path)


def test_a_comparison_resumed_with_more_seeds_trains_only_those_and_passes_its_checks(tmp_path: Path) -> None:
    first = FakeLauncher()
    folder = make_comparison(tmp_path, launcher=first)
    records = {path: path.read_bytes() for path in folder.glob("runs/*/run.json")}
    further = FakeLauncher()
    make_comparison(tmp_path, seeds=(1337, 1), launcher=further, resume=True)
    assert (len(first.launched), further.launched) == (2, ["optimized-s1", "baseline-s1"])
    assert {path: path.read_bytes() for path in records} == records
    assert load_plan(folder).seeds_added == [[1]]
    findings = {finding.name: finding.status for finding in verify(folder, None, None, LocalLauncher())}
    assert {findings[name] for name in ("planned-runs", "numbers", "claims", "reports")} == {"PASS"}
    make_comparison(tmp_path, seeds=(1337, 1), launcher=further, resume=True)
    assert len(further.launched) == 2 and load_plan(folder).seeds_added == [[1]]
    with pytest.raises(RequestError, match=r"planned with another --seeds \(1337,1\)"):
        make_comparison(tmp_path, resume=True)


def test_seeds_that_are_refused_leave_a_finished_comparison_as_it_was(tmp_path: Path) -> None:
    folder = make_comparison(tmp_path)
    before = (folder / "plan.json").read_bytes()
    with pytest.raises(StoredResultsError, match=r"changed: source\.step\.py"):
        other = FakeLauncher(source_sha256={**SOURCE_SHA256, "step.py": "0" * 64})
        make_comparison(tmp_path, seeds=(1337, 1), launcher=other, resume=True)
    assert (folder / "plan.json").read_bytes() == before
    assert main(["gate", str(folder), "--min-improvement", "1"]) == 0


def test_a_run_of_an_added_seed_does_not_belong_to_the_plan_before_it(tmp_path: Path) -> None:
    folder = make_comparison(tmp_path)
    before = compute_file_sha256(folder / "plan.json")
    make_comparison(tmp_path, seeds=(1337, 1), resume=True)
    record = folder / "runs" / "baseline-s1" / "run.json"
    record.write_text(record.read_text().replace(compute_file_sha256(folder / "plan.json"), before))
    with pytest.raises(StoredResultsError, match=r"plan\.json was changed after its runs began"):
        load_comparison(folder)
