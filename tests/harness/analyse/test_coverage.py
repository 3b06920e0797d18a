"""Forensics against numbers worked out by hand."""

import math
from dataclasses import asdict

import pytest

from harness.analyse.coverage import (
    compute_coverage,
    compute_coverage_share,
    compute_matched,
    size_validation,
)
from harness.analyse.examine import read_clock
from harness.analyse.first_losses import FirstLosses, judge_fit, judge_start
from harness.claims.engine import find_flaw
from harness.claims.findings import SHARE, SHARE_SENTENCES
from harness.claims.sentence import Sentence, make

OFFICIAL = size_validation(1_102_455, 16_000, None, None)


def test_the_tasks_data_is_recognised_by_both_counts_only() -> None:
    assert OFFICIAL is not None and (OFFICIAL.origin, OFFICIAL.num_tokens, OFFICIAL.num_chars) == (
        "official", 121_150, 533_366,
    )  # fmt: skip
    for tokens, vocabulary in ((1_102_455, 8_000), (1_102_456, 16_000), (1_102_455, None)):
        other = size_validation(tokens, vocabulary, None, None)
        assert other is not None and other.origin == "estimated" and other.num_chars is None


def test_an_estimate_is_a_ninth_with_three_deviations_of_draws_of_so_many_titles_either_way() -> None:
    found = size_validation(900_000, 8_000, None, None, num_titles=70_000)
    assert found is not None
    assert (found.num_tokens, found.low_num_tokens, found.high_num_tokens) == (100_000, 98_413, 101_587)
    fewer = size_validation(900_000, 8_000, None, None)
    assert fewer is not None and fewer.low_num_tokens < 98_413  # how many titles there are is not overrated
    fifth = size_validation(800_000, 8_000, None, None, val_fraction=0.2, num_titles=70_000)
    assert fifth is not None and fifth.num_tokens == 200_000
    assert size_validation(None, 16_000, None, None) is None


@pytest.mark.parametrize(
    ("block", "batch", "spans", "share"),
    [(128, 64, 14, 114_688 / 121_150), (128, 256, 3, 98_304 / 121_150), (256, 256, 1, 65_536 / 121_150)],
)
def test_spans_and_coverage_of_the_published_runs(block: int, batch: int, spans: int, share: float) -> None:
    assert OFFICIAL is not None
    found = compute_coverage(OFFICIAL, block * batch)
    assert found is not None and found.num_spans == found.low_num_spans == found.high_num_spans == spans
    assert found.share == found.low_share == found.high_share == pytest.approx(share)


def test_an_estimated_coverage_has_the_range_of_all_sizes_in_between() -> None:
    validation = size_validation(900_000, 8_000, None, None)
    assert validation is not None
    found = compute_coverage(validation, 128 * 64)
    assert found is not None
    shares = [size // 8193 * 8192 / size for size in range(validation.low_num_tokens, validation.high_num_tokens + 1)]
    assert (found.low_share, found.high_share) == pytest.approx((min(shares), max(shares)))


def test_the_large_batch_on_equal_terms() -> None:
    matched = compute_matched(1.067, 98_304 / 121_150)
    baseline = compute_matched(1.7533, 114_688 / 121_150)
    assert matched is not None and baseline is not None
    assert matched == pytest.approx(1.31497, abs=1e-5)
    assert baseline == pytest.approx(1.85208, abs=1e-5)
    reported, fair = 100 * (1 - 1.067 / 1.7533), 100 * (1 - matched / baseline)
    share = compute_coverage_share(reported, fair)
    assert share == pytest.approx(25.91, abs=0.01)
    assert describe_share(share or 0).startswith("25.9 %, about a quarter, of the reported gain is coverage")


def describe_share(share: float) -> str:
    document = {"fair": 100 - share, "reported": 100.0, "differs": True, "candidate": "mine"}
    sentence = Sentence("share", SHARE_SENTENCES, {name: f"/{name}" for name in document}, SHARE, on="comparison")
    claim = make(document, sentence)
    assert claim is not None
    assert find_flaw(asdict(claim), document) is None
    return claim.text


@pytest.mark.parametrize(
    ("share", "words"),
    [(-3.0, "hides part"), (100.0, "The whole"), (88.0, "nine tenths"), (3.0, "3.0 % of the reported")],
)
def test_shares_in_plain_words(share: float, words: str) -> None:
    assert words in describe_share(share)


def test_a_share_needs_a_reported_gain() -> None:
    assert compute_coverage_share(0.0, 1.0) is None
    assert compute_coverage_share(-1.0, -2.0) is None


def fit(
    first_validation: float | None,
    first_training: float | None = 9.774,
    batch: int = 64,
    second_training: float | None = None,
) -> str:
    assert OFFICIAL is not None
    coverage = compute_coverage(OFFICIAL, 128 * batch)
    first = FirstLosses(first_validation, first_training, second_training)
    return judge_fit(first, OFFICIAL, coverage, 128 * batch, 16_000).status


def test_the_published_first_losses_fit() -> None:
    assert fit(2.098) == "fits"  # 13.98 spans
    assert fit(3 * 32_768 * 9.774 / 533_366, batch=256) == "fits"


def test_a_changed_denominator_tokenizer_or_evaluation_batch_does_not_fit() -> None:
    assert fit(2.098 / 1.1, second_training=9.77) == "does not fit"
    assert fit(2.098 * 13 / 14, second_training=9.77) == "does not fit"  # a whole number of spans, and not the due one
    assert fit(0.001) == "does not fit"  # near no span at all, which is a whole number too


def test_a_loss_that_is_off_by_far_does_not_fit_however_many_spans_it_comes_to() -> None:
    assert fit(2.098 * 533_366 / 121_150) == "does not fit"  # per token: 62 spans where 14 are due
    assert fit(0.8, batch=16) == "does not fit"  # 21 spans where 59 are due


def test_a_first_update_that_lowers_the_loss_before_it_is_evaluated_is_no_change_of_the_metric() -> None:
    public = 2.0416, 9.77315, 32  # 27.20 spans by the loss before the update, 28.87 by the one after it; 29 are due
    assert fit(*public, 9.20896) == "fits"
    assert fit(*public, 9.1) == "fits" and fit(*public, 9.3) == "not decidable"
    assert fit(public[0] / 1.2, 9.77315, 32, 9.20896) == "does not fit"
    assert fit(2.098 / 1.1, 9.774, 64, 9.77) == "does not fit"


def test_what_cannot_be_decided_is_called_that() -> None:
    assert fit(None) == "not decidable"
    assert fit(2.2, batch=16) == "not decidable"  # 59 spans


def test_a_scaled_training_loss_is_not_used_for_the_fit() -> None:
    assert judge_start(9.774, 16_000) is None
    odd = judge_start(9.774 / 4, 16_000)
    assert odd is not None and odd.expected_nats_per_token == pytest.approx(math.log(16_000))
    assert fit(14 * 8192 * math.log(16_000) / 533_366, 9.774 / 4) == "fits"
    assert fit(2.098 * 1.02, 9.774 / 4) == "not decidable"
    assert fit(2.098 / 2, 9.774 / 4) == "does not fit"


def test_gaps_and_setbacks_of_a_clock() -> None:
    clock = read_clock([1.0, 2.0, 3.0, 10_803.0, 10_804.0, 5.0])
    assert (clock.num_gaps, clock.gap_s, clock.num_setbacks) == (1, 10_800.0, 1)
    assert clock.elapsed_s is None and read_clock([1.0, 2.0]).elapsed_s == 2.0
    assert read_clock([]).elapsed_s is None
