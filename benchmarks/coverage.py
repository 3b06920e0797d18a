"""How often the intervals cover what they say, simulated by the functions that reports use.

`python -m benchmarks.coverage` prints the tables of docs/statistics.md; about two minutes on an idle core.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from harness.analyse.uncertainty import (
    MIN_RANGE_PAIRS,
    Interval,
    TitleSampling,
    TitleVariance,
    compute_interval,
    compute_median_interval,
    compute_t_interval,
    compute_title_variance,
    estimate_gain,
)
from harness.analyse.verdict import adjust_verdicts, decide_verdict
from harness.plan.noise import PRIORS
from harness.plan.plan import MARGIN_PERCENT

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

TRUE_GAIN_PERCENT = 24.0
TITLE_SD_PERCENT, INTERACTION_SD_PERCENT = 6.1, 1.05
"""Of a title's share in the gain, over titles; and of the part of it that changes from seed to seed. As at `quick`."""
OUTLIER_SDS = 5.0
SEED_SDS_PERCENT, NUM_SEEDS, NUM_TITLES = (0.05, 0.26), (2, 3, 5), (600, 10_000)
CHARS_SHAPE = 4.0
"""Of the gamma distribution of a title's loss: its standard deviation is half its mean."""


@dataclass(frozen=True)
class Noise:
    """A kind of noise of training, in standard deviations of an ordinary run."""

    name: str
    draw: Draw
    mean: float = 0.0
    median: float = 0.0


