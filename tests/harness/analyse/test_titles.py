"""The slices by title say of their titles what is so."""

import random
import re

from harness.analyse.titles import TitleColumns, describe_titles
from harness.store.facts import SEPARATOR_CHARS


def test_the_lengths_that_slices_are_called_by_are_those_of_the_titles() -> None:
    draw = random.Random(1)
    lengths = [draw.randint(10, 80) for _ in range(300)]
    columns: TitleColumns = {
        "loss_nats": [draw.uniform(50, 150) for _ in lengths],
        "num_chars": [length + SEPARATOR_CHARS for length in lengths],
        "kind": ["other" for _ in lengths],
        "has_digit": [False for _ in lengths],
        "in_train": [False for _ in lengths],
    }
    counts = {entry["name"]: entry["num_titles"] for entry in describe_titles(columns, columns)["slices"]}
    found = [re.fullmatch(r"(short|long), (?:up to|above) (\d+) characters", name) for name in counts]
    (short, long) = [(match[0], int(match[2])) for match in found if match]
    assert counts[short[0]] == sum(length <= short[1] for length in lengths)
    assert counts[long[0]] == sum(length > long[1] for length in lengths)
