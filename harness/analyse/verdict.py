"""The verdict on a pair, by the rule its plan fixed before the first run."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from harness.analyse.uncertainty import Interval, compute_t_interval
from harness.formats import format_interval

Word = Literal["IMPROVED", "EQUIVALENT", "REGRESSED", "INCONCLUSIVE"]


def decide_verdict(
    seed_gains: Sequence[float], title_intervals: tuple[Interval, Interval] | None, margin_percent: float
) -> dict[str, Any]:
    """The verdict on the relative gain in full loss at the last step.

    `seed_gains` holds one gain a seed pair; `title_intervals` the 95 % and the 90 % interval that a bootstrap over
    titles gives the headline pair. With two pairs or more the interval is Student's t over the pairs, with one it is
    the bootstrap's, and with neither nothing can be concluded.
    """
    wide, narrow = compute_t_interval(seed_gains, 0.95), compute_t_interval(seed_gains, 0.90)
    if wide is None and title_intervals is not None:
        wide, narrow = title_intervals
    word = judge_intervals(wide, narrow, margin_percent)
    single_seed = len(seed_gains) < 2
    return {
        "word": word,
        "label": f"{word} (single seed)" if single_seed else word,
        "gain_percent": sum(seed_gains) / len(seed_gains),
        "num_seed_pairs": len(seed_gains),
        "margin_percent": margin_percent,
        "interval_95": asdict(wide) if wide else None,
        "interval_90": asdict(narrow) if narrow else None,
        "reason": format_interval(asdict(wide)) if wide else "one pair without losses by title: no interval",
    }


def judge_intervals(wide: Interval | None, narrow: Interval | None, margin_percent: float) -> Word:
    """The word for a 95 % and a 90 % interval of a gain in percent."""
    if wide is None or narrow is None:
        return "INCONCLUSIVE"
    if wide.low_percent > margin_percent:
        return "IMPROVED"
    if wide.high_percent < -margin_percent:
        return "REGRESSED"
    if -margin_percent < narrow.low_percent and narrow.high_percent < margin_percent:
        return "EQUIVALENT"
    return "INCONCLUSIVE"
