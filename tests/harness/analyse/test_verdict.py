import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analyse.uncertainty import Interval, TitleSampling, TitleVariance
from harness.analyse.verdict import adjust_verdicts, decide_verdict, judge_intervals
from harness.claims.engine import find_flaw
from harness.comparison import build_document, run_comparison
from harness.launch.progress import ProgressDisplay
from harness.plan.noise import KnownNoise
from harness.store.document import load_document
from harness.store.measurements import load_metrics
from harness.store.runs import load_comparison
from mainrun.record.errors import RunError
from tests.harness.fakes import Curve, FakeLauncher, Mishap, build_request, make_comparison, skip_rendering


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


def sample(low: float, high: float) -> TitleSampling:
    """Titles that give one pair of runs this 95 % interval, and a 90 % one within it."""
    half = (high - low) / 2
    narrow = build_interval(low + 0.16 * half, high - 0.16 * half, 90.0)
    return TitleSampling(build_interval(low, high), narrow, TitleVariance((half / 1.96) ** 2, 600))


def build_noise(high: float) -> KnownNoise:
    return KnownNoise(high / 2, high / 3, high, 8, "pairs by hand")


def test_with_two_seed_pairs_the_titles_alone_no_longer_decide() -> None:
    sure, noise = sample(23.0, 25.0), build_noise(0.5)
    assert decide_verdict([24.0], sure, 0.5, noise)["word"] == "IMPROVED"
    assert decide_verdict([24.0, -20.0], sure, 0.5, noise)["word"] == "INCONCLUSIVE"


def test_one_seed_of_unknown_noise_decides_nothing_about_a_recipe_and_its_interval_stays_that_of_the_titles() -> None:
    verdict = decide_verdict([24.0], sample(23.0, 25.0), 0.5)
    assert (verdict["word"], verdict["label"]) == ("INCONCLUSIVE", "INCONCLUSIVE (single seed)")
    assert verdict["runs_word"] == "IMPROVED" and verdict["noise_multiple"] is None
    assert verdict["interval_95"]["low_percent"] == 23.0
    assert "no noise of training is known" in verdict["reason"]


@pytest.mark.parametrize(
    ("low", "word", "multiple"),
    [(3.625, "IMPROVED", 6.25), (3.62, "INCONCLUSIVE", 6.24), (0.4, "INCONCLUSIVE", 0.0), (0.6, "INCONCLUSIVE", 0.2)],
)
def test_one_seed_decides_where_the_whole_interval_is_beyond_six_and_a_quarter_times_the_known_noise(
    low: float, word: str, multiple: float
) -> None:
    """The noise is the upper end of its own interval, and the distance is from the margin."""
    verdict = decide_verdict([low + 1], sample(low, low + 2), 0.5, build_noise(0.5))
    assert verdict["word"] == word
    assert verdict["noise_multiple"] == pytest.approx(multiple)
    assert (verdict["p_beyond_margin"] <= 0.05) == (word == "IMPROVED")
    worse = decide_verdict([-low - 1], sample(-low - 2, -low), 0.5, build_noise(0.5))
    assert worse["word"] == word.replace("IMPROVED", "REGRESSED")


def test_a_single_seed_is_said_beside_the_word() -> None:
    sure, noise = sample(23.0, 25.0), build_noise(0.5)
    single = decide_verdict([24.0], sure, 0.5, noise)
    assert single["label"] == "IMPROVED (single seed, beyond 45 times the known noise)"
    assert decide_verdict([24.0, 24.1], sure, 0.5, noise)["label"] == "IMPROVED"
    same = decide_verdict([0.0], sample(0.0, 0.0), 0.5)
    assert same["label"] == "EQUIVALENT (single seed, the same loss on every title)"


