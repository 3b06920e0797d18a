"""The titles of a file that no preset draws, as a file of their own: a recipe that was chosen on the others has not
seen them.

`python -m benchmarks.held_out FILE OUT.parquet`
"""

import argparse

import pandas as pd

from mainrun.data.corpus import CorpusSource, load_corpus
from mainrun.data.settings import TITLE_COLUMN
from mainrun.data.title_files import load_title_file
from mainrun.recipes import PRESETS, build_named_config


def list_held_out(data: str) -> list[str]:
    """The titles of the file, in its order, whose text is none of those that the largest preset draws from it.

    The smaller presets draw the first of the same.
    """
    largest = max(
        (build_named_config("baseline", preset, {}).data for preset in PRESETS), key=lambda own: own.num_titles
    )
    corpus = load_corpus(CorpusSource(data), num_titles=largest.num_titles, val_fraction=largest.val_fraction)
    drawn = {*corpus.train_titles, *corpus.validation_titles}
    titles = [title for title in load_title_file(data, TITLE_COLUMN).values if isinstance(title, str)]
    return [title for title in titles if title.strip() not in drawn]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="a file of titles that holds more than the largest preset draws")
    parser.add_argument("out", help="parquet file to write")
    given = parser.parse_args()
    titles = list_held_out(given.data)
    pd.DataFrame({TITLE_COLUMN: titles}).to_parquet(given.out)
    print(f"{given.out}: {len(titles):,} titles")
