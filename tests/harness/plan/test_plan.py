import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from harness.launch.again import NAME_END
from harness.launch.job import Job
from harness.plan.from_request import plan_request
from harness.plan.plan import Plan, load_plan, plan_to_json, save_plan
from harness.plan.request import CompareRequest
from mainrun.data.corpus import CorpusSource
from mainrun.recipes import build_named_config
from mainrun.record.errors import InterruptionError, RequestError, StoredResultsError
from mainrun.record.files import compute_file_sha256, load_json, save_json
from tests.harness.fakes import FakeLauncher, Mishap, build_request, make_comparison, write_titles

PAIR = ("baseline", "optimized")


def plan_tiny(
    recipes: tuple[str, ...] = PAIR,
    seeds: tuple[int, ...] = (1337,),
    data: str = "synthetic",
    **settings: dict[str, str],
) -> Plan:
    plan, _ = plan_request(build_request(Path("absent") / "tiny", recipes, seeds, settings, data=data))
    return plan


def test_an_arm_is_shown_as_changed_where_it_is_not_the_recipe_it_is_named_after() -> None:
    arm = plan_tiny().arms[0]
    assert arm.label == "baseline (changed)"
    assert dataclasses.replace(arm, name="baseline-2").label == "baseline-2 (changed)"
    assert dataclasses.replace(arm, settings={}).label == "baseline"
    assert dataclasses.replace(arm, name="with-1-optimizer").label == "with-1-optimizer"


def test_a_plan_decided_on_another_metric_is_not_read_as_one_decided_on_this(tmp_path: Path) -> None:
    save_plan(tmp_path, dataclasses.replace(plan_tiny(), primary_metric="loss_nats_per_char"))
    with pytest.raises(StoredResultsError, match="decided on loss_nats_per_char"):
        load_plan(tmp_path)


def get_order(plan: Plan) -> list[str]:
    return [run.folder_name for run in plan.runs]


def test_the_first_seed_runs_the_arms_in_order_and_every_second_one_in_reverse() -> None:
    plan = plan_tiny(seeds=(1337, 1, 2))
    assert get_order(plan) == [
        "baseline-s1337",
        "optimized-s1337",
        "optimized-s1",
        "baseline-s1",
        "baseline-s2",
        "optimized-s2",
    ]


def test_a_recipe_named_again_is_numbered_from_the_second_time_on() -> None:
    plan = plan_tiny(("baseline", "optimized", "baseline", "baseline"))
    assert [arm.name for arm in plan.arms] == ["baseline", "optimized", "baseline-2", "baseline-3"]
    assert [arm.recipe for arm in plan.arms] == ["baseline", "optimized", "baseline", "baseline"]


def test_a_setting_reaches_its_own_arm_only() -> None:
    plan = plan_tiny(optimized={"learning_rate": "0.001"})
    assert plan.get_arm("optimized").config["optimizer.learning_rate"] == 0.001
    assert plan.get_arm("baseline").config["optimizer.learning_rate"] == 6e-3
    assert plan.get_arm("optimized").settings["learning_rate"] == "0.001"


def test_the_sizes_of_an_arm_are_those_of_its_own_settings() -> None:
    plan = plan_tiny(optimized={"batch_size": "32"})
    before, after = (plan.get_arm(name) for name in PAIR)
    for arm, batch_size in ((before, 16), (after, 32)):
        sizes, span = arm.sizes, 16 * batch_size + 1
        assert sizes["steps_per_epoch"] == sizes["num_train_tokens"] // (16 * batch_size)
        assert sizes["max_steps"] == 7 * sizes["steps_per_epoch"]
        assert sizes["num_spans"] == sizes["num_validation_tokens"] // span
        assert sizes["coverage"] == sizes["num_spans"] * (span - 1) / sizes["num_validation_tokens"]
    assert before.sizes["num_validation_tokens"] == after.sizes["num_validation_tokens"]


