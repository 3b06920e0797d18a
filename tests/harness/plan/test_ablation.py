"""What each change of a recipe is worth."""

import copy
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, cast

import pytest

from harness.analyse.ablation import describe_ablation
from harness.cli.outcome import format_result
from harness.comparison import run_comparison
from harness.formats import format_ends, format_loss
from harness.launch.progress import ProgressDisplay
from harness.plan.ablation import find_units, plan_ablation
from harness.plan.arm_syntax import parse_arm, parse_whole
from harness.plan.request import CompareRequest
from harness.report.change_section import format_impact
from harness.report.curves import build_curves
from harness.report.figures import save_figures
from harness.report.render import REPORT_NAME, render_html
from harness.store.document import load_document
from harness.store.measurements import load_metrics
from mainrun.config import find_changes
from mainrun.recipes import PRESETS, RECIPES, build_named_config
from mainrun.record.errors import RequestError, RunError
from tests.harness.fakes import TINY, Curve, FakeLauncher, Mishap, skip_rendering

FLOORS = {
    "baseline": 3.4,
    "with-1-optimizer": 3.1,
    "with-2-schedule": 3.0,
    "without-optimizer": 3.38,
    "without-schedule": 3.05,
    "optimized": 2.95,
}
CHANGED = (
    *("single=frontier:rdrop=0", "frontier:optimizer=adamw", "own=baseline:order=shuffled,dropout=0.2"),
    *("optimized:beta1=0.95", "optimized:lr=0.006", "frontier:warmup_fraction=0,decay_fraction=0.2"),
    *("frontier:weight_decay=0", "optimized:optimizer=muon"),
)
"""Arms that no recipe is, some with a value of the baseline's or one that only the kind they choose reads."""
FRESH = 6.93
"""Nats per token of a fresh model with the vocabulary of `quick`, ln 1,024."""


@pytest.fixture(scope="module")
def ablated(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    request = CompareRequest(
        recipes=(),
        preset="quick",
        seeds=(1337,),
        data="synthetic",
        ablate="optimized",
        device="cpu",
        out=tmp_path_factory.mktemp("ablated") / "ablation",
    )
    launcher = FakeLauncher(curves={arm: Curve(start=FRESH, floor=floor, seed_sd=0) for arm, floor in FLOORS.items()})
    with skip_rendering():
        return run_comparison(request, launcher, ProgressDisplay(lambda text: None))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("arm", [*(recipe for recipe in RECIPES if recipe != "baseline"), *CHANGED])
def test_the_units_together_are_the_arm(arm: str, preset: str) -> None:
    whole = parse_whole(arm)
    ablation = plan_ablation(whole, preset)
    expected = build_named_config(whole.recipe, preset, whole.settings)
    assert build_named_config("baseline", preset, ablation.arms[whole.name]) == expected
    assert (ablation.ladder[0].before, ablation.ladder[-1].after) == ("baseline", whole.name)


@pytest.mark.parametrize("arm", ["optimized", "frontier", *CHANGED])
def test_every_arm_of_an_ablation_can_be_trained(arm: str) -> None:
    """No unit needs another one."""
    for settings in plan_ablation(parse_whole(arm), "quick").arms.values():
        build_named_config("baseline", "quick", settings)


@pytest.mark.parametrize("arm", ["optimized", "frontier", *CHANGED])
def test_two_neighbouring_arms_differ_in_the_unit_between_them_and_in_nothing_else(arm: str) -> None:
    """Also where the optimizer of one brings a default that is not the baseline's, such as its weight decay."""
    ablation = plan_ablation(parse_whole(arm), "quick")
    configs = {
        arm: build_named_config("baseline", "quick", settings).flatten() for arm, settings in ablation.arms.items()
    }
    for step in [*ablation.ladder, *ablation.leave_one_out]:
        assert set(find_changes(configs[step.before], configs[step.after])) == set(step.keys)
    assert len({str(config) for config in configs.values()}) == len(configs)


def test_an_optimizer_changes_with_its_learning_rate() -> None:
    units = {unit.name: set(unit.settings) for unit in find_units(parse_arm("optimized"), "quick")}
    assert units == {
        "optimizer": {"optimizer.name", "optimizer.learning_rate"},
        "schedule": {"schedule.warmup_fraction"},
        "weight_decay": {"optimizer.weight_decay"},
    }


def test_what_only_one_of_two_optimizers_reads_comes_with_the_optimizer() -> None:
    [optimizer] = [unit for unit in find_units(parse_arm("optimized"), "quick") if unit.name == "optimizer"]
    own = {f"optimizer.{name}" for name in ("momentum", "beta1", "beta2", "eps")}
    assert set(optimizer.keys) == {*optimizer.settings, *own}


def test_the_ladder_goes_from_the_baseline_to_the_whole_and_equal_arms_are_one() -> None:
    ablation = plan_ablation(parse_arm("optimized"), "quick")
    assert [(step.before, step.after) for step in ablation.ladder] == [
        ("baseline", "with-1-optimizer"),
        ("with-1-optimizer", "with-2-schedule"),
        ("with-2-schedule", "optimized"),
    ]
    assert [step.before for step in ablation.leave_one_out] == [
        "without-optimizer",
        "without-schedule",
        "with-2-schedule",
    ]
    assert list(ablation.arms) == list(FLOORS)


def test_a_recipe_with_one_change_needs_two_arms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "decayed", {"optimizer.weight_decay": 0.1})
    ablation = plan_ablation(parse_arm("decayed"), "quick")
    assert list(ablation.arms) == ["baseline", "decayed"]
    assert ablation.ladder == ablation.leave_one_out


