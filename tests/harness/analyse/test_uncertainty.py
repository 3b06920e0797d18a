import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.analyse import uncertainty
from harness.analyse.seeds import compute_needed_pairs, compute_sign_flip_p, describe_robustness, pair_seeds
from harness.analyse.uncertainty import (
    GainEstimate,
    TitleSampling,
    TitleVariance,
    bootstrap_gains,
    compute_bootstrap_interval,
    compute_interval,
    compute_joint_level,
    compute_median_interval,
    compute_p_value,
    compute_sd_interval,
    compute_t_interval,
    compute_title_variance,
    estimate_gain,
    sample_titles,
)
from harness.analyse.verdict import decide_verdict
from harness.plan.noise import KnownNoise

NUM_SIMULATED = 2_000
MARGIN_PERCENT = 0.5


def draw_gains(true_gain: float, sd: float, num_pairs: int, seed: int) -> NDArray[np.float64]:
    """(comparisons, pairs) gains in percent of comparisons whose truth is known."""
    return np.random.default_rng(seed).normal(true_gain, sd, (NUM_SIMULATED, num_pairs))


@pytest.mark.parametrize("num_pairs", [3, 5])
def test_a_95_percent_interval_covers_the_truth_in_95_of_100_comparisons(num_pairs: int) -> None:
    num_covered = 0
    for gains in draw_gains(1.3, 0.4, num_pairs, seed=num_pairs):
        interval = compute_t_interval(gains.tolist(), 0.95)
        assert interval is not None
        num_covered += interval.low_percent <= 1.3 <= interval.high_percent
    assert 0.93 < num_covered / NUM_SIMULATED < 0.97


@pytest.mark.parametrize("num_pairs", [3, 5])
def test_a_90_percent_interval_covers_the_truth_in_90_of_100_comparisons(num_pairs: int) -> None:
    num_covered = 0
    for gains in draw_gains(-2.0, 1.0, num_pairs, seed=10 + num_pairs):
        interval = compute_t_interval(gains.tolist(), 0.90)
        assert interval is not None
        num_covered += interval.low_percent <= -2.0 <= interval.high_percent
    assert 0.88 < num_covered / NUM_SIMULATED < 0.92


def test_the_joint_intervals_of_five_pairs_all_hold_in_95_of_100_comparisons() -> None:
    num_held = 0
    for comparison in draw_gains(1.3, 0.4, 5 * 3, seed=70).reshape(NUM_SIMULATED, 5, 3):
        estimates = [estimate_gain(gains.tolist()) for gains in comparison]
        intervals = [compute_interval(estimate, compute_joint_level(5)) for estimate in estimates if estimate]
        num_held += all(interval.low_percent <= 1.3 <= interval.high_percent for interval in intervals)
    assert 0.94 < num_held / NUM_SIMULATED < 0.965


def test_the_joint_interval_of_five_pairs_is_the_textbooks_at_99_percent_and_one_pair_has_none() -> None:
    """Mean 2, standard deviation 1, n = 3: 2 ± 9.92484 / √3."""
    interval = decide_verdict([1.0, 2.0, 3.0], None, 0.5, num_pairs=5)["interval_joint"]
    assert (interval["low_percent"], interval["high_percent"]) == pytest.approx((2 - 5.73011, 2 + 5.73011), abs=1e-4)
    assert interval["level_percent"] == pytest.approx(99)
    assert decide_verdict([1.0, 2.0, 3.0], None, 0.5)["interval_joint"] is None


def test_the_joint_interval_of_titles_holds_the_plain_one_and_there_is_none_of_too_few_resamples() -> None:
    losses = np.random.default_rng(3).normal([[2.0], [1.9]], 0.3, (2, 300))
    one, six, many = (sample_titles(losses[:1], losses[1:], num_pairs) for num_pairs in (1, 6, 100))
    assert one.joint is None and many.joint is None and six.joint is not None
    assert six.joint.low_percent < six.wide.low_percent < six.wide.high_percent < six.joint.high_percent
    assert six.joint.level_percent == pytest.approx(100 - 5 / 6)
    verdict = decide_verdict([5.0], six, 0.5, num_pairs=6)
    assert verdict["interval_joint"]["low_percent"] == six.joint.low_percent


def test_a_t_interval_is_the_textbooks() -> None:
    """Mean 2, standard deviation 1, n = 3: 2 ± 4.30265 / √3; with two degrees of freedom the quantile is closed."""
    half = 0.95 / math.sqrt(2 * 0.975 * 0.025) / math.sqrt(3)
    interval = compute_t_interval([1.0, 2.0, 3.0], 0.95)
    assert interval is not None
    assert interval.low_percent == pytest.approx(2 - half, rel=1e-9)
    assert interval.high_percent == pytest.approx(2 + half, rel=1e-9)
    covers = "noise of training, in 89 to 95 % of simulated comparisons"
    assert (interval.n, interval.level_percent, interval.covers) == (3, 95.0, covers)


