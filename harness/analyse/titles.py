"""The paired differences title by title, without any title: their distribution, and the gain in slices."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analyse.uncertainty import bootstrap_gains, compute_bootstrap_interval
from harness.store.facts import SEPARATOR_CHARS

NUM_SLICE_RESAMPLES = 2_000
MIN_SLICE_TITLES = 30
"""A smaller slice is left out: its interval would say little."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

TitleColumns = dict[str, list[Any]]


def describe_titles(baseline: TitleColumns, candidate: TitleColumns) -> dict[str, Any]:
    """Both arms' losses of the same validation titles, at the last step and the headline seed."""
    losses = np.array([baseline["loss_nats"], candidate["loss_nats"]])
    num_chars = np.array(baseline["num_chars"])
    differences = (losses[1] - losses[0]) / num_chars
    return {
        "num_titles": len(num_chars),
        "num_lower": int(np.count_nonzero(differences < 0)),
        "difference_quantiles_nats_per_char": {
            f"{quantile:.0%}": float(value)
            for quantile, value in zip(QUANTILES, np.quantile(differences, QUANTILES), strict=True)
        },
        "slices": [
            _describe_slice(name, losses[:, chosen], num_chars[chosen])
            for name, chosen in _slice_titles(baseline, num_chars).items()
            if np.count_nonzero(chosen) >= MIN_SLICE_TITLES
        ],
    }


def _slice_titles(columns: TitleColumns, num_chars: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    kind, has_digit = np.array(columns["kind"]), np.array(columns["has_digit"])
    in_train = np.array(columns["in_train"])
    short, long = np.quantile(num_chars, [1 / 3, 2 / 3], method="lower")
    return {
        "ask": kind == "ask",
        "show": kind == "show",
        "neither ask nor show": kind == "other",
        f"short, up to {short - SEPARATOR_CHARS} characters": num_chars <= short,
        "medium": (num_chars > short) & (num_chars <= long),
        f"long, above {long - SEPARATOR_CHARS} characters": num_chars > long,
        "with a digit": has_digit,
        "without a digit": ~has_digit,
        "also a training title": in_train,
        "not a training title": ~in_train,
    }


def _describe_slice(name: str, losses: NDArray[np.float64], num_chars: NDArray[np.int64]) -> dict[str, Any]:
    gains = bootstrap_gains(losses[0], losses[1], NUM_SLICE_RESAMPLES)
    sums = losses.sum(axis=1)
    return {
        "name": name,
        "num_titles": len(num_chars),
        "baseline_full_loss_nats_per_char": float(sums[0] / num_chars.sum()),
        "candidate_full_loss_nats_per_char": float(sums[1] / num_chars.sum()),
        "gain_percent": 100 * float((sums[0] - sums[1]) / sums[0]),
        "interval_95": asdict(compute_bootstrap_interval(gains, 0.95, len(num_chars))),
    }