def test_a_setting_for_an_arm_that_is_not_compared_is_refused_with_the_arms() -> None:
    with pytest.raises(RequestError, match=r"'optimised'.*Arms: baseline, optimized"):
        plan_tiny(optimised={"learning_rate": "0.001"})


def test_an_unknown_optimizer_or_schedule_is_refused_before_anything_is_trained() -> None:
    for key, wrong in (("optimizer", "adam"), ("schedule", "cosin")):
        with pytest.raises(RequestError, match=wrong):
            plan_tiny(optimized={key: wrong})


@pytest.mark.parametrize("settings", [{"num_titles": "300"}, {"num_titles": "404"}, {"val_fraction": "0.2"}], ids=str)
def test_arms_on_different_titles_are_refused_before_anything_is_trained(settings: dict[str, str]) -> None:
    with pytest.raises(RequestError, match="optimized would be trained on other titles than baseline"):
        plan_tiny(optimized=settings)


@pytest.mark.parametrize("seeds", [(1337, 1337), (1, 2, 1)])
def test_a_repeated_seed_is_refused(seeds: tuple[int, ...]) -> None:
    with pytest.raises(RequestError, match=f"Seed {seeds[-1]} is given twice"):
        plan_tiny(seeds=seeds)


def test_one_recipe_is_no_comparison() -> None:
    with pytest.raises(RequestError, match="two recipes"):
        plan_tiny(("baseline",))


def test_a_stored_plan_is_the_plan_that_was_saved(tmp_path: Path) -> None:
    plan = plan_tiny(seeds=(1337, 1), optimized={"dropout": "0.2"})
    sha256 = save_plan(tmp_path, plan)
    assert sha256 == compute_file_sha256(tmp_path / "plan.json")
    assert json.dumps(plan_to_json(load_plan(tmp_path))) == json.dumps(plan_to_json(plan))


def test_a_plan_names_no_folder_outside_the_comparison(tmp_path: Path) -> None:
    plan = plan_tiny(data=str(write_titles(tmp_path)))
    assert str(tmp_path) not in json.dumps(plan_to_json(plan))
    assert plan.corpus["name"] == "titles.txt"


def test_a_stored_plan_with_a_line_end_in_a_name_is_refused_in_one_line(tmp_path: Path) -> None:
    plan, name = plan_tiny(), "a\n::error::b"
    save_plan(tmp_path, dataclasses.replace(plan, arms=(plan.arms[0], dataclasses.replace(plan.arms[1], name=name))))
    with pytest.raises(StoredResultsError, match="cannot name the folder of a run") as refused:
        load_plan(tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_every_run_carries_the_hash_of_the_plan(three_seeds: Path) -> None:
    sha256 = compute_file_sha256(three_seeds / "plan.json")
    records = [json.loads(path.read_text()) for path in sorted(three_seeds.glob("runs/*/run.json"))]
    assert len(records) == 6
    assert {record["plan_sha256"] for record in records} == {sha256}


def test_the_plan_is_stored_before_the_first_run(tmp_path: Path) -> None:
    class Looking(FakeLauncher):
        def start(self, job: Job) -> None:
            assert job.name.endswith(NAME_END) or (job.folder.parents[1] / "plan.json").exists()
            super().start(job)

    launcher = Looking()
    make_comparison(tmp_path, launcher=launcher)
    assert launcher.launched == ["baseline-s1337", "optimized-s1337"]


def test_a_folder_that_holds_something_is_refused_without_resume(tmp_path: Path) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "notes.txt").touch()
    with pytest.raises(RequestError, match="exists already"):
        plan_request(build_request(tmp_path / "fake"))


def test_resuming_trains_only_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        make_comparison(tmp_path, launcher=FakeLauncher({"optimized": Mishap("interrupt", step=30)}))
    launcher = FakeLauncher()
    make_comparison(tmp_path, launcher=launcher, resume=True)
    assert launcher.launched == ["optimized-s1337"]


