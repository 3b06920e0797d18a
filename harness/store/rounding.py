"""How exact a stored number is: beyond these digits one machine's rounding differs from another's."""

from typing import Any

SIGNIFICANT_DIGITS = 12


def round_numbers(value: Any) -> Any:
    """The same value with every float rounded to 12 significant digits and every tuple a list."""
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: round_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [round_numbers(item) for item in value]
    return value
