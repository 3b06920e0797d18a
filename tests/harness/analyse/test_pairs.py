from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analyse.curves import MAX_SHARE_APART, align_curves, compute_gain
from harness.analyse.pairs import describe_pair
from harness.store.document import load_document
from tests.harness.fakes import Curve, FakeLauncher, make_comparison

losses = st.floats(0.5, 6.0)


def build_arm(
    name: str,
    curve: list[float],
    *,
    full: float | None = None,
    coverage: float = 0.9,
    max_steps: int = 100,
    without: float | None = None,
) -> tuple[Any, list[dict[str, Any]]]:
    """An arm as `describe_pair` takes it, and its rows; `curve` is the frozen loss at evenly spaced evaluations."""
    steps = [1, *(round(max_steps * place / (len(curve) - 1)) for place in range(1, len(curve)))]
    rows = [
        {
            "split": "validation",
            "step": step,
            "max_steps": max_steps,
            "tokens_seen": 10 * step,
            "elapsed_s": 0.5 * step,
            "loss_nats_per_char": loss,
        }
        for step, loss in zip(steps, curve, strict=True)
    ]
    arm = {
        "name": name,
        "label": name,
        "config": {"training.batch_size": max_steps},
        "sizes": {"coverage": coverage},
        "final": {
            "loss_nats_per_char": curve[-1],
            "full_loss_nats_per_char": curve[-1] / coverage if full is None else full,
            "matched_loss_nats_per_char": curve[-1] / coverage,
            "matched_low_nats_per_char": curve[-1] / coverage,
            "matched_high_nats_per_char": curve[-1] / coverage,
            "loss_nats_per_token": None,
            "coverage_percent": 100 * coverage,
            "coverage_low_percent": 100 * coverage,
            "coverage_high_percent": 100 * coverage,
            "is_last": True,
        },
        "evaluate_sha256": "0" * 64,
        "facts": dict.fromkeys(
            (
                *("seed", "train_sha256", "validation_sha256", "num_titles", "num_train_titles", "num_train_tokens"),
                *("vocab_size", "num_validation_chars"),
            )
        ),
        "forensics": None,
        "in_train": {"full_loss_without_nats_per_char": without},
        "cost": {
            "train_elapsed_s": 0.5 * max_steps,
            "training_flops": 1000,
            "num_parameters": 10,
            "peak_memory_bytes": 2000,
        },
    }
    return arm, rows


def describe(
    baseline: tuple[Any, list[dict[str, Any]]],
    candidate: tuple[Any, list[dict[str, Any]]],
    *,
    official: bool = False,
) -> dict[str, Any]:
    rows = {arm["name"]: rows for arm, rows in (baseline, candidate)}
    return describe_pair(baseline[0], candidate[0], rows, official=official)


def test_a_gain_is_percent_of_the_baselines_loss() -> None:
    assert compute_gain(2.0, 1.5) == 25.0
    assert compute_gain(1.5, 2.0) == pytest.approx(-100 / 3)
    assert compute_gain(1.7533, 1.7533) == 0.0


def test_the_coverage_share_is_one_minus_full_gain_over_reported_gain() -> None:
    pair = describe(build_arm("a", [4.0, 2.0], full=2.0), build_arm("b", [4.0, 1.5], full=1.8))
    assert pair["reported_gain_percent"] == 25.0
    assert pair["full_gain_percent"] == pytest.approx(10.0)
    assert pair["coverage_share_percent"] == pytest.approx(60.0)


def test_the_gain_without_training_titles_is_that_of_the_losses_without_them() -> None:
    arms = build_arm("a", [4.0, 2.0], without=2.5), build_arm("b", [4.0, 1.5], without=2.0)
    assert describe(*arms)["full_gain_without_in_train_percent"] == 20.0
    arms = build_arm("a", [4.0, 2.0]), build_arm("b", [4.0, 1.5])
    assert describe(*arms)["full_gain_without_in_train_percent"] is None


def test_where_no_gain_is_reported_there_is_no_coverage_share() -> None:
    for last in (2.0, 2.5):
        pair = describe(build_arm("a", [4.0, 2.0]), build_arm("b", [4.0, last]))
        assert pair["coverage_share_percent"] is None