def test_resuming_a_run_whose_journal_is_written_anew_is_followed_without_error(tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        make_comparison(tmp_path, launcher=FakeLauncher({"optimized": Mishap("interrupt", step=200)}))
    record = tmp_path / "fake" / "plan.json"
    values = json.loads(record.read_text())
    folder = make_comparison(tmp_path, launcher=FakeLauncher(), resume=True)
    assert json.loads(record.read_text()) == values
    assert json.loads((folder / "comparison.json").read_text())["num_runs_complete"] == 2


@pytest.mark.parametrize(
    ("differing", "changes"),
    [
        ("seeds", {"seeds": (1, 1337)}),
        ("ARM or --set", {"settings": {"optimized": {"dropout": "0.3"}}}),
        ("ARM or --set", {"recipes": ("baseline", "optimized", "baseline")}),
    ],
)
def test_resuming_another_plan_is_refused_and_what_differs_is_named(
    own_comparison: Path, differing: str, changes: dict[str, object]
) -> None:
    before = (own_comparison / "plan.json").read_bytes()
    launcher = FakeLauncher()
    rename_plan(own_comparison)
    with pytest.raises(RequestError, match=f"another .*{differing}"):
        make_comparison(own_comparison.parent, name="own", launcher=launcher, resume=True, **changes)  # type: ignore[arg-type]  # one call for three changes
    assert launcher.launched == []
    assert json.loads(before)["seeds"] == [1337]


def test_resuming_with_the_same_request_names_nothing_as_changed(tiny_comparison: Path, tmp_path: Path) -> None:
    for name in (tiny_comparison.name, "renamed"):
        shutil.copytree(tiny_comparison, tmp_path / name)
        launcher = FakeLauncher()
        make_comparison(tmp_path, name=name, launcher=launcher, resume=True)
        assert launcher.launched == []


@pytest.mark.parametrize(("given", "expected"), [(None, "a1"), ("b2", "b2")])
def test_resuming_on_the_hubs_titles_keeps_their_revision_unless_one_is_named(
    given: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_tiny()
    save_plan(tmp_path, dataclasses.replace(plan, corpus={**plan.corpus, "source": "hub", "revision": "a1"}))
    asked: list[CorpusSource] = []

    def plan_comparison(name: str, arms: object, request: CompareRequest, *_: object) -> Plan:
        asked.append(request.source)
        return plan

    monkeypatch.setattr("harness.plan.from_request.plan_comparison", plan_comparison)
    request = build_request(tmp_path, data="hub", resume=True)
    plan_request(dataclasses.replace(request, data_revision=given))
    assert [source.revision for source in asked] == [expected]


def test_resuming_with_other_titles_is_refused(own_comparison: Path, tmp_path: Path) -> None:
    rename_plan(own_comparison)
    with pytest.raises(RequestError, match="another --data"):
        make_comparison(
            own_comparison.parent, name="own", data=str(write_titles(tmp_path)), launcher=FakeLauncher(), resume=True
        )


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1}'])
def test_a_damaged_plan_is_refused_with_its_path(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(StoredResultsError, match=r"plan\.json"):
        load_plan(tmp_path)


def test_a_plan_is_frozen() -> None:
    plan = plan_tiny()
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.seeds = (1,)  # type: ignore[misc]  # that it cannot be assigned is the point


def rename_plan(folder: Path) -> None:
    """Gives the copy of a comparison the name of its folder, as if it had been made there."""
    plan = json.loads((folder / "plan.json").read_text())
    save_json(folder / "plan.json", {**plan, "name": folder.name})


@pytest.mark.parametrize("recipe", ["baseline", "optimized"])
def test_a_plan_of_the_first_schema_is_read_in_todays_words(recipe: str) -> None:
    folder = Path(__file__).parents[2] / "first_release"
    assert load_json(folder / "plan.json", 1)["schema_version"] == 1
    assert load_plan(folder).get_arm(recipe).config == build_named_config(recipe, "quick", {}).flatten()
