"""What many arms show: sweeps, whom each is compared with, marks of the ranking, all pairs judged together."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.analyse.opponents import find_opponents
from harness.analyse.sweeps import describe_sweeps
from harness.claims.engine import find_flaw
from harness.claims.report_order import say_all
from harness.comparison import build_document, run_comparison
from harness.formats import format_ends
from harness.launch.progress import ProgressDisplay
from harness.plan.request import CompareRequest
from harness.store.document import load_document
from harness.store.measurements import load_metrics
from harness.store.runs import load_comparison
from tests.harness.fakes import TINY, Curve, FakeLauncher, make_comparison, skip_rendering

FLOORS = {"1e-4": 3.1, "3e-4": 2.95, "1e-3": 2.9, "3e-3": 2.899}


def run_sweep(folder: Path, seeds: tuple[int, ...] = (1337, 1, 2), **fields: Any) -> dict[str, Any]:
    curves = {f"optimized-learning_rate-{value}": Curve(floor=floor) for value, floor in FLOORS.items()}
    request = CompareRequest(
        ("baseline",), "quick", seeds, data="synthetic", device="cpu", out=folder,
        set_texts=tuple(f"{key}={value}" for key, value in TINY.items()),
        sweeps=(f"optimized:learning_rate={','.join(FLOORS)}",), **fields,
    )  # fmt: skip
    with skip_rendering(figures=False):
        run_comparison(request, FakeLauncher(curves=curves), ProgressDisplay(lambda text: None))
    return load_document(folder)


@pytest.fixture(scope="module")
def swept(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept") / "sweep"
    run_sweep(folder)
    return folder


@pytest.fixture(scope="module")
def document(swept: Path) -> dict[str, Any]:
    return load_document(swept)


def arm(name: str, loss: float | None, **config: Any) -> Any:
    fields = ("full_loss_nats_per_char", "matched_loss_nats_per_char", "loss_nats_per_char", "loss_nats_per_token")
    final = None if loss is None else dict.fromkeys(fields, loss)
    return {"name": name, "label": name, "seed": 1, "config": config, "final": final}


def judge(before: str, after: str) -> dict[str, Any]:
    return {"word": "REGRESSED", "interval_95": {"low_percent": -12.0, "high_percent": -8.0}}


def describe(*arms: Any, codes: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    finals = {(one["name"], 1): one["final"] for one in arms}
    codes = codes or dict.fromkeys(one["name"] for one in arms)
    return describe_sweeps(arms, "full_loss_nats_per_char", finals, [1], judge, codes)


def test_a_sweep_is_found_where_arms_differ_in_one_number_alone() -> None:
    rates = [arm(f"r{rate}", 1 / rate, lr=rate, kind="x") for rate in (1, 2, 4)]
    others = [arm("other", 0.1, lr=8, kind="y"), arm("failed", None, lr=16, kind="x")]
    [sweep] = describe(*rates[::-1], *others)
    assert [point["label"] for point in sweep["points"]] == ["r1", "r2", "r4"]
    assert (sweep["setting"], sweep["best_value"], sweep["edge"]) == ("lr", 4, "highest")


@pytest.mark.parametrize(("losses", "edge"), [((1, 2, 3), "lowest"), ((2, 1, 3), "inside"), ((3, 2, 1), "highest")])
def test_the_best_at_the_edge_of_a_sweep_is_known(losses: tuple[float, ...], edge: str) -> None:
    [sweep] = describe(*(arm(f"r{place}", loss, lr=place) for place, loss in enumerate(losses)))
    assert sweep["edge"] == edge


def test_two_values_are_no_sweep_and_neither_are_words_or_switches() -> None:
    assert describe(arm("a", 1, lr=1), arm("b", 2, lr=2)) == []
    assert (
        describe(*(arm(word, 1, order=word) for word in "abc"), *(arm(f"{on}", 1, on=on) for on in (True, False))) == []
    )


def test_seeds_are_no_sweep_of_which_one_is_best() -> None:
    assert describe(*(arm(f"s{seed}", seed, seed=seed, lr=1) for seed in (1, 2, 3))) == []


def test_an_arm_of_other_code_is_no_point_of_a_sweep() -> None:
    rates = [arm(f"r{rate}", rate, lr=rate) for rate in (1, 2, 3, 4)]
    [sweep] = describe(*rates, codes={f"r{rate}": {"step.py": "ab"[rate > 1]} for rate in (1, 2, 3, 4)})
    assert [point["label"] for point in sweep["points"]] == ["r2", "r3", "r4"]


def test_a_file_that_decides_no_number_breaks_no_sweep_unless_the_plan_declares_it() -> None:
    rates = [arm(f"r{rate}", rate, lr=rate) for rate in (1, 2, 3)]
    codes = {f"r{rate}": {"step.py": "a", "recipes.py": "ab"[rate > 1]} for rate in (1, 2, 3)}
    assert len(describe(*rates, codes=codes)) == 1
    assert describe(*({**rate, "code": {}} for rate in rates), codes=codes) == []


def test_a_stored_run_that_records_other_code_is_no_point_of_a_sweep(swept: Path, tmp_path: Path) -> None:
    """The plan says nothing of the code of runs that were taken in."""
    folder = shutil.copytree(swept, tmp_path / "changed")
    for path in folder.glob("runs/optimized-learning_rate-1e-4-*/run.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        record["source_sha256"]["model/gpt.py"] = "0" * 64
        path.write_text(json.dumps(record), encoding="utf-8")
    [sweep] = build_document(load_comparison(folder), load_metrics(folder))["sweeps"]
    assert [point["value"] for point in sweep["points"]] == [3e-4, 1e-3, 3e-3]


def test_a_grid_is_a_sweep_of_every_row_and_column() -> None:
    found = describe(*(arm(f"{x}{y}", x + y, x=x, y=y) for x in (1, 2, 3) for y in (1, 2, 3)))
    assert [sweep["setting"] for sweep in found] == ["x"] * 3 + ["y"] * 3


@pytest.mark.parametrize(("values", "is_log"), [((1, 3, 10), True), ((1, 2, 3), False), ((0, 1, 10), False)])
def test_values_with_even_ratios_belong_on_a_logarithmic_axis(values: tuple[float, ...], is_log: bool) -> None:
    [sweep] = describe(*(arm(f"{value}", 1 + value, lr=value) for value in values))
    assert sweep["is_log"] is is_log


def test_a_points_interval_is_that_of_its_difference_from_the_best() -> None:
    [sweep] = describe(*(arm(f"r{rate}", 1 + 0.1 * (rate > 1), lr=rate) for rate in (1, 2, 3)))
    assert [(point["low"], point["high"]) for point in sweep["points"]] == [
        (None, None),
        (pytest.approx(1.08), pytest.approx(1.12)),
        (pytest.approx(1.08), pytest.approx(1.12)),
    ]


@pytest.mark.parametrize(
    ("against", "pairs"),
    [
        ("first", ["ab", "ac"]),
        ("previous", ["ab", "bc"]),
        ("best", ["ba", "bc"]),
        ("c", ["ca", "cb"]),
    ],
)
def test_arms_are_compared_with_whom_the_plan_says(against: str, pairs: list[str]) -> None:
    arms = [arm("a", 3.0), arm("b", 1.0), arm("c", 2.0)]
    found = find_opponents(against, arms, {(one["name"], 1): one["final"] for one in arms}, [1])
    assert ["".join(one["name"] for one in pair) for pair in found] == pairs


def test_the_best_is_not_an_arm_that_failed() -> None:
    arms = [arm("a", None), arm("b", 1.0)]
    finals = {("a", 1): None, ("b", 1): arms[1]["final"]}
    assert [pair[0]["name"] for pair in find_opponents("best", arms, finals, [1])] == ["b"]


def get_text(document: dict[str, Any], claim_id: str) -> str:
    return next((c["text"] for c in [*document["claims"], *document["caveats"]] if c["id"] == claim_id), "")


def test_no_arm_in_doubt_is_told_apart_from_the_best(tmp_path: Path) -> None:
    """One that is better untrained than the trained baseline is of another text, tokenizer or metric."""
    launcher = FakeLauncher(curves={"optimized": Curve(start=3.0, floor=2.0)})
    folder = make_comparison(tmp_path, seeds=(1337, 1), launcher=launcher)
    assert [row["is_apart"] for row in load_document(folder)["ranking"]["rows"]] == [None, None]


def test_a_best_value_inside_a_sweep_has_no_lower_loss_beside_it(swept: Path) -> None:
    changed = load_document(swept)
    changed["sweeps"][0]["edge"] = "inside"
    assert get_text(say_all(changed), "sweep-best").endswith(", with no lower loss on either side.")


def test_a_sweep_says_its_best_value_its_edge_and_what_cannot_be_told_apart(document: dict[str, Any]) -> None:
    assert get_text(document, "sweep-best").startswith("Best learning_rate of 4 values from 0.0001 to 0.003: 0.003 (")
    assert get_text(document, "sweep-best").endswith(
        "at the upper edge of the sweep: a still better one may lie above."
    )
    assert get_text(document, "sweep-tied") == "Not told apart from the best learning_rate 0.003: 0.001."
    assert get_text(document, "ranking-tied").endswith("optimized-learning_rate-3e-3: optimized-learning_rate-1e-3.")


def test_pairs_of_a_sweep_are_judged_together_too(document: dict[str, Any]) -> None:
    assert [pair["verdict"]["adjusted"]["num_pairs_judged"] for pair in document["pairs"]] == [4] * 4
    said = "Judged together (Holm, a wrong word in at most 5 % of comparisons): the words on optimized-"
    assert said in get_text(document, "several-arms")


def test_the_report_shows_the_gains_of_all_arms_alone_and_at_once(swept: Path, document: dict[str, Any]) -> None:
    report = (swept / "TRAINING_OPTIMIZATION_REPORT.md").read_text(encoding="utf-8")
    shown = report.split("## All gains at once")[1].split("##")[0]
    for pair in document["pairs"]:
        alone, joint = pair["verdict"]["interval_95"], pair["verdict"]["interval_joint"]
        assert joint["low_percent"] <= alone["low_percent"] and alone["high_percent"] <= joint["high_percent"]
        assert f"{format_ends(alone)} | {format_ends(joint)} |" in shown


def test_every_sentence_on_a_sweep_is_proven_by_the_document(document: dict[str, Any]) -> None:
    every = [
        *document["claims"],
        *document["caveats"],
        *(claim for pair in document["pairs"] for claim in pair["claims"]),
    ]
    assert [flaw for claim in every if (flaw := find_flaw(claim, document))] == []


def test_the_reports_have_a_section_and_a_figure_of_the_sweep(swept: Path) -> None:
    report = (swept / "TRAINING_OPTIMIZATION_REPORT.md").read_text(encoding="utf-8")
    assert "## Sweep" in report and report.count("](figures/sweeps.svg)") == 1
    assert "| 0.003 | optimized-learning" in report and "| best |" in report
    assert "0.0003" in (swept / "figures" / "sweeps.svg").read_text(encoding="utf-8")


def test_what_tells_the_arms_apart_is_the_first_that_changed(document: dict[str, Any]) -> None:
    changes = [row["change"] for row in document["ranking"]["rows"] if not row["is_baseline"]]
    assert len(changes) == 4 and all(change.startswith("learning_rate 0.006 → ") for change in changes)


def test_the_command_makes_the_same_arms_again(document: dict[str, Any]) -> None:
    assert " optimized-learning_rate-1e-4=optimized " in document["command"]
    assert "--set optimized-learning_rate-1e-4.learning_rate=1e-4" in document["command"]


def test_against_the_best_the_reports_say_that_it_was_chosen_by_its_losses(tmp_path: Path) -> None:
    document = run_sweep(tmp_path / "best", (1337,), against="best")
    assert {pair["baseline"] for pair in document["pairs"]} == {"optimized-learning_rate-3e-3"}
    assert "was chosen by the same losses" in get_text(document, "chosen-baseline")
    assert [row["is_baseline"] for row in document["ranking"]["rows"]] == [True, False, False, False, False]
    assert "--against best" in document["command"]