def test_a_gain_that_is_all_coverage_is_found_out() -> None:
    """Both arms have the same model; the candidate's larger batch leaves more of the text unscored."""
    pair = describe(
        build_arm("a", [4.0, 1.8], full=2.0, coverage=0.9), build_arm("b", [4.0, 1.6], full=2.0, coverage=0.8)
    )
    assert pair["coverage_differs"]
    assert pair["reported_gain_percent"] == pytest.approx(100 / 9)
    assert pair["full_gain_percent"] == pair["matched_gain_percent"] == 0.0
    assert pair["coverage_share_percent"] == pytest.approx(100.0)


@pytest.mark.parametrize(("coverage", "differs"), [(0.9049, False), (0.9051, True), (0.8951, False), (0.8949, True)])
def test_coverage_differs_above_half_a_point(coverage: float, differs: bool) -> None:
    pair = describe(build_arm("a", [4.0, 1.8]), build_arm("b", [4.0, 1.6], coverage=coverage))
    assert pair["coverage_differs"] is differs
    assert ("coverage-matched" in pair["curve_metric"]) is differs


def test_where_coverage_differs_the_curves_are_divided_by_it() -> None:
    pair = describe(build_arm("a", [4.0, 1.8], coverage=0.9), build_arm("b", [4.0, 1.6], coverage=0.8))
    assert pair["steps"][-1]["baseline_loss_nats_per_char"] == pytest.approx(2.0)
    assert pair["steps"][-1]["candidate_loss_nats_per_char"] == pytest.approx(2.0)
    assert pair["times_to_loss"][-1]["loss_nats_per_char"] == pytest.approx(2.0)


@given(st.lists(st.tuples(losses, losses), min_size=2, max_size=8))
@settings(deadline=None)
def test_swapping_the_arms_mirrors_every_difference_exactly(points: list[tuple[float, float]]) -> None:
    arms = build_arm("a", [a for a, _ in points]), build_arm("b", [b for _, b in points])
    there, back = describe(*arms), describe(*reversed(arms))
    assert there["same_steps"]
    for row, mirrored in zip(there["steps"], back["steps"], strict=True):
        before, after = row["baseline_loss_nats_per_char"], row["candidate_loss_nats_per_char"]
        assert (before, after) == (
            mirrored["candidate_loss_nats_per_char"],
            mirrored["baseline_loss_nats_per_char"],
        )
        assert row["gain_percent"] * before == pytest.approx(-mirrored["gain_percent"] * after, abs=1e-9)
        assert (row["gain_percent"] > 0) == (mirrored["gain_percent"] < 0)
    for key in ("reported_gain_percent", "full_gain_percent", "matched_gain_percent"):
        assert (there[key] > 0) == (back[key] < 0)
    assert there["time_ratio"] * back["time_ratio"] == pytest.approx(1)


@given(st.lists(losses, min_size=2, max_size=8))
@settings(deadline=None)
def test_an_arm_against_itself_gains_nothing_anywhere(curve: list[float]) -> None:
    pair = describe(build_arm("a", curve), build_arm("b", curve))
    assert {row["gain_percent"] for row in pair["steps"]} == {0.0}
    assert pair["reported_gain_percent"] == pair["full_gain_percent"] == 0.0
    for entry in pair["times_to_loss"]:
        assert entry["baseline"] == entry["candidate"]


def test_arms_of_other_lengths_are_aligned_by_share_of_training_done() -> None:
    pair = describe(
        build_arm("a", [4.0, 3.0, 2.0], max_steps=100), build_arm("b", [4.0, 3.5, 3.0, 2.5, 2.0], max_steps=40)
    )
    assert not pair["same_steps"]
    assert [(row["baseline_step"], row["candidate_step"]) for row in pair["steps"]] == [(1, 1), (50, 20), (100, 40)]
    assert [row["gain_percent"] for row in pair["steps"]] == [0.0, 0.0, 0.0]


