import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import formats


@pytest.mark.parametrize(
    ("value", "text"), [(1.75328, "1.7533"), (1.0, "1.0000"), (0.0, "0.0000"), (12.34567, "12.3457"), (None, "n/a")]
)
def test_a_loss_has_four_decimals(value: float | None, text: str) -> None:
    assert formats.format_loss(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(24.25, 1, "24.2 %"), (-1.26, 1, "−1.3 %"), (-0.04, 1, "0.0 %"), (0.0, 1, "0.0 %"), (-0.04, 2, "−0.04 %"),
     (None, 1, "n/a")],
)  # fmt: skip
def test_a_percentage_has_a_real_minus_and_no_signed_zero(value: float | None, digits: int, text: str) -> None:
    assert formats.format_percent(value, digits) == text


@pytest.mark.parametrize(
    ("gain", "text"),
    [(24.3, "24.3 % lower"), (-1.2, "1.2 % higher"), (0.0, "unchanged"), (0.04, "unchanged to 0.1 %"),
     (-0.04, "unchanged to 0.1 %"), (0.06, "0.1 % lower")],
)  # fmt: skip
def test_a_gain_says_lower_or_higher(gain: float, text: str) -> None:
    assert formats.format_gain(gain) == text


@pytest.mark.parametrize(("gain", "text"), [(-0.546, "0.55 % higher"), (0.004, "unchanged to 0.01 %")])
def test_a_gain_beside_its_interval_has_as_many_digits(gain: float, text: str) -> None:
    assert formats.FORMATS["fine_gain"](gain) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(30.456, 31.894, "30.46 % to 31.89 %"), (-2.48, -2.10, "2.10 % to 2.48 % higher"),
     (-0.35, 0.12, "0.35 % higher to 0.12 % lower"), (0.0, 0.0, "0.00 % to 0.00 %")],
)  # fmt: skip
def test_the_interval_behind_a_gain_in_words_is_in_words_too(low: float, high: float, text: str) -> None:
    interval = {"level_percent": 95.0, "low_percent": low, "high_percent": high}
    assert formats.format_gain_span(interval) == f"95 % interval {text}"


@given(st.floats(-1e4, 1e4))
def test_a_gain_and_its_opposite_say_opposite_things(gain: float) -> None:
    there, back = formats.format_gain(gain), formats.format_gain(-gain)
    assert there.replace("lower", "x").replace("higher", "lower").replace("x", "higher") == back


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (42.13, "42.1 s"), (59.94, "59.9 s"), (60.0, "1 min 00 s"), (185.2, "3 min 05 s"),
     (3599.4, "59 min 59 s"), (3600, "1 h 00 min"), (7620, "2 h 07 min"), (None, "n/a")],
)  # fmt: skip
def test_a_duration(seconds: float | None, text: str) -> None:
    assert formats.format_duration(seconds) == text


@given(st.floats(0, 1e6))
@example(59.97)
@example(3599.7)
def test_a_duration_never_shows_sixty_seconds_or_minutes(seconds: float) -> None:
    text = formats.format_duration(seconds)
    assert all(float(number) < 60 for number in re.findall(r"([\d.]+) (?:min|s)\b", text)), text


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (300 * 2**20, "300.0 MiB"),
     (3 * 2**30, "3.0 GiB"), (None, "n/a")],
)  # fmt: skip
def test_bytes_are_binary_multiples(num_bytes: float | None, text: str) -> None:
    assert formats.format_bytes(num_bytes) == text


@pytest.mark.parametrize(
    ("flops", "text"),
    [(999, "999 FLOP"), (1500, "1.5 kFLOP"), (1.34e12, "1.34 TFLOP"), (2e15, "2 PFLOP"), (2.5e18, "2.5 EFLOP"),
     (None, "n/a")],
)  # fmt: skip
def test_flops_are_decimal_multiples(flops: float | None, text: str) -> None:
    assert formats.format_flops(flops) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "n/a"), (True, "yes"), (False, "no"), (6e-3, "0.006"), (3e-4, "0.0003"), (16_000, "16,000"), (938, "938"),
     ("adamw", "adamw"), (0.0, "0")],
)  # fmt: skip
def test_a_value_is_written_as_a_person_writes_it(value: Any, text: str) -> None:
    assert formats.format_value(value) == text


def test_an_interval_says_method_n_and_what_it_covers() -> None:
    interval = {
        "low_percent": -0.123,
        "high_percent": 1.5,
        "level_percent": 95.0,
        "method": "a method",
        "n": 10_000,
        "covers": "some noise",
    }
    text = formats.format_interval(interval)
    assert text == "95 % interval −0.12 % to 1.50 % (a method, n = 10,000; covers some noise)"
    assert formats.format_interval(None) == "n/a (n=1)"


def test_a_time_is_in_utc() -> None:
    assert formats.format_time(1_767_225_600.0) == "2026-01-01 00:00 UTC"


def test_counts_and_ratios() -> None:
    assert formats.format_count(27_172_864) == "27,172,864"
    assert formats.format_ratio(1.066) == "1.07 ×"
    assert (formats.format_count(None), formats.format_ratio(None)) == ("n/a", "n/a")