def test_nothing_to_ablate_is_a_wrong_request() -> None:
    with pytest.raises(RequestError, match="changes nothing"):
        plan_ablation(parse_arm("baseline"), "quick")
    with pytest.raises(RequestError, match="'optimized'"):
        plan_ablation(parse_arm("optimised"), "quick")


def test_what_cannot_be_taken_apart_or_has_no_name_is_a_wrong_request() -> None:
    with pytest.raises(RequestError, match="'m=optimized@main' names a revision"):
        parse_whole("m=optimized@main")
    with pytest.raises(RequestError, match="needs a name of its own: NAME=optimized:learning_rate=a/b"):
        parse_whole("optimized:learning_rate=a/b")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("optimized", "optimized"),
        ("mild=optimized:lr=1e-4", "mild"),
        ("optimized:lr=1e-4,dropout=0", "optimized-lr-1e-4-dropout-0"),
    ],
)
def test_an_arm_without_a_name_is_called_after_its_settings(text: str, name: str) -> None:
    assert parse_whole(text).name == name


def test_what_is_the_baselines_in_the_whole_is_so_in_every_arm() -> None:
    ablation = plan_ablation(parse_whole("optimized:lr=0.006"), "quick")
    configs = [build_named_config("baseline", "quick", settings).flatten() for settings in ablation.arms.values()]
    assert {config["optimizer.learning_rate"] for config in configs} == {0.006}


@pytest.mark.parametrize("name", ["baseline", "with-1-optimizer", "without-schedule"])
def test_an_arm_that_is_called_as_one_of_its_parts_is_a_wrong_request(name: str) -> None:
    with pytest.raises(RequestError, match=f"Two arms would be called '{name}'"):
        plan_ablation(parse_arm(f"{name}=optimized"), "quick")


def test_the_parts_of_the_ladder_add_up_to_the_whole(ablated: Path) -> None:
    ablation = load_document(ablated)["ablation"]
    assert ablation["ladder_sum_nats_per_char"] == pytest.approx(ablation["whole_nats_per_char"], rel=1e-9)
    assert ablation["leave_one_out_sum_nats_per_char"] == pytest.approx(
        sum(step["impact_nats_per_char"] for step in ablation["leave_one_out"]), rel=1e-9
    )


def test_every_impact_is_between_its_two_arms_and_has_an_interval(ablated: Path) -> None:
    document = load_document(ablated)
    finals = {arm["name"]: arm["final"]["full_loss_nats_per_char"] for arm in document["arms"]}
    for step in [*document["ablation"]["ladder"], *document["ablation"]["leave_one_out"]]:
        assert step["impact_nats_per_char"] == pytest.approx(finals[step["before"]] - finals[step["after"]], rel=1e-9)
        assert step["verdict"]["interval_95"]["low_percent"] <= step["verdict"]["gain_percent"]


def test_the_summary_gives_the_measured_impact_of_each_setting(ablated: Path) -> None:
    summary = (ablated / "PERFORMANCE_SUMMARY.md").read_text(encoding="utf-8")
    rows = [line for line in summary.splitlines() if line.startswith("| `")]
    units = load_document(ablated)["ablation"]["ladder"]
    assert len(rows) == 8
    assert sum("added: " in row and "left out: " in row for row in rows) == len(units)
    for keys in (step["keys"] for step in units):
        first, *others = (next(row for row in rows if row.startswith(f"| `{key}` |")) for key in keys)
        assert (f"({len(keys)} settings together)" in first) == (len(keys) > 1)
        assert all(f"| only with {keys[0]} |".replace("_", r"\_") in row for row in others)


