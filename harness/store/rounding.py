"""How exact a stored number is: beyond these digits one machine's rounding differs from another's."""

from typing import Any

SIGNIFICANT_DIGITS = 12
NUMBER_TOLERANCE = 1e-9
"""Relative difference that another machine's rounding may cause."""


def round_numbers(value: Any) -> Any:
    """The same value with every float rounded to 12 significant digits and every tuple a list."""
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: round_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [round_numbers(item) for item in value]
    return value


def find_difference(found: Any, expected: Any, where: str = "") -> str | None:
    """Where two JSON-like values first differ, with both; numbers may differ by rounding. None where they do not."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            if key not in found or key not in expected:
                return f"{where}/{key}: {'missing' if key not in found else 'not expected'}"
            difference = find_difference(found[key], expected[key], f"{where}/{key}")
            if difference:
                return difference
        return None
    if isinstance(found, list) and isinstance(expected, list):
        if len(found) != len(expected):
            return f"{where}: {len(found)} items, expected {len(expected)}"
        differences = (
            find_difference(a, b, f"{where}/{i}") for i, (a, b) in enumerate(zip(found, expected, strict=True))
        )
        return next((difference for difference in differences if difference), None)
    if isinstance(found, float) and isinstance(expected, float):
        same = found == expected or abs(found - expected) <= NUMBER_TOLERANCE * min(abs(found), abs(expected))
    else:
        same = type(found) is type(expected) and found == expected
    return None if same else f"{where}: found {found!r}, expected {expected!r}"
