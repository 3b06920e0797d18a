"""The verdict on a pair, by the rule its plan fixed."""

from typing import Any


def decide_verdict(full_gain_percent: float, margin_percent: float) -> dict[str, Any]:
    """The verdict on a gain in full loss at the last step; without an interval nothing can be concluded."""
    return {
        "word": "INCONCLUSIVE",
        "gain_percent": full_gain_percent,
        "margin_percent": margin_percent,
        "interval": None,
        "reason": "single seed, no interval yet",
    }
