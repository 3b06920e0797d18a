"""A small version of the simulation in docs/statistics.md; `python -m benchmarks.coverage` is the whole."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.coverage import (
    NOISES,
    NUM_SEEDS,
    NUM_TITLES,
    SEED_SDS_PERCENT,
    Coverage,
    Noise,
    format_coverage,
    simulate,
    simulate_errors,
)
from harness.analyse.uncertainty import (
    SIMULATED_COVERAGE_PERCENT,
    GainEstimate,
    TitleVariance,
    estimate_gain,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "statistics.md"
Shares = dict[tuple[str, int], list[float]]
NORMAL, SKEWED = NOISES[:2]
NUM_COMPARISONS = 1_000
SLACK = 2.5
"""Points by which a share over so many comparisons may be off, 3.6 standard errors at 95 %."""


@pytest.fixture(scope="module")
def documented() -> Shares:
    """Noise with its sd, and number of titles → the row's shares in percent."""
    rows = re.findall(r"^\| ([^|]+ %) \| ([\d,]+) \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        (name, int(titles.replace(",", ""))): [float(cell.strip("* ")) for cell in cells.split("|")]
        for name, titles, cells in rows
    }


@pytest.mark.parametrize("num_seeds", NUM_SEEDS)
@pytest.mark.parametrize("noise", [NORMAL, SKEWED], ids=lambda noise: noise.name)
def test_the_documented_coverage_is_what_the_simulation_gives(noise: Noise, num_seeds: int, documented: Shares) -> None:
    found = simulate(noise, num_seeds, 600, 0.26, NUM_COMPARISONS)
    both, seeds_only = (
        documented[f"{noise.name}, 0.26 %", 600][NUM_SEEDS.index(num_seeds) + start] for start in (0, 3)
    )
    assert found.both == pytest.approx(both, abs=SLACK)
    assert found.seeds_only == pytest.approx(seeds_only, abs=2 * SLACK)
    assert found.both > 93 > found.seeds_only


def test_an_interval_says_the_lowest_and_the_highest_coverage_that_the_document_has(documented: Shares) -> None:
    """But for one run that is always bad: there the intervals are too wide, and cover more."""
    kinds: dict[bool, dict[int, list[float]]] = {flag: {count: [] for count in NUM_SEEDS} for flag in (True, False)}
    for noise in NOISES:
        for sd in SEED_SDS_PERCENT:
            for titles in NUM_TITLES:
                shares = documented[f"{noise.name}, {sd:g} %", titles][: len(NUM_SEEDS)]
                assert all(share > 89 for share in shares)
                if "always" not in noise.name:
                    for count, share in zip(NUM_SEEDS, shares, strict=True):
                        kinds[True][count].append(share)
        if "always" not in noise.name:
            large = documented[f"{noise.name}, 5 %", 600]
            for with_titles, start in ((True, 0), (False, len(NUM_SEEDS))):
                for count, share in zip(NUM_SEEDS, large[start:], strict=False):
                    kinds[with_titles][count].append(share)
    for with_titles, by_pairs in SIMULATED_COVERAGE_PERCENT.items():
        for count, said in by_pairs.items():
            shares = kinds[with_titles][count]
            assert said == pytest.approx((min(shares), max(shares)), abs=0.55), (with_titles, count)


def test_the_range_of_five_pairs_holds_the_median_gain_of_skewed_noise_that_students_t_misses() -> None:
    found = simulate(SKEWED, 5, 600, 5.0, NUM_COMPARISONS)
    assert found.median == pytest.approx(93.75, abs=SLACK)
    assert found.both < 91


def test_the_simulation_sees_an_interval_that_is_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget_titles(gains: Sequence[float], titles: TitleVariance | None = None) -> GainEstimate | None:
        return estimate_gain(gains)

    monkeypatch.setattr("benchmarks.coverage.estimate_gain", forget_titles)
    assert simulate(NORMAL, 5, 600, 0.26, 200).both < 70


def test_one_seed_is_called_better_at_the_margin_in_fewer_than_5_of_100_comparisons_whatever_its_noise() -> None:
    wrong = {rate.what: rate.wrong_percent for rate in simulate_errors(400)}
    assert len(wrong) == 11
    for what, percent in wrong.items():
        if "known noise" in what or what.endswith("words by Holm") or what == "three seeds":
            assert percent < 5, what
    assert wrong["any of five arms, three seeds, plain words"] > wrong["any of five arms, three seeds, words by Holm"]


def test_a_table_has_a_row_for_each_noise_and_number_of_titles() -> None:
    rows = [Coverage(seeds, 600, 0.05, "normal", 95.04, 50.0, 94.0 if seeds == 5 else None) for seeds in NUM_SEEDS]
    assert format_coverage(rows).splitlines()[2:] == [
        "| normal, 0.05 % | 600 | **95.0** | **95.0** | **95.0** | 50.0 | 50.0 | 50.0 | 94.0 |"
    ]