@pytest.mark.parametrize(
    ("floors", "said"),
    [
        ({"with-1-optimizer": 2.0}, r"One arm ends lower than optimized, which is at (\S+): (.*), at (\S+)\."),
        (
            {"with-1-optimizer": 2.0, "with-2-schedule": 2.1},
            r"Arms that end lower than optimized, which is at (\S+): 2 \((.*)\), the lowest at (\S+)\.",
        ),
    ],
)
def test_arms_that_end_below_the_whole_recipe_are_named_and_numbered(
    floors: dict[str, float], said: str, tmp_path: Path
) -> None:
    curves = {f"{arm}-s{seed}": Curve(start=FRESH, floor=floors[arm]) for arm in floors for seed in (1337, 1, 2)}
    folder = ablate(tmp_path, curves)
    document = load_document(folder)
    assert document["ablation"]["lower"] == [*floors]
    summary = (folder / "PERFORMANCE_SUMMARY.md").read_text(encoding="utf-8")
    found = re.search(said, summary)
    losses = {row["label"]: format_loss(row["loss"]) for row in document["ranking"]["rows"]}
    assert found and found.groups() == (losses["optimized"], ", ".join(floors), losses["with-1-optimizer"])
    assert re.search(rf"^\| {1 + len(floors)} \| optimized \|", summary, re.MULTILINE)


