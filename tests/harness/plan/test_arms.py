"""Named arms, sweeps, settings for all arms, and whom an arm is compared with."""

from itertools import product
from pathlib import Path

import pytest

from harness.plan.arm_syntax import ArmRequest, parse_arm
from harness.plan.arms import resolve_arms, split_settings
from harness.plan.arms_file import load_recipes
from harness.plan.from_request import plan_request, store_plan
from harness.plan.plan import Plan, load_plan
from harness.plan.request import CompareRequest
from mainrun.record.errors import RequestError
from tests.harness.fakes import TINY

ALL_TINY = tuple(f"{key}={value}" for key, value in TINY.items())


def plan(tmp_path: Path, *recipes: str, sets: tuple[str, ...] = (), **fields: object) -> Plan:
    return plan_request(
        CompareRequest(
            recipes,
            "quick",
            (1337,),
            data="synthetic",
            out=tmp_path / "plan",
            set_texts=(*ALL_TINY, *sets),
            **fields,  # type: ignore[arg-type]
        )
    )[0]


def resolve(*recipes: str, sets: tuple[str, ...] = ()) -> list[ArmRequest]:
    return resolve_arms(CompareRequest(recipes, "quick", (1337,), set_texts=sets), {}, ())


def get_names(plan: Plan) -> list[str]:
    return [arm.name for arm in plan.arms]


def test_a_named_arm_is_its_recipe_with_its_settings_and_no_more_is_said_of_it_than_its_name(tmp_path: Path) -> None:
    arm = plan(tmp_path, "baseline", "fast=optimized:learning_rate=1e-3").arms[1]
    assert (arm.name, arm.label, arm.recipe) == ("fast", "fast", "optimized")
    assert arm.config["optimizer.learning_rate"] == 1e-3


def test_a_setting_without_an_arm_is_for_all_arms_and_one_of_an_arm_is_stronger(tmp_path: Path) -> None:
    arms = plan(
        tmp_path, "baseline", "a=baseline:dropout=0.3", "b=baseline", sets=("dropout=0.2", "b.dropout=0.4")
    ).arms
    assert [arm.config["model.dropout"] for arm in arms] == [0.2, 0.3, 0.4]


def test_settings_of_the_arm_and_of_set_are_joined_and_none_is_given_twice() -> None:
    [arm] = resolve("baseline:a=1", sets=("baseline.b=2",))
    assert arm.settings == {"a": "1", "b": "2"}
    with pytest.raises(RequestError, match="'a' of baseline is given by the arm and by --set"):
        resolve("baseline:a=1", sets=("baseline.a=2",))


def test_set_of_an_arm_that_is_not_compared_is_refused() -> None:
    with pytest.raises(RequestError, match="--set names the arm 'absent'"):
        resolve("baseline", sets=("absent.a=1",))


NAMES = ("optimizer.learning_rate", "learning_rate", "lr")
ALL, ONE = "--set of all", "--set of the arm"
SECOND = "2"
"""The value that stands, of a first one and this."""


@pytest.mark.parametrize("names", [*product(NAMES, NAMES)], ids=" ".join)
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("arms file", "text", SECOND),
        ("arms file", "sweep", SECOND),
        (ALL, "arms file", SECOND),
        (ALL, "text", SECOND),
        (ALL, "sweep", SECOND),
        (ALL, ONE, SECOND),
        (ONE, "arms file", r"'{first}' of \S+ is given by the arm and by --set(, once as '{second}')?\. Give it once"),
        (ONE, "text", r"'{first}' of \S+ is given by the arm and by --set(, once as '{second}')?\. Give it once"),
        (ONE, "sweep", r"'{first}' of \S+ is given by the arm and by --set(, once as '{second}')?\. Give it once"),
        ("text", "text", r"^The arm 'arm=\S+ gives '{second}' twice(, once as '{first}')?\.$"),
        ("sweep", "sweep", r"^The sweep \S+ names '{second}=2', which is no new key"),
        (ALL, ALL, r"^--set names '{second}' twice(, once as '{first}')?\.$"),
        (ONE, ONE, r"^--set names '\S+\.{second}' twice(, once as '{first}')?\.$"),
    ],
)
def test_a_setting_that_is_given_twice_is_treated_alike_under_each_of_its_names(
    first: str, second: str, expected: str, names: tuple[str, str]
) -> None:
    given = [(first, names[0], "1"), (second, names[1], SECOND)]
    typed = {place: [f"{key}={value}" for at, key, value in given if at == place] for place in (first, second)}
    recipe = "fast" if "arms file" in typed else "optimized"
    from_file = {"fast": parse_arm(f"fast=optimized:{','.join(typed.get('arms file', ['beta1=0.5']))}")}
    changes = ",".join(typed.get("text", ["beta2=0.5"]))
    is_swept = "sweep" in typed
    name = "arm-eps-1" if is_swept else "arm"
    recipes = [] if is_swept else [f"arm={recipe}:{changes}"]
    sweeps = [f"arm={recipe}:{','.join(typed['sweep'])},eps=1,2"] if is_swept else []
    sets = (*typed.get(ALL, ()), *(f"{name}.{text}" for text in typed.get(ONE, ())))
    request = CompareRequest(tuple(recipes), "quick", (1337,), set_texts=sets, sweeps=tuple(sweeps))
    if expected != SECOND:
        with pytest.raises(RequestError, match=expected.format(first=names[0], second=names[1])):
            resolve_arms(request, from_file, ())
        return
    arm = next(arm for arm in resolve_arms(request, from_file, ()) if arm.name == name)
    assert {key: value for key, value in arm.settings.items() if key in NAMES} == {names[1]: SECOND}