def draw_title_losses(
    num_pairs: int, num_titles: int, generator: np.random.Generator, title_sd: float, rest_sd: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(pairs, titles) losses of arms whose gain is 10 % and moves with the title, and with pair and title together."""
    baseline = np.broadcast_to(generator.gamma(4.0, 0.25, num_titles), (num_pairs, num_titles))
    by_title, rest = generator.normal(0, title_sd, num_titles), generator.normal(0, rest_sd, (num_pairs, num_titles))
    return baseline, 0.9 * baseline - (by_title + rest) / 100


@pytest.mark.parametrize("num_pairs", [1, 3])
def test_the_titles_variance_is_that_of_the_bootstrap(num_pairs: int) -> None:
    """Pairs that agree on every title tell of titles what one pair does."""
    baseline, candidate = draw_title_losses(num_pairs, 500, np.random.default_rng(3), 6.0, 0.0)
    titles = compute_title_variance(baseline, candidate)
    assert titles.num_titles == 500
    assert titles.variance == pytest.approx(float(bootstrap_gains(baseline[0], candidate[0]).var()), rel=0.05)


def test_what_differs_by_title_from_seed_to_seed_counts_once() -> None:
    """It is in the spread of the seeds; the mean of the titles' variances is that of the titles alone."""
    generator = np.random.default_rng(4)
    found = [compute_title_variance(*draw_title_losses(3, 200, generator, 2.0, 6.0)).variance for _ in range(400)]
    assert np.mean(found) == pytest.approx(2.0**2 / 200, rel=0.10)


def test_the_joint_interval_lies_between_its_parts_and_their_sum() -> None:
    gains, titles = [1.0, 2.0, 3.0], TitleVariance(0.25, 600)
    estimate, of_seeds = estimate_gain(gains, titles), compute_t_interval(gains, 0.95)
    assert estimate is not None and of_seeds is not None
    both = compute_interval(estimate, 0.95)
    half, seeds_half, titles_half = both.high_percent - 2, of_seeds.high_percent - 2, 1.964 * 0.5
    assert max(seeds_half, titles_half) < half < math.hypot(seeds_half, titles_half) + 1e-3
    covers = "noise of training and sampling of the validation titles"
    assert both.covers == f"{covers}, in 89 to 97 % of simulated comparisons" and "600 titles" in both.method
    assert compute_interval(estimate, 0.90).covers == covers
    alone = estimate_gain([2.0, 2.0, 2.0], titles)
    assert alone is not None
    assert compute_interval(alone, 0.95).high_percent - 2 == pytest.approx(titles_half, abs=1e-3)


@given(st.floats(-3, 3), st.floats(0.001, 2), st.floats(0, 2), st.integers(2, 9))
def test_a_p_value_is_one_minus_the_level_of_the_interval_that_just_reaches(
    mean: float, sd: float, title_sd: float, num_pairs: int
) -> None:
    estimate = GainEstimate(mean, num_pairs, sd**2 / num_pairs, TitleVariance(title_sd**2, 600))
    for level in (0.9, 0.95):
        interval = compute_interval(estimate, level)
        assert compute_p_value(estimate, interval.high_percent) == pytest.approx(1 - level, rel=1e-6)
        assert compute_p_value(estimate, interval.low_percent) == pytest.approx(1 - level, rel=1e-6)
    assert compute_p_value(estimate, mean) == 1.0


@pytest.mark.parametrize(("num_pairs", "level", "left_out"), [(5, 93.75, 0), (6, 96.875, 0), (9, 96.09375, 1)])
def test_the_range_of_the_pairs_has_the_binomial_level_for_their_median(
    num_pairs: int, level: float, left_out: int
) -> None:
    gains = [float(place**2) for place in range(num_pairs)]
    interval = compute_median_interval(gains)
    assert interval is not None
    assert (interval.low_percent, interval.high_percent) == (gains[left_out], gains[num_pairs - 1 - left_out])
    assert interval.level_percent == level
    wider = compute_median_interval(gains, TitleVariance(4.0, 600))
    assert wider is not None and wider.low_percent < interval.low_percent and "titles" in wider.covers


def test_below_five_pairs_no_range_is_given_for_the_median() -> None:
    assert compute_median_interval([1.0, 2.0, 3.0, 4.0]) is None


def test_the_interval_of_a_spread_is_the_textbooks() -> None:
    """For ten values s · √(9 / 19.023) and s · √(9 / 2.700) (chi-square tables, 9 degrees of freedom)."""
    assert compute_sd_interval(1.0, 10) == pytest.approx((math.sqrt(9 / 19.023), math.sqrt(9 / 2.700)), rel=1e-4)


def test_one_pair_gives_no_interval_and_no_spread() -> None:
    assert compute_t_interval([3.0], 0.95) is None
    assert compute_t_interval([], 0.95) is None
    robustness = describe_robustness(pair_seeds([1337], {1337: 2.0}, {1337: 1.5}))
    for name in ("sd_gain_percent", "interval_95", "sign_flip_p", "noise_floor_percent", "detectable_gain_percent",
                 "needed_pairs"):  # fmt: skip
        assert robustness[name] is None, name
    assert robustness["mean_gain_percent"] == 25.0
    assert robustness["noise_floor_source"] == "not measured: one seed"


def test_only_seeds_that_both_arms_completed_are_paired_in_the_plans_order() -> None:
    pairs = pair_seeds([1337, 1, 2], {2: 2.0, 1337: 4.0}, {1: 1.0, 2: 1.5, 1337: 3.0})
    assert [(pair["seed"], pair["gain_percent"]) for pair in pairs] == [(1337, 25.0), (2, 25.0)]


def test_the_bootstrap_has_the_standard_error_of_the_closed_form() -> None:
    """With a constant baseline of 1 the gain is 100 · (1 − mean), whose standard error is 100 · sd / √n."""
    candidate = np.random.default_rng(5).normal(0.9, 0.2, 500)
    gains = bootstrap_gains(np.ones(500), candidate)
    expected = 100 * candidate.std() / math.sqrt(500)
    assert len(gains) == 10_000
    assert gains.mean() == pytest.approx(100 * (1 - candidate.mean()), abs=4 * expected / 100)
    assert gains.std() == pytest.approx(expected, rel=0.03)
    interval = compute_bootstrap_interval(gains, 0.95, 500)
    assert interval.high_percent - interval.low_percent == pytest.approx(2 * 1.96 * expected, rel=0.05)
    assert (interval.n, interval.covers) == (500, "sampling of the validation titles")
    assert "10,000 resamples" in interval.method


def test_the_bootstrap_is_paired() -> None:
    """A candidate that is one tenth lower on every title is surely so, however the titles differ."""
    baseline = np.random.default_rng(6).gamma(2.0, 30.0, 300)
    gains = bootstrap_gains(baseline, 0.9 * baseline)
    assert gains == pytest.approx(np.full(10_000, 10.0), abs=1e-9)


def test_the_bootstrap_weighs_titles_by_their_loss() -> None:
    """It resamples the ratio of sums, by the delta method sd(c − r·b) / (mean(b) · √n), not the mean of ratios."""
    generator = np.random.default_rng(7)
    baseline = generator.gamma(4.0, 30.0, 800)
    candidate = 0.95 * baseline + generator.normal(0, 10, 800)
    gains = bootstrap_gains(baseline, candidate)
    ratio = candidate.sum() / baseline.sum()
    expected = 100 * (candidate - ratio * baseline).std() / (baseline.mean() * math.sqrt(800))
    assert gains.std() == pytest.approx(expected, rel=0.03)


def test_the_bootstrap_gives_the_same_numbers_again_however_many_are_held_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    baseline, candidate = np.random.default_rng(8).gamma(2.0, 30.0, (2, 50))
    gains = bootstrap_gains(baseline, candidate, 200)
    assert (bootstrap_gains(baseline, candidate, 200) == gains).all()
    monkeypatch.setattr(uncertainty, "RESAMPLES_AT_ONCE", 7)
    assert (bootstrap_gains(baseline, candidate, 200) == gains).all()


@pytest.mark.parametrize("num_pairs", [2, 3, 5])
def test_a_gain_at_the_margin_is_called_improved_in_fewer_than_5_of_100_comparisons(num_pairs: int) -> None:
    words = [
        decide_verdict(gains.tolist(), None, MARGIN_PERCENT)["word"]
        for gains in draw_gains(MARGIN_PERCENT, 0.3, num_pairs, seed=20 + num_pairs)
    ]
    assert words.count("IMPROVED") / NUM_SIMULATED < 0.05
    assert words.count("REGRESSED") / NUM_SIMULATED < 0.01


def test_a_gain_at_the_margin_is_called_improved_by_titles_in_fewer_than_5_of_100_comparisons() -> None:
    generator = np.random.default_rng(30)
    num_improved, num_comparisons = 0, 300
    for _ in range(num_comparisons):
        baseline = generator.gamma(4.0, 30.0, 200)
        candidate = baseline * (1 - MARGIN_PERCENT / 100) + generator.normal(0, 3.0, 200)
        gains = bootstrap_gains(baseline, candidate, 400)
        wide, narrow = (compute_bootstrap_interval(gains, level, 200) for level in (0.95, 0.90))
        titles = TitleSampling(wide, narrow, TitleVariance(float(gains.var()), 200))
        num_improved += decide_verdict([1.0], titles, MARGIN_PERCENT)["runs_word"] == "IMPROVED"
    assert num_improved / num_comparisons < 0.05


def test_a_large_gain_is_found_and_no_gain_is_called_equivalent() -> None:
    improved = [decide_verdict(g.tolist(), None, 0.5)["word"] for g in draw_gains(3.0, 0.3, 5, seed=40)]
    assert improved.count("IMPROVED") / NUM_SIMULATED > 0.99
    equal = [decide_verdict(g.tolist(), None, 0.5)["word"] for g in draw_gains(0.0, 0.1, 5, seed=41)]
    assert equal.count("EQUIVALENT") / NUM_SIMULATED > 0.99
    assert equal.count("IMPROVED") == 0


def test_six_gains_of_one_sign_have_a_sign_flip_p_of_one_in_32() -> None:
    assert compute_sign_flip_p([1.0, 2.0, 0.5, 3.0, 1.5, 0.1]) == 2 / 64
    assert compute_sign_flip_p([-1.0, -2.0, -0.5, -3.0, -1.5, -0.1]) == 2 / 64
    assert compute_sign_flip_p([0.0] * 6) == 1.0


@pytest.mark.parametrize("num_pairs", [6, 7, 9])
def test_a_sign_flip_p_is_that_of_all_sign_patterns(num_pairs: int) -> None:
    gains = np.random.default_rng(num_pairs).normal(0.5, 1.0, num_pairs).tolist()
    as_extreme = sum(
        abs(math.fsum(sign * gain for sign, gain in zip(signs, gains, strict=True))) >= abs(math.fsum(gains)) - 1e-12
        for signs in itertools.product((1, -1), repeat=num_pairs)
    )
    assert compute_sign_flip_p(gains) == as_extreme / 2**num_pairs


@pytest.mark.parametrize("num_pairs", [1, 5, 21])
def test_below_six_and_above_twenty_pairs_there_is_no_sign_flip_p(num_pairs: int) -> None:
    assert compute_sign_flip_p([1.0] * num_pairs) is None


def test_arms_that_repeat_each_other_take_the_noise_floor_from_the_seeds_of_one_arm() -> None:
    losses = {1: 2.00, 2: 2.02, 3: 1.98}
    robustness = describe_robustness(pair_seeds([1, 2, 3], losses, losses))
    assert robustness["noise_floor_percent"] == pytest.approx(1.0)
    assert "seeds of one arm" in robustness["noise_floor_source"]
    assert robustness["needed_pairs"] is None
    nearly = {seed: loss * (1 + 1e-6 * seed) for seed, loss in losses.items()}
    robustness = describe_robustness(pair_seeds([1, 2, 3], losses, nearly), equal_arms=True)
    assert robustness["noise_floor_percent"] == pytest.approx(1.0)
    assert describe_robustness(pair_seeds([1, 2, 3], losses, nearly))["noise_floor_percent"] < 0.001


def test_the_noise_floor_has_an_interval_of_its_own() -> None:
    robustness = describe_robustness(pair_seeds([1, 2, 3], {1: 2.0, 2: 2.0, 3: 2.0}, {1: 1.9, 2: 1.91, 3: 1.92}))
    assert robustness["noise_floor_percent"] == pytest.approx(0.5)
    assert robustness["noise_floor_low_percent"] == pytest.approx(0.260, abs=1e-3)
    assert robustness["noise_floor_high_percent"] == pytest.approx(3.142, abs=1e-3)


def test_with_one_seed_the_pairs_that_are_needed_come_from_the_known_noise() -> None:
    pairs, noise = pair_seeds([1337], {1337: 2.0}, {1337: 1.98}), KnownNoise(0.2, 0.1, 0.5, 4, "pairs by hand")
    robustness = describe_robustness(pairs, margin_percent=0.5, titles=TitleVariance(0.0, 600), known_noise=noise)
    assert robustness["needed_pairs"] == compute_needed_pairs(1.0, 0.2, margin_percent=0.5)
    assert robustness["needed_pairs_source"] == "pairs by hand"
    assert robustness["noise_floor_percent"] is None and robustness["detectable_gain_percent"] is None