@pytest.fixture(scope="module")
def thrice(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds, of which the one that weight decay is worth goes up and down around nothing."""
    floors = ((1337, 2.96), (1, 2.94), (2, 2.95))
    changed = {f"with-2-schedule-s{seed}": Curve(start=FRESH, floor=floor) for seed, floor in floors}
    return ablate(tmp_path_factory.mktemp("thrice"), changed)


def ablate(folder: Path, changed: dict[str, Curve], mishaps: Mapping[str, Mishap] = MappingProxyType({})) -> Path:
    """Three seeds of each arm; `changed` are the curves that are not those of `FLOORS`."""
    request = CompareRequest(
        recipes=(),
        preset="quick",
        seeds=(1337, 1, 2),
        data="synthetic",
        ablate="optimized",
        set_texts=tuple(f"{key}={value}" for key, value in TINY.items()),
        device="cpu",
        out=folder / "ablation",
    )
    curves = {arm: Curve(start=FRESH, floor=floor, seed_sd=0.001) for arm, floor in FLOORS.items()} | changed
    with skip_rendering():
        return run_comparison(request, FakeLauncher(mishaps, curves), ProgressDisplay(lambda text: None))


def test_impacts_have_intervals_and_words_that_hold_all_at_once(thrice: Path) -> None:
    ablation = load_document(thrice)["ablation"]
    steps = [*ablation["ladder"], *ablation["leave_one_out"]]
    pairs = {(step["before"], step["after"]): step["verdict"] for step in steps}
    assert ablation["num_impacts"] == len(pairs) == len(steps) - 1
    for step in steps:
        verdict, plain, joint = step["verdict"], step["verdict"]["interval_95"], step["verdict"]["interval_joint"]
        assert verdict == pairs[step["before"], step["after"]]
        assert joint["level_percent"] == pytest.approx(100 - 5 / len(pairs))
        assert joint["low_percent"] < plain["low_percent"] < plain["high_percent"] < joint["high_percent"]
        assert (verdict["adjusted"]["num_pairs_judged"], verdict["adjusted"]["method"]) == (len(pairs), "Holm")


def test_intervals_of_steps_that_lost_seeds_are_said_to_be_of_fewer(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="1 of 18 runs failed"):
        ablate(tmp_path, {}, {"with-2-schedule-s2": Mishap("fail", step=50)})
    document = load_document(tmp_path / "ablation")
    pairs = [step["verdict"]["num_seed_pairs"] for step in document["ablation"]["ladder"]]
    assert (min(pairs), max(pairs)) == (2, 3)
    [said] = [claim["text"] for claim in document["claims"] if claim["id"] == "impact-intervals"]
    assert said.startswith("Intervals of impacts are each of the seeds that both arms completed, 3 at most")


def test_the_summary_gives_the_word_of_all_at_once_where_it_is_another(thrice: Path) -> None:
    ablation = load_document(thrice)["ablation"]
    verdict = copy.deepcopy(ablation["ladder"][0]["verdict"])
    assert verdict["word"] == verdict["adjusted"]["word"] == "IMPROVED"
    key = ablation["ladder"][0]["keys"][0]
    assert "at once" not in format_impact(key, ablation)
    verdict["adjusted"]["word"] = "INCONCLUSIVE"
    other = {**ablation, "ladder": [{**ablation["ladder"][0], "verdict": verdict}]}
    assert "IMPROVED, at once INCONCLUSIVE; left out" in format_impact(key, other)


def test_the_changes_that_cannot_be_told_from_nothing_are_said_in_one_sentence_everywhere(thrice: Path) -> None:
    document = load_document(thrice)
    assert document["ablation"]["ladder_nothing"] == document["ablation"]["leave_one_out_nothing"] == ["weight_decay"]
    said = (
        "Cannot be told from nothing, by intervals that hold for all 5 impacts at once, when added: weight_decay; when "
        "left out: weight_decay."
    )
    markdown = said.replace("_", r"\_")
    assert all(markdown in (thrice / name).read_text() for name in ("PERFORMANCE_SUMMARY.md", REPORT_NAME))
    assert said in format_result(document, thrice) and said in render_html(document, {}, on_screen=False)
    figure = draw(document)
    assert "pale: cannot be told from nothing" in figure
    ends = format_ends(document["ablation"]["ladder"][-1]["verdict"]["interval_joint"])
    assert f"({ends}, all at once)" in figure and ends in (thrice / REPORT_NAME).read_text()


def test_nothing_is_concluded_of_the_impacts_of_an_arm_in_doubt(tmp_path: Path) -> None:
    """One whose first loss is not that of a fresh model on this text."""
    document = load_document(ablate(tmp_path, {"with-2-schedule": Curve(start=3.0, floor=2.0)}))
    ablation = document["ablation"]
    words = {
        kind: [(step["verdict"]["word"], step["verdict"]["adjusted"]["word"]) for step in ablation[kind]]
        for kind in ("ladder", "leave_one_out")
    }
    sure, doubted = ("IMPROVED", "IMPROVED"), ("INCONCLUSIVE", "INCONCLUSIVE")
    assert words == {"ladder": [sure, doubted, doubted], "leave_one_out": [sure, sure, doubted]}
    assert ablation["ladder_nothing"] is ablation["leave_one_out_nothing"] is None
    [said] = [claim["text"] for claim in document["claims"] if claim["id"] == "impacts-in-doubt"]
    assert "worth: schedule, weight_decay; with-2-schedule: its first validation loss does not fit" in said


def test_only_the_two_ends_of_an_ablation_are_named_in_its_curves(thrice: Path) -> None:
    curves = build_curves(load_document(thrice), load_metrics(thrice))
    assert curves.named == ["baseline", "optimized"] and curves.has_many


def test_losses_of_an_ablation_are_means_over_its_seeds(thrice: Path) -> None:
    document = load_document(thrice)
    losses = {row["arm"]: row["loss"] for row in document["ranking"]["rows"]}
    assert document["ablation"]["num_seeds"] == 3
    for step in document["ablation"]["ladder"]:
        assert step["impact_nats_per_char"] == pytest.approx(losses[step["before"]] - losses[step["after"]])


def test_a_change_that_changes_nothing_here_is_no_impact() -> None:
    step = {"unit": "momentum", "keys": [], "before": "a", "after": "a"}
    verdict = {"gain_percent": 0.0, "word": "EQUIVALENT", "interval_joint": None}
    described = describe_ablation(
        {"recipe": "a", "ladder": [step], "leave_one_out": [step]},
        {"a": 2.0, "baseline": 2.0},
        lambda before, after, num_pairs: cast(Any, {**verdict, "num_pairs": num_pairs}),
    )
    assert (described["num_impacts"], described["ladder_nothing"]) == (0, [])
    assert described["ladder"][0]["verdict"] == {**verdict, "num_pairs": 1, "adjusted": None}


def draw(document: dict[str, Any]) -> str:
    with TemporaryDirectory() as folder:
        save_figures(Path(folder), {**document, "figures": ["ablation"]}, [])
        return unescape((Path(folder) / "figures" / "ablation.svg").read_text(encoding="utf-8"))


def test_only_the_whole_is_compared_with_the_baseline_and_the_command_is_ablate(ablated: Path) -> None:
    document = load_document(ablated)
    assert [(pair["baseline"], pair["candidate"]) for pair in document["pairs"]] == [("baseline", "optimized")]
    assert document["command"].startswith("python -m harness ablate optimized --preset quick")


def test_a_changed_arm_is_called_what_it_is_in_its_report_and_its_command(tmp_path: Path) -> None:
    request = CompareRequest(
        recipes=(),
        preset="quick",
        seeds=(1337,),
        data="synthetic",
        ablate="optimized:dropout=0.2",
        device="cpu",
        out=tmp_path / "changed",
    )
    with skip_rendering():
        folder = run_comparison(request, FakeLauncher(), ProgressDisplay(lambda text: None))
    document, name = load_document(folder), "optimized-dropout-0.2"
    assert document["command"].startswith(f"python -m harness ablate {name}=optimized:dropout=0.2 --preset quick")
    assert f"The whole, {name}: " in format_result(document, folder)
    assert "dropout" in [step["unit"] for step in document["ablation"]["ladder"]]
    assert not [claim for claim in document["caveats"] if claim["id"] == "changed-recipe"]