@pytest.mark.parametrize("seeds", [(1337,), (1337, 1)])
def test_where_nothing_differs_arms_are_equivalent_at_any_margin(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    request = replace(build_request(tmp_path / "same", ("baseline", "baseline"), seeds), margin_percent=0.0)
    with skip_rendering():
        run_comparison(request, FakeLauncher(), ProgressDisplay(lambda text: None))
    document = load_document(tmp_path / "same")
    [pair] = document["pairs"]
    assert pair["verdict"]["word"] == adjust_verdicts([pair["verdict"]])[0]["word"] == "EQUIVALENT"
    said = [claim for claim in pair["claims"] if claim["id"] == "verdict"]
    assert said and said[0]["text"].startswith("Verdict: EQUIVALENT") and find_flaw(said[0], document) is None
    nearly = decide_verdict([0.0, 1e-6], None, 0.0)
    assert (nearly["word"], nearly["p_within_margin"]) == ("INCONCLUSIVE", 1.0)


def test_one_seed_is_never_called_equivalent_for_a_small_difference() -> None:
    verdict = decide_verdict([0.01], sample(-0.09, 0.11), 0.5, build_noise(0.01))
    assert (verdict["word"], verdict["runs_word"]) == ("INCONCLUSIVE", "EQUIVALENT")


@pytest.mark.parametrize("gain", [0.95, 0.1, -2.0, 0.5])
def test_the_words_p_agrees_with_its_intervals(gain: float) -> None:
    verdict = decide_verdict([gain - 0.1, gain, gain + 0.1], None, 0.5)
    assert (verdict["p_beyond_margin"] < 0.05) == (verdict["word"] in ("IMPROVED", "REGRESSED"))
    assert (verdict["p_within_margin"] < 0.05) == (verdict["word"] == "EQUIVALENT")


def test_several_arms_are_adjusted_by_holm() -> None:
    verdicts = [{"word": word, "p_beyond_margin": beyond, "p_within_margin": within}
                for word, beyond, within in (("IMPROVED", 0.02, 1.0), ("IMPROVED", 0.001, 1.0),
                                             ("EQUIVALENT", 1.0, 0.01), ("REGRESSED", 0.012, 1.0))]  # fmt: skip
    adjusted = adjust_verdicts(verdicts)
    assert [entry["word"] for entry in adjusted] == ["IMPROVED", "IMPROVED", "EQUIVALENT", "REGRESSED"]
    assert [entry["p_beyond_margin"] for entry in adjusted] == pytest.approx([0.04, 0.004, 1.0, 0.036])
    assert {(entry["num_pairs_judged"], entry["family_error_percent"]) for entry in adjusted} == {(4, 5.0)}
    weaker = adjust_verdicts([*verdicts[1:], verdicts[0] | {"p_beyond_margin": 0.03}])
    assert [entry["word"] for entry in weaker] == ["IMPROVED", "EQUIVALENT", "REGRESSED", "INCONCLUSIVE"]


def test_one_pair_alone_is_not_adjusted() -> None:
    for gains in ([3.0, 3.1, 2.9], [0.0, 0.05, -0.05], [0.5, 0.6, 0.4]):
        verdict = decide_verdict(gains, None, 0.5)
        [adjusted] = adjust_verdicts([verdict])
        assert {name: adjusted[name] for name in ("word", "p_beyond_margin", "p_within_margin")} == {
            name: verdict[name] for name in ("word", "p_beyond_margin", "p_within_margin")
        }


def test_of_five_equal_arms_any_is_called_better_or_worse_in_at_most_5_of_100_comparisons() -> None:
    """At the margin plain words are wrong somewhere in one of ten; Holm's are not."""
    generator, num_plain, num_adjusted = np.random.default_rng(60), 0, 0
    for gains in generator.normal(0.5, 0.2, (400, 5, 4)):
        verdicts = [decide_verdict(arm.tolist(), None, 0.5) for arm in gains]
        num_plain += any(verdict["word"] in ("IMPROVED", "REGRESSED") for verdict in verdicts)
        num_adjusted += any(verdict["word"] in ("IMPROVED", "REGRESSED") for verdict in adjust_verdicts(verdicts))
    assert num_plain / 400 > 0.08
    assert num_adjusted / 400 <= 0.05


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


def test_the_ranking_shows_means_over_the_seeds_of_both_losses(three_seeds: Path) -> None:
    last = [row for row in load_metrics(three_seeds) if row["step"] == row["max_steps"] and row["split"] != "train"]
    for row in load_document(three_seeds)["ranking"]["rows"]:
        for shown, stored in (("loss", "full_loss_nats_per_char"), ("frozen_loss_nats_per_char", "loss_nats_per_char")):
            losses = [found[stored] for found in last if found["arm"] == row["arm"]]
            assert len(losses) == 3 and row[shown] == pytest.approx(np.mean(losses), rel=1e-9)


def test_arms_that_share_no_completed_seed_are_ranked_and_nothing_is_concluded_of_them(tmp_path: Path) -> None:
    mishaps = {"baseline-s1": Mishap("fail", step=50), "optimized-s1337": Mishap("fail", step=50)}
    with pytest.raises(RunError, match="2 of 4 runs failed"):
        make_comparison(tmp_path, seeds=(1337, 1), launcher=FakeLauncher(mishaps))
    document = load_document(tmp_path / "fake")
    assert [(row["arm"], row["num_seeds"]) for row in document["ranking"]["rows"]] == [
        ("optimized", 1),
        ("baseline", 1),
    ]
    assert document["ranking"]["open"] == ["baseline (changed)"] and document["pairs"] == []
    assert document["ranking"]["fewer_seeds"] == ["optimized (changed)", "baseline (changed)"]


def test_an_arm_that_loses_its_first_seed_is_judged_by_the_others(tmp_path: Path) -> None:
    mishaps = {run: Mishap("fail", step=50) for run in ("optimized-s1337", "optimized-2")}
    with pytest.raises(RunError, match="4 of 9 runs failed"):
        make_comparison(tmp_path, ("baseline", "optimized", "optimized"), (1337, 1, 2), FakeLauncher(mishaps))
    document = load_document(tmp_path / "fake")
    [pair] = document["pairs"]
    assert (pair["candidate"], pair["verdict"]["word"], pair["verdict"]["num_seed_pairs"]) == (
        "optimized",
        "IMPROVED",
        2,
    )
    assert [arm["seed"] for arm in document["arms"]] == [1, 1, 1337]
    [rule] = [finding for finding in document["constraints"] if finding["name"] == "seed"]
    assert rule["status"] == "FAIL" and "optimized-s1: the headline seed is 1, not 1337" in rule["evidence"]
    assert [flaw for claim in pair["claims"] if (flaw := find_flaw(claim, document))] == []


def test_losses_of_arms_that_completed_other_seeds_are_said_to_be(tmp_path: Path) -> None:
    launcher = FakeLauncher({"optimized-s2": Mishap("fail", step=50)})
    with pytest.raises(RunError, match="1 of 6 runs failed"):
        make_comparison(tmp_path, seeds=(1337, 1, 2), launcher=launcher)
    document = load_document(tmp_path / "fake")
    [said] = [claim for claim in document["claims"] if claim["id"] == "ranking-means"]
    assert said["text"] == (
        "The ranking gives means over the seeds that each arm completed, as many as 3, and not over the same ones: a "
        "seed that another arm completed is missing of optimized (changed). A gain is of the seeds that both arms have."
    )
    assert find_flaw(said, document) is None


def test_where_each_seed_draws_its_titles_the_gain_is_a_mean_without_an_interval(
    three_seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.analyse.certainty.draw_titles", lambda *_: True)
    gains = [entry["gain_percent"] for entry in load_document(three_seeds)["pairs"][0]["robustness"]["seed_pairs"]]
    document = build_document(load_comparison(three_seeds), load_metrics(three_seeds))
    verdict, best = document["pairs"][0]["verdict"], document["ranking"]["rows"][0]
    assert (verdict["word"], verdict["interval_95"], verdict["num_seed_pairs"]) == ("INCONCLUSIVE", None, 3)
    assert verdict["gain_percent"] == best["gain_percent"] == pytest.approx(np.mean(gains), rel=1e-9)
    assert "The ranking gives means over 3 seeds." in {claim["text"] for claim in document["claims"]}


def test_a_gain_in_coverage_alone_is_no_improvement(tmp_path: Path) -> None:
    same = Curve(floor=3.0, rate=6.0, seed_sd=0.0)
    launcher = FakeLauncher(curves={"baseline": same, "optimized": same})
    folder = make_comparison(
        tmp_path, launcher=launcher, seeds=(1337, 1, 2), settings={"optimized": {"batch_size": "32"}}
    )
    pair = load_document(folder)["pairs"][0]
    assert pair["reported_gain_percent"] > 10
    assert pair["verdict"]["word"] != "IMPROVED"
