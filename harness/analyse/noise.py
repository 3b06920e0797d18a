"""The noise floor as seeds show it, with an interval of its own, in the form in which a later plan may rely on it."""

from collections.abc import Sequence

from harness.analyse.uncertainty import compute_sd, compute_sd_interval
from harness.plan.noise import KnownNoise


def measure_noise(gains: Sequence[float], source: str) -> KnownNoise | None:
    """The spread of the gains of two seed pairs or more, in percent; None where there are fewer, or it is none at all.

    The interval is chi-square's at 95 %, for normal noise. `source` says in words which pairs they are.
    """
    if len(gains) < 2:
        return None
    sd = compute_sd(gains)
    if sd == 0:
        return None
    low, high = compute_sd_interval(sd, len(gains))
    return KnownNoise(sd, low, high, len(gains), source)
