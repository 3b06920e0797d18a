"""Titles that a run says it has, against those of its plan."""

from collections.abc import Mapping
from typing import Any

from harness.store.records import TAKEN_OVER
from harness.store.runs import StoredRun

OF_THE_TITLES = ("train_sha256", "validation_sha256", "num_train_titles", "num_validation_titles")
"""What of a corpus does not depend on where it was read from."""


def find_other_corpus(run: StoredRun, planned: Mapping[str, Any]) -> str | None:
    """What of the plan's corpus a run's record or journal says otherwise; None for nothing, and for a log.

    A run that was trained under another plan may have read the same titles from another place.
    """
    corpus = run.facts.corpus
    if corpus is None:
        return None
    is_elsewhere = TAKEN_OVER in run.record or "source" in run.record
    due = {**corpus, **{key: planned[key] for key in OF_THE_TITLES}} if is_elsewhere else planned
    journal = run.select("dataset_info")[0]
    return next((key for key, value in due.items() if corpus[key] != value or journal[key] != value), None)