def test_set_tells_arms_with_dots_in_their_names_from_sections(tmp_path: Path) -> None:
    texts = ["lr0.1.dropout=1", "lr0.dropout=2", "model.dropout=3", "lr0.1.model.n_layer=4"]
    shared, settings = split_settings(texts, ["lr0", "lr0.1"])
    assert shared == {"model.dropout": "3"}
    assert settings == {"lr0.1": {"dropout": "1", "model.n_layer": "4"}, "lr0": {"dropout": "2"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dropout", "takes .ARM..KEY=VALUE"),
        ("=0.2", "takes"),
        ("a.=0.2", "takes"),
        ("c.dropout=0", "names the arm 'c', which is not compared. Arms: a, b"),
        ("a.dropout=0", "names 'a.dropout' twice"),
    ],
)
def test_a_setting_of_another_form_or_for_no_arm_is_refused(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        split_settings(["a.dropout=1", text], ["a", "b"])


def test_a_sweep_is_an_arm_for_every_value(tmp_path: Path) -> None:
    swept = plan(tmp_path, "baseline", sweeps=("optimized:learning_rate=1e-4,3e-4,1e-3",))
    assert get_names(swept)[1:] == [f"optimized-learning_rate-{value}" for value in ("1e-4", "3e-4", "1e-3")]
    assert [arm.config["optimizer.learning_rate"] for arm in swept.arms[1:]] == [1e-4, 3e-4, 1e-3]
    assert all(arm.label == arm.name for arm in swept.arms[1:])


def test_an_arms_file_names_recipes_with_settings_which_what_is_typed_builds_on(tmp_path: Path) -> None:
    file = tmp_path / "arms.toml"
    file.write_text('[arms.fast]\nrecipe = "optimized"\nlearning_rate = 1e-3\nmodel.dropout = 0.0\n')
    arms = plan(tmp_path, "baseline", "fast", "mine=fast:dropout=0.5", arms_file=file).arms
    assert [arm.name for arm in arms] == ["baseline", "fast", "mine"]
    assert [arm.config["optimizer.learning_rate"] for arm in arms[1:]] == [1e-3, 1e-3]
    assert arms[1].config["model.dropout"] == 0.0


def test_an_arm_of_the_file_is_named_by_its_place_in_the_file_and_by_what_is_typed(tmp_path: Path) -> None:
    (tmp_path / "arms.toml").write_text('[arms.fast]\nrecipe = "optimized"\nrevision = "main"\ndropout = 0.1\n')
    from_file = load_recipes(tmp_path / "arms.toml")
    request = CompareRequest(("fast", "fast@origin/next", "mine=fast"), "quick", (1337,), sweeps=("fast:lr=1,2",))
    assert resolve_arms(request, from_file, ()) == [
        ArmRequest("fast", "optimized", {"dropout": "0.1"}, "main", is_named=True),
        ArmRequest("fast-origin-next", "optimized", {"dropout": "0.1"}, "origin/next", is_named=True),
        ArmRequest("mine", "optimized", {"dropout": "0.1"}, "main", is_named=True),
        ArmRequest("fast-lr-1", "optimized", {"dropout": "0.1", "lr": "1"}, "main", is_named=True),
        ArmRequest("fast-lr-2", "optimized", {"dropout": "0.1", "lr": "2"}, "main", is_named=True),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('recipe = ""', "names no recipe"),
        ('recipe = "a=b"', "gives the name 'fast=a'"),
        ('recipe = "optimized"\nrevision = "-f"', "asks for '-f', which is no revision"),
        ('recipe = "optimized"\nrevision = "main:mainrun"', "'mainrun' is no key=value"),
        ('recipe = "../optimized"', "which is no recipe"),
    ],
)
def test_an_arm_of_the_file_is_held_to_the_form_of_one_that_is_typed(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "arms.toml").write_text(f"[arms.fast]\n{line}\n")
    with pytest.raises(RequestError, match=message):
        load_recipes(tmp_path / "arms.toml")


def test_an_arm_of_the_file_with_a_value_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "arms.toml"
    file.write_text('[arms.fast]\nrecipe = "optimized"\nlearning_rate = [1e-3]\n')
    with pytest.raises(RequestError, match=r"\[arms.fast\]: learning_rate must be a number"):
        plan(tmp_path, "baseline", "fast", arms_file=file)


def test_whom_arms_are_compared_with_is_stored_unless_it_is_the_first(tmp_path: Path) -> None:
    first = plan(tmp_path, "baseline", "optimized")
    store_plan(tmp_path / "first", first, resume=False)
    assert "against" not in (tmp_path / "first" / "plan.json").read_text()
    best = plan(tmp_path, "baseline", "optimized", against="best")
    store_plan(tmp_path / "best", best, resume=False)
    assert load_plan(tmp_path / "best").against == "best"
    with pytest.raises(RequestError, match="--against takes first, best, previous or an arm"):
        plan(tmp_path, "baseline", "optimized", against="worst")
