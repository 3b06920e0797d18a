"""How far an estimate of the validation tokens lies off, and how often its range holds, by simulation.

`python -m benchmarks.validation_share --data FILE` prints a Markdown table. Titles are drawn at several sizes and
vocabularies and tokenized as the task does; each draw is held out from many times. Two estimates are made as
`harness.analyse.coverage` makes them: from the training tokens alone, and from a run in other tokens on the same
titles, of a tokenizer that has only the bytes it saw and of one with half as many tokens more.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analyse.coverage import Validation, scale_validation, size_validation
from mainrun.data.title_files import load_title_file
from mainrun.data.tokenizer import train_bpe
from mainrun.rules import SPECIAL_TOKENS

VAL_FRACTION = 0.1
DRAWS = ((2_500, 1_024, 3), (2_500, 4_096, 3), (6_000, 1_024, 2), (6_000, 4_096, 2), (24_000, 1_024, 1),
         (24_000, 4_096, 1), (24_000, 16_000, 1), (100_000, 16_000, 1))  # fmt: skip
"""Titles, vocabulary, and how often both are drawn and tokenizers trained."""
NUM_SPLITS = 200
"""How often validation titles are held out from each draw."""
Counts = NDArray[np.int64]


@dataclass
class Tally:
    """What came of one kind of estimate."""

    off_percent: list[float] = field(default_factory=list)
    """Distance of the true number from the estimate, in percent of the estimate."""
    range_percent: list[float] = field(default_factory=list)
    """Half the range that is given, in the same."""
    num_held: int = 0

    def add(self, estimate: Validation | None, num_tokens: int) -> None:
        """Compares an estimate with the truth."""
        assert estimate is not None
        self.off_percent.append(100 * (num_tokens / estimate.num_tokens - 1))
        self.range_percent.append(100 * (estimate.high_num_tokens / estimate.num_tokens - 1))
        self.num_held += estimate.low_num_tokens <= num_tokens <= estimate.high_num_tokens

    def format_cells(self) -> str:
        """Markdown cells: off by, farthest, range, held."""
        mean, spread, farthest = np.mean(self.off_percent), np.std(self.off_percent), max(map(abs, self.off_percent))
        return (
            f"{mean:+.2f} ± {spread:.2f} % | {farthest:.2f} % | ± {np.mean(self.range_percent):.2f} % | "
            f"{self.num_held:,} of {len(self.off_percent):,}"
        )


def train_bpe_of_seen_bytes(titles: Sequence[str], vocab_size: int) -> Any:
    """The tokenizer as the task's public program learns it: without the bytes that no title has."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=list(SPECIAL_TOKENS), show_progress=False)
    trained.train_from_iterator((f" {title}" for title in titles), trainer)
    return trained


def measure(titles: Sequence[str], num_titles: int, vocab_size: int, num_draws: int) -> tuple[Tally, Tally]:
    """Draws titles without replacement; the tokenizers are trained on all of a draw, as the task's is."""
    from_training, from_other = Tally(), Tally()
    num_held_out = round(num_titles * VAL_FRACTION)
    for seed in range(num_draws):
        generator = np.random.default_rng(seed)
        drawn = [titles[place] for place in generator.permutation(len(titles))[:num_titles]]
        lengths = _count_tokens(train_bpe(drawn, vocab_size), drawn)
        others = [
            _count_tokens(train_bpe_of_seen_bytes(drawn, vocab_size), drawn),
            _count_tokens(train_bpe(drawn, vocab_size * 3 // 2), drawn),
        ]
        for _ in range(NUM_SPLITS):
            held_out = generator.permutation(num_titles)[:num_held_out]
            num_validation, num_train = _split(lengths, held_out)
            from_training.add(size_validation(num_train, vocab_size, None, None, VAL_FRACTION), num_validation)
            known = size_validation(num_train, vocab_size, num_validation, None)
            assert known is not None
            for other in others:
                other_validation, other_train = _split(other, held_out)
                from_other.add(scale_validation(other_train, known, num_train, num_held_out), other_validation)
    return from_training, from_other


def _count_tokens(trained: Any, titles: Sequence[str]) -> Counts:
    """(titles,) tokens of each, its `<eos>` included."""
    found = trained.encode_batch([f" {title}" for title in titles], add_special_tokens=False)
    return np.array([len(title.ids) + 1 for title in found], np.int64)


def _split(lengths: Counts, held_out: NDArray[np.int64]) -> tuple[int, int]:
    """Validation and training tokens."""
    num_validation = int(lengths[held_out].sum())
    return num_validation, int(lengths.sum()) - num_validation


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--title-column", default="title")
    given = parser.parse_args()
    titles = [str(value).strip() for value in load_title_file(given.data, given.title_column).values]
    columns = "off by, mean ± spread | farthest | range given | held"
    print(f"| titles | vocabulary | {columns} | in other tokens: {columns} |\n{'|---:' * 10}|")
    for num_titles, vocab_size, num_draws in DRAWS:
        found = measure(titles, num_titles, vocab_size, num_draws)
        cells = " | ".join(tally.format_cells() for tally in found)
        print(f"| {num_titles:,} | {vocab_size:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
