from dataclasses import replace
from pathlib import Path

import pytest

from harness.plan.plan import Plan, load_plan, order_runs, save_plan
from harness.plan.seeds import add_seeds, list_plan_hashes, parse_seeds
from mainrun.record.errors import RequestError, StoredResultsError


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


def test_added_seeds_are_marked_and_their_runs_come_after_the_planned_ones(plan: Plan) -> None:
    more = add_seeds(plan, (1337, 1, 2))
    assert (more.seeds, more.seeds_added) == ((1337, 1, 2), [[1, 2]])
    assert more.runs[: len(plan.runs)] == plan.runs
    assert more.runs == order_runs([arm.name for arm in plan.arms], (1337, 1, 2))
    again = add_seeds(more, (1337, 1, 2, 3))
    assert again.seeds_added == [[1, 2], [3]]
    assert add_seeds(again, again.seeds) == again


@pytest.mark.parametrize("seeds", [(1,), (1, 1337), (1337, 1337)])
def test_a_planned_seed_is_neither_left_out_nor_repeated(plan: Plan, seeds: tuple[int, ...]) -> None:
    with pytest.raises(RequestError, match=r"begun with the seeds 1337|given twice"):
        add_seeds(plan, seeds)


def test_the_hash_of_every_earlier_plan_follows_from_the_last(plan: Plan, tmp_path: Path) -> None:
    more = add_seeds(plan, (1337, 1, 2))
    last = add_seeds(more, (1337, 1, 2, 3))
    assert list_plan_hashes(last) == {each.seeds: save_plan(tmp_path, each) for each in (plan, more, last)}


def test_added_seeds_are_stored(plan: Plan, tmp_path: Path) -> None:
    more = add_seeds(plan, (1337, 1))
    save_plan(tmp_path, more)
    assert load_plan(tmp_path) == more


@pytest.mark.parametrize("added", [[[1337]], [[2]], [[1, 1337]], [[1], [1]]])
def test_a_plan_whose_added_seeds_are_not_its_last_is_damaged(
    plan: Plan, tmp_path: Path, added: list[list[int]]
) -> None:
    save_plan(tmp_path, replace(add_seeds(plan, (1337, 1)), seeds_added=added))
    with pytest.raises(StoredResultsError, match="said to be added"):
        load_plan(tmp_path)