def test_evaluations_far_from_any_of_the_other_arm_have_no_row_and_no_gain() -> None:
    sparse = build_arm("b", [4.0, 3.0, 2.0], max_steps=100)
    pair = describe(build_arm("a", [4.0, 3.8, 3.4, 3.0, 2.5, 2.2, 2.0], max_steps=96), sparse)
    assert [(row["baseline_step"], row["candidate_step"]) for row in pair["steps"]] == [(1, 1), (48, 50), (96, 100)]
    assert pair["gains_after_first_percent"] == [0.0, 0.0] and pair["num_evaluations_lower"] == 0


@given(st.lists(st.integers(0, 1000), min_size=1, unique=True), st.lists(st.integers(0, 1000), min_size=1, unique=True))
@settings(deadline=None)
def test_each_evaluation_has_one_row_at_most_and_all_rows_are_near(steps: list[int], others: list[int]) -> None:
    curves: list[Any] = [
        [{"step": step, "share_done": step / 1000, "loss_nats_per_char": 1.0} for step in sorted(chosen)]
        for chosen in (steps, others)
    ]
    rows = align_curves(*curves)
    for side in ("baseline_step", "candidate_step"):
        taken = [row[side] for row in rows]
        assert taken == sorted(set(taken))
    assert all(abs(row["baseline_step"] - row["candidate_step"]) <= 1000 * MAX_SHARE_APART for row in rows)
    assert {row["baseline_step"] for row in rows} >= {*steps} & {*others}


@given(st.lists(losses, min_size=2, max_size=8), st.lists(losses, min_size=2, max_size=8))
@settings(deadline=None)
def test_a_time_to_a_loss_is_the_first_evaluation_at_or_below_it_or_absent(
    baseline: list[float], candidate: list[float]
) -> None:
    arms = build_arm("a", baseline), build_arm("b", candidate)
    pair = describe(*arms)
    assert pair["times_to_loss"][-1]["is_baseline_final"]
    assert pair["times_to_loss"][-1]["loss_nats_per_char"] == baseline[-1]
    assert [entry["is_baseline_final"] for entry in pair["times_to_loss"]].count(True) == 1
    for entry in pair["times_to_loss"]:
        for side, (_, rows) in zip(("baseline", "candidate"), arms, strict=True):
            below = [row for row in rows if row["loss_nats_per_char"] <= entry["loss_nats_per_char"]]
            if not below:
                assert entry[side] is None
            else:
                first = min(below, key=lambda row: row["step"])
                assert {key: entry[side][key] for key in ("step", "tokens_seen", "elapsed_s")} == {
                    key: first[key] for key in ("step", "tokens_seen", "elapsed_s")
                }


def test_the_target_is_the_tasks_own_on_its_own_data_and_the_baselines_last_loss_elsewhere() -> None:
    arms = build_arm("a", [4.0, 1.9]), build_arm("b", [4.0, 1.6])
    assert describe(*arms, official=True)["target"] == {
        "loss_nats_per_char": 1.754,
        "is_official": True,
        "matched_loss_nats_per_char": None,
        "coverage_percent": pytest.approx(94.66, abs=0.01),
    }
    assert describe(*arms)["target"] == {
        "loss_nats_per_char": 1.9,
        "is_official": False,
        "matched_loss_nats_per_char": None,
    }


def test_a_larger_batch_is_reported_with_its_coverage(tmp_path: Path) -> None:
    same = Curve(floor=3.0, rate=6.0)
    folder = make_comparison(
        tmp_path,
        launcher=FakeLauncher(curves={"baseline": same, "optimized": same}),
        settings={"optimized": {"batch_size": "32"}},
    )
    document = load_document(folder)
    pair = document["pairs"][0]
    before, after = (arm["final"]["coverage_percent"] for arm in document["arms"])
    assert before - after > 0.5
    assert pair["coverage_differs"]
    assert pair["reported_gain_percent"] > 10
    assert abs(pair["full_gain_percent"]) < 0.5
    assert pair["coverage_share_percent"] > 90
    assert any("different shares of the validation tokens" in caveat["text"] for caveat in document["caveats"])
