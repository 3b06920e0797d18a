"""What honest runs have of the numbers that `harness/check/plausibility.py` holds to a range.

`python -m benchmarks.plausible [--data FILE] [DIR…]` prints, in Markdown, the characters a token of validation over
those of training in random splits of the titles (synthetic ones without `--data`), and the time of the smallest
training step of a program; of the runs in the folders of comparisons the full loss over the last training losses, and
the frozen loss / coverage over the full loss.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import Embedding, Linear, Sequential
from torch.nn.functional import cross_entropy

from harness.check.plausibility import compare_two_losses, compute_loss_ratio
from harness.store.facts import SEPARATOR_CHARS, find_setting
from harness.store.runs import load_comparison
from mainrun.data.synthetic import generate_headlines
from mainrun.data.title_files import load_title_file
from mainrun.data.tokenizer import train_tokenizer

VAL_FRACTION = 0.1
SIZES = ((400, 300), (2_500, 1_024), (6_000, 1_024), (24_000, 4_096), (100_000, 16_000))
"""Titles and vocabulary: the smallest that tests train on, and the presets'."""
NUM_SPLITS = 1_000
VOCABULARY, WIDTH, NUM_TOKENS, NUM_STEPS = 300, 16, 256, 300
"""Of the smallest program: one embedding and one matrix, as many tokens as the smallest runs of the tests."""


def measure_splits(titles: Sequence[str], num_titles: int, vocab_size: int, kind: str) -> tuple[float, float, float]:
    """Lowest, mean and highest ratio over random splits of one draw; the tokenizer knows all of it, as the task's."""
    generator = np.random.default_rng(1337)
    drawn = [titles[place] for place in generator.permutation(len(titles))[:num_titles]]
    _, num_tokens = train_tokenizer(drawn, vocab_size, kind).encode_titles(drawn)
    num_chars = np.array([len(title) + SEPARATOR_CHARS for title in drawn])
    held_out = [generator.permutation(len(drawn))[: round(VAL_FRACTION * len(drawn))] for _ in range(NUM_SPLITS)]
    validation = np.array([(num_chars[places].sum(), num_tokens[places].sum()) for places in held_out])
    training = np.array([num_chars.sum(), num_tokens.sum()]) - validation
    ratios = validation[:, 0] / validation[:, 1] / (training[:, 0] / training[:, 1])
    return float(ratios.min()), float(ratios.mean()), float(ratios.max())


def measure_smallest_step() -> float:
    """Seconds of processor time that the fastest step of a very small program takes, its line of a log included."""
    model = Sequential(Embedding(VOCABULARY, WIDTH), Linear(WIDTH, VOCABULARY))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, targets = torch.randint(0, VOCABULARY, (2, NUM_TOKENS))
    taken = []
    for _ in range(NUM_STEPS):
        begun = time.process_time()
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs), targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        optimizer.step()
        json.dumps({"loss": loss.item()})
        taken.append(time.process_time() - begun)
    return min(taken)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--title-column", default="title")
    parser.add_argument("--largest", type=int, default=SIZES[-1][0], metavar="TITLES", help="leaves out larger draws")
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR")
    given = parser.parse_args()
    torch.set_num_threads(1)
    titles = (
        [str(value).strip() for value in load_title_file(given.data, given.title_column).values]
        if given.data
        else [*generate_headlines(given.largest)]
    )
    print("| titles | vocabulary | tokenizer | lowest | mean | highest |\n|---:|---:|---|---:|---:|---:|")
    for num_titles, vocab_size in (size for size in SIZES if size[0] <= given.largest):
        for kind in ("bpe", "unigram"):
            low, mean, high = measure_splits(titles, num_titles, vocab_size, kind)
            print(f"| {num_titles:,} | {vocab_size:,} | {kind} | {low:.3f} | {mean:.3f} | {high:.3f} |", flush=True)
    print(f"\nsmallest step: {1_000 * measure_smallest_step():.2f} ms")
    for folder in given.folders:
        for run in load_comparison(folder, check_hashes=False).runs.values():
            if run.is_complete:
                dropout = find_setting(run.facts.config, "dropout")
                ratios = f"{compute_loss_ratio(run)[0]:.3f}, {compare_two_losses(run)[0]:.4f}"
                print(f"{folder.name}, {run.folder.name}, dropout {dropout}: {ratios}")


if __name__ == "__main__":
    main()
