import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analyse.uncertainty import Interval
from harness.analyse.verdict import decide_verdict, judge_intervals
from harness.store.document import load_document
from tests.harness.fakes import Curve, FakeLauncher, make_comparison


def build_interval(low: float, high: float, level: float = 95.0) -> Interval:
    return Interval(low, high, level, "by hand", 3, "nothing")


@pytest.mark.parametrize(
    ("wide", "narrow", "word"),
    [
        ((0.51, 2.0), (0.6, 1.9), "IMPROVED"),
        ((0.50, 2.0), (0.6, 1.9), "INCONCLUSIVE"),
        ((-2.0, -0.51), (-1.9, -0.6), "REGRESSED"),
        ((-2.0, -0.50), (-1.9, -0.6), "INCONCLUSIVE"),
        ((-0.60, 0.60), (-0.49, 0.49), "EQUIVALENT"),
        ((-0.60, 0.60), (-0.50, 0.49), "INCONCLUSIVE"),
        ((-0.60, 0.60), (-0.49, 0.50), "INCONCLUSIVE"),
        ((0.10, 0.45), (0.15, 0.40), "EQUIVALENT"),
        ((0.30, 0.90), (0.35, 0.85), "INCONCLUSIVE"),
        ((-5.0, 5.0), (-4.0, 4.0), "INCONCLUSIVE"),
        ((0.0, 0.0), (0.0, 0.0), "EQUIVALENT"),
    ],
)
def test_the_word_follows_from_the_intervals(wide: tuple[float, float], narrow: tuple[float, float], word: str) -> None:
    assert judge_intervals(build_interval(*wide), build_interval(*narrow, 90.0), 0.5) == word


def test_without_an_interval_nothing_is_concluded() -> None:
    assert judge_intervals(None, None, 0.5) == "INCONCLUSIVE"
    assert decide_verdict([24.0], None, 0.5)["word"] == "INCONCLUSIVE"


@given(st.floats(-3, 3), st.floats(0, 2), st.floats(0, 1))
def test_mirrored_intervals_give_the_mirrored_word(middle: float, half: float, share: float) -> None:
    words = []
    for sign in (1, -1):
        wide = build_interval(sign * middle - half, sign * middle + half)
        narrow = build_interval(sign * middle - share * half, sign * middle + share * half, 90.0)
        words.append(judge_intervals(wide, narrow, 0.5))
    mirrored = {"IMPROVED": "REGRESSED", "REGRESSED": "IMPROVED"}
    assert words[1] == mirrored.get(words[0], words[0])


def test_with_two_seed_pairs_the_titles_no_longer_decide() -> None:
    sure = (build_interval(23.0, 25.0), build_interval(23.2, 24.8, 90.0))
    assert decide_verdict([24.0], sure, 0.5)["word"] == "IMPROVED"
    assert decide_verdict([24.0, -20.0], sure, 0.5)["word"] == "INCONCLUSIVE"


def test_a_single_seed_is_said_beside_the_word() -> None:
    sure = (build_interval(23.0, 25.0), build_interval(23.2, 24.8, 90.0))
    assert decide_verdict([24.0], sure, 0.5)["label"] == "IMPROVED (single seed)"
    assert decide_verdict([24.0, 24.1], sure, 0.5)["label"] == "IMPROVED"


def test_the_verdict_carries_the_gain_the_margin_and_both_intervals() -> None:
    verdict = decide_verdict([2.0, 4.0], None, 0.5)
    assert (verdict["gain_percent"], verdict["num_seed_pairs"], verdict["margin_percent"]) == (3.0, 2, 0.5)
    wide, narrow = verdict["interval_95"], verdict["interval_90"]
    assert wide["low_percent"] < narrow["low_percent"] < 3.0 < narrow["high_percent"] < wide["high_percent"]
    json.dumps(verdict, allow_nan=False)


@pytest.mark.parametrize("seeds", [(1337,), (1337, 1, 2)])
def test_a_recipe_against_itself_is_equivalent(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    document = load_document(make_comparison(tmp_path, recipes=("baseline", "baseline"), seeds=seeds))
    verdict = document["pairs"][0]["verdict"]
    assert verdict["word"] == "EQUIVALENT"
    assert verdict["gain_percent"] == 0.0
    assert document["pairs"][0]["candidate"] == "baseline-2"


@pytest.mark.parametrize("seeds", [(1337,), (1337, 1, 2)])
def test_the_better_recipe_as_baseline_makes_the_other_a_regression(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    document = load_document(make_comparison(tmp_path, recipes=("optimized", "baseline"), seeds=seeds))
    assert document["pairs"][0]["verdict"]["word"] == "REGRESSED"


def test_swapping_the_recipes_mirrors_the_seed_gains(tmp_path: Path, three_seeds: Path) -> None:
    there = load_document(three_seeds)["pairs"][0]["robustness"]["seed_pairs"]
    swapped = make_comparison(tmp_path, recipes=("optimized", "baseline"), seeds=(1337, 1, 2))
    back = load_document(swapped)["pairs"][0]["robustness"]["seed_pairs"]
    for entry, mirrored in zip(there, back, strict=True):
        before, after = entry["baseline_full_loss_nats_per_char"], entry["candidate_full_loss_nats_per_char"]
        assert (before, after) == (
            mirrored["candidate_full_loss_nats_per_char"],
            mirrored["baseline_full_loss_nats_per_char"],
        )
        assert entry["gain_percent"] * before == pytest.approx(-mirrored["gain_percent"] * after, rel=1e-9)


def test_a_gain_in_coverage_alone_is_no_improvement(tmp_path: Path) -> None:
    same = Curve(floor=3.0, rate=6.0, seed_sd=0.0)
    launcher = FakeLauncher(curves={"baseline": same, "optimized": same})
    folder = make_comparison(
        tmp_path, launcher=launcher, seeds=(1337, 1, 2), settings={"optimized": {"batch_size": "32"}}
    )
    pair = load_document(folder)["pairs"][0]
    assert pair["reported_gain_percent"] > 10
    assert pair["verdict"]["word"] != "IMPROVED"
