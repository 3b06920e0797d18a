"""How far an estimate of the validation tokens from the training tokens lies off, by simulation over draws of titles.

`python -m benchmarks.validation_share --data FILE` draws titles at several sizes and vocabularies, tokenizes them as
the task does, and prints a Markdown table: the range that `harness.analyse.coverage` gives, and how often it held.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analyse.coverage import size_validation
from mainrun.data.title_files import load_title_file
from mainrun.data.tokenizer import train_tokenizer

VAL_FRACTION = 0.1
DRAWS = ((2_500, 1_024, 60), (2_500, 4_096, 60), (6_000, 1_024, 60), (6_000, 4_096, 40), (24_000, 1_024, 40),
         (24_000, 4_096, 40), (24_000, 16_000, 30), (100_000, 4_096, 12), (100_000, 16_000, 12))  # fmt: skip
"""Titles, vocabulary, and how often both are drawn."""


@dataclass(frozen=True)
class Held:
    """What came of the draws of one size."""

    num_titles: int
    vocab_size: int
    mean_percent: float
    """Mean distance of the true number from the estimate, in percent of the estimate."""
    spread_percent: float
    """Standard deviation of the same."""
    largest_percent: float
    """The largest of the same, without its sign."""
    range_percent: float
    """Half the range that is given, in percent of the estimate."""
    num_held: int
    num_draws: int


def measure(titles: Sequence[str], num_titles: int, vocab_size: int, num_draws: int) -> Held:
    """Draws titles without replacement; the tokenizer is trained on all of a draw, as the task's is."""
    off, half, held = [], 0.0, 0
    for seed in range(num_draws):
        places = np.random.default_rng(seed).permutation(len(titles))[:num_titles]
        drawn = [titles[place] for place in places]
        tokenizer = train_tokenizer(drawn, vocab_size)
        _, lengths = tokenizer.encode_titles(drawn)
        num_held_out = round(num_titles * VAL_FRACTION)
        num_validation, num_train = int(lengths[:num_held_out].sum()), int(lengths[num_held_out:].sum())
        found = size_validation(num_train, tokenizer.vocab_size, None, None, VAL_FRACTION)
        assert found is not None
        off.append(100 * (num_validation / found.num_tokens - 1))
        half = 100 * (found.high_num_tokens / found.num_tokens - 1)
        held += found.low_num_tokens <= num_validation <= found.high_num_tokens
    largest = max(map(abs, off))
    return Held(num_titles, vocab_size, float(np.mean(off)), float(np.std(off)), largest, half, held, num_draws)


def format_table(rows: Sequence[Held]) -> str:
    """Markdown."""
    lines = [
        "| titles | vocabulary | off by, mean ± spread | farthest | range given | held |",
        "|---:|" * 2 + "---:|" * 4,
    ]
    lines += [
        f"| {row.num_titles:,} | {row.vocab_size:,} | {row.mean_percent:+.2f} ± {row.spread_percent:.2f} % | "
        f"{row.largest_percent:.2f} % | ± {row.range_percent:.2f} % | {row.num_held} of {row.num_draws} |"
        for row in rows
    ]
    return "\n".join([lines[0], "|---:" * 6 + "|", *lines[2:]])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--title-column", default="title")
    given = parser.parse_args()
    titles = [str(value).strip() for value in load_title_file(given.data, given.title_column).values]
    print(format_table([measure(titles, *draw) for draw in DRAWS]))


if __name__ == "__main__":
    main()