def _draw_normal(generator: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    return generator.normal(size=num_seeds)


def _draw_skewed(generator: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    noise: NDArray[np.float64] = 1 - generator.exponential(size=num_seeds)
    return noise


def _draw_rare_outlier(generator: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    noise: NDArray[np.float64] = generator.normal(size=num_seeds)
    noise[generator.random(num_seeds) < 0.1] -= OUTLIER_SDS
    return noise


def _draw_one_outlier(generator: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    noise: NDArray[np.float64] = generator.normal(size=num_seeds)
    noise[0] -= OUTLIER_SDS
    return noise


NOISES = (
    Noise("normal", _draw_normal),
    Noise("skewed (exponential)", _draw_skewed, median=1 - math.log(2)),
    Noise("one run in ten 5 sd worse", _draw_rare_outlier, mean=-0.5, median=-0.1397),
    Noise("always one run 5 sd worse", _draw_one_outlier),
)
"""The mean and the median are those of all runs; with always one bad run, those of the others."""


@dataclass(frozen=True)
class Coverage:
    """Shares of simulated comparisons, in percent, in which an interval holds the truth."""

    num_seeds: int
    num_titles: int
    seed_sd_percent: float
    noise: str
    both: float
    """Seeds and titles together, of the mean gain over new seeds and titles: the verdict's interval."""
    seeds_only: float
    """Student's t over the seed pairs, of the same."""
    median: float | None
    """The range of the pairs' gains, of the median gain: it says 93.75 with five; None where there are too few."""


def simulate(noise: Noise, num_seeds: int, num_titles: int, seed_sd: float, num_comparisons: int) -> Coverage:
    """Draws comparisons whose true gain is known, and counts the intervals that hold it."""
    generator = np.random.default_rng([num_seeds, num_titles, round(1000 * seed_sd), len(noise.name)])
    hits = {"both": 0, "seeds": 0, "median": 0}
    for _ in range(num_comparisons):
        baseline, candidate = draw_losses(noise, num_seeds, num_titles, seed_sd, generator)
        gains = (100 * (1 - candidate.sum(axis=1) / baseline.sum(axis=1))).tolist()
        titles = compute_title_variance(baseline, candidate)
        estimate, of_seeds = estimate_gain(gains, titles), compute_t_interval(gains, 0.95)
        assert estimate is not None and of_seeds is not None
        truth = TRUE_GAIN_PERCENT + seed_sd * noise.mean
        hits["both"] += _holds(compute_interval(estimate, 0.95), truth)
        hits["seeds"] += _holds(of_seeds, truth)
        typical = compute_median_interval(gains, titles)
        if typical is not None:
            hits["median"] += _holds(typical, TRUE_GAIN_PERCENT + seed_sd * noise.median)
    both, seeds, median = (100 * count / num_comparisons for count in hits.values())
    has_range = num_seeds >= MIN_RANGE_PAIRS
    return Coverage(num_seeds, num_titles, seed_sd, noise.name, both, seeds, median if has_range else None)


def draw_losses(
    noise: Noise, num_seeds: int, num_titles: int, seed_sd: float, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(pairs, titles) losses of both arms: new titles and new seeds, around the true gain."""
    losses = generator.gamma(CHARS_SHAPE, 1 / CHARS_SHAPE, num_titles)
    by_title = TITLE_SD_PERCENT * generator.normal(size=num_titles)
    by_pair = TRUE_GAIN_PERCENT + seed_sd * noise.draw(generator, num_seeds)
    rest = INTERACTION_SD_PERCENT * generator.standard_normal((num_seeds, num_titles), dtype=np.float32)
    baseline = np.broadcast_to(losses, (num_seeds, num_titles))
    return baseline, baseline * (1 - by_pair[:, None] / 100) - (by_title + rest) / 100


def simulate_all(num_comparisons: int) -> Iterator[Coverage]:
    """Every kind of noise, number of seeds and titles, and spread; in the end seed noise that titles do not hide."""
    for noise in NOISES:
        for num_seeds in NUM_SEEDS:
            for num_titles in NUM_TITLES:
                for seed_sd in SEED_SDS_PERCENT:
                    yield simulate(noise, num_seeds, num_titles, seed_sd, num_comparisons)
    for noise in NOISES:
        for num_seeds in NUM_SEEDS:
            yield simulate(noise, num_seeds, NUM_TITLES[0], 5.0, num_comparisons)


def _holds(interval: Interval, truth: float) -> bool:
    return interval.low_percent <= truth <= interval.high_percent


@dataclass(frozen=True)
class ErrorRate:
    """How often a word is wrong for recipes whose true gain is just the margin, in percent of comparisons."""

    what: str
    wrong_percent: float


def simulate_errors(num_comparisons: int) -> list[ErrorRate]:
    """IMPROVED or REGRESSED, by one seed, by several, among several arms, and with seeds added until it is said."""
    rates = []
    prior = PRIORS["quick"]
    for noise in NOISES[:3]:
        decide = partial(decide_single, noise=noise, sd=prior.sd_percent)
        rates.append((f"one seed against the known noise of quick, {noise.name}", decide))
        decide = partial(decide_single, noise=noise, sd=prior.sd_percent, is_known=False)
        rates.append((f"one seed by its titles alone (not used), {noise.name}", decide))
    rates += [
        ("three seeds", partial(decide_by_adding, additions=0)),
        ("three seeds, two added up to twice until it is said", partial(decide_by_adding, additions=2)),
        ("three seeds, two added up to five times until it is said", partial(decide_by_adding, additions=5)),
        ("any of five arms, three seeds, plain words", partial(decide_any, is_adjusted=False)),
        ("any of five arms, three seeds, words by Holm", partial(decide_any, is_adjusted=True)),
    ]
    found = []
    for what, decide_once in rates:
        generator = np.random.default_rng(1)
        wrong = sum(decide_once(generator) for _ in range(num_comparisons))
        found.append(ErrorRate(what, 100 * wrong / num_comparisons))
    return found


def decide_single(generator: np.random.Generator, noise: Noise, sd: float, is_known: bool = True) -> bool:
    """Whether one pair of runs is called better or worse: its recipes, or with `is_known` False the runs alone."""
    title_sd = TITLE_SD_PERCENT / math.sqrt(NUM_TITLES[0])
    shift = sd * (noise.draw(generator, 1)[0] - noise.mean) + title_sd * generator.normal()
    gain = MARGIN_PERCENT + float(shift)
    wide, narrow = (
        Interval(gain - z * title_sd, gain + z * title_sd, level, "", NUM_TITLES[0], "")
        for level, z in ((95.0, 1.960), (90.0, 1.645))
    )
    titles = TitleSampling(wide, narrow, TitleVariance(title_sd**2, NUM_TITLES[0]))
    verdict = decide_verdict([gain], titles, MARGIN_PERCENT, PRIORS["quick"])
    return _differs(verdict["word"] if is_known else verdict["runs_word"])


def decide_by_adding(generator: np.random.Generator, additions: int) -> bool:
    """Whether any look at three seeds, then two more each time, finds a difference."""
    gains = generator.normal(MARGIN_PERCENT, 0.2, 3 + 2 * additions).tolist()
    looks = range(3, len(gains) + 1, 2)
    return any(_differs(decide_verdict(gains[:seen], None, MARGIN_PERCENT)["word"]) for seen in looks)


def decide_any(generator: np.random.Generator, is_adjusted: bool) -> bool:
    """Whether any of five arms is called better or worse than a baseline whose own noise all of them share."""
    shared = generator.normal(0, 0.14, 3)
    arms = MARGIN_PERCENT + generator.normal(0, 0.14, (5, 3)) - shared
    verdicts = [decide_verdict(gains.tolist(), None, MARGIN_PERCENT) for gains in arms]
    return any(_differs(entry["word"]) for entry in (adjust_verdicts(verdicts) if is_adjusted else verdicts))


def _differs(word: str) -> bool:
    return word in ("IMPROVED", "REGRESSED")


def format_coverage(rows: Sequence[Coverage]) -> str:
    """The coverages as a Markdown table: a row a noise and number of titles, columns by number of seeds."""
    seeds = [f"{num_seeds} seeds" for num_seeds in NUM_SEEDS]
    columns = [*seeds, *(f"{count}, t alone" for count in seeds), f"{seeds[-1]}, median"]
    lines = [f"| noise of training, its sd | titles | {' | '.join(columns)} |", f"|---|{'---:|' * (1 + len(columns))}"]
    kinds = dict.fromkeys((row.noise, row.seed_sd_percent, row.num_titles) for row in rows)
    for kind in kinds:
        own = [row for row in rows if (row.noise, row.seed_sd_percent, row.num_titles) == kind]
        cells = [*(f"**{row.both:.1f}**" for row in own), *(f"{row.seeds_only:.1f}" for row in own)]
        cells += [f"{row.median:.1f}" for row in own if row.median is not None]
        lines.append(f"| {kind[0]}, {kind[1]:g} % | {kind[2]:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def format_errors(rates: Sequence[ErrorRate]) -> str:
    """The error rates as a Markdown table."""
    rows = (f"| {rate.what} | {rate.wrong_percent:.1f} % |" for rate in rates)
    return "\n".join(["| decided by | wrong |", "|---|---:|", *rows])


def main() -> None:
    """Simulates everything and prints both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--comparisons", type=int, default=4_000, help="of each kind (default: %(default)s)")
    given = parser.parse_args()
    print(format_coverage(list(simulate_all(given.comparisons))))
    print()
    print(format_errors(simulate_errors(given.comparisons)))


if __name__ == "__main__":
    main()
