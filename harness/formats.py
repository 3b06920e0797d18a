"""Numbers to text, for the templates, the claims and the terminal. Absent values are "n/a"; nothing here computes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

ABSENT = "n/a"
MAX_QUOTED = 60
MAX_FEW = 6
MAX_DIGITS = 17
"""Decimals that tell any two numbers near 1 apart."""


def format_loss(value: float | None, digits: int = 4) -> str:
    """Four decimals with a real minus: `1.7533`."""
    return ABSENT if value is None else f"{value:.{digits}f}".replace("-", "−")


def format_percent(value: float | None, digits: int = 1) -> str:
    """A signless-zero percentage with a real minus: `24.3 %`, `−1.2 %`."""
    if value is None:
        return ABSENT
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return f"{text.replace('-', '−')} %"


def count_digits_apart(value: float, other: float, least: int) -> int:
    """Decimals, `least` or more, that tell one number from another; `least` where they are the same."""
    if value == other:
        return least
    return next(
        (digits for digits in range(least, MAX_DIGITS) if f"{value:.{digits}f}" != f"{other:.{digits}f}"), MAX_DIGITS
    )


def format_interval(interval: dict[str, Any] | None) -> str:
    """An interval with its method, n and what it covers; "n/a (n=1)" where there is none."""
    if interval is None:
        return f"{ABSENT} (n=1)"
    return f"{format_span(interval)} ({interval['method']}, n = {interval['n']:,}; covers {interval['covers']})"


def format_span(interval: dict[str, Any]) -> str:
    """An interval without what it rests on: `95 % interval 27.95 % to 28.35 %`."""
    return f"{_format_level(interval)} {format_ends(interval)}"


def format_gain_span(interval: dict[str, Any]) -> str:
    """The same behind a gain in words: `95 % interval 2.10 % to 2.48 % higher`, `… 0.35 % higher to 0.12 % lower`."""
    low, high = (interval[f"{end}_percent"] for end in ("low", "high"))
    if low >= 0:
        return format_span(interval)
    if high <= 0:
        return f"{_format_level(interval)} {format_percent(-high, 2)} to {format_percent(-low, 2)} higher"
    return f"{_format_level(interval)} {format_percent(-low, 2)} higher to {format_percent(high, 2)} lower"


def _format_level(interval: dict[str, Any]) -> str:
    return f"{interval['level_percent']:.0f} % interval"


def format_ends(interval: dict[str, Any] | None) -> str:
    """The ends of an interval alone, `27.95 % to 28.35 %`; "n/a" where there is none."""
    if interval is None:
        return ABSENT
    return " to ".join(format_percent(interval[f"{end}_percent"], 2) for end in ("low", "high"))


def format_gain(percent: float, digits: int = 1) -> str:
    """A gain in a loss as words: `24.3 % lower`, `1.2 % higher`."""
    text = format_percent(abs(percent), digits)
    if text == format_percent(0.0, digits):
        return f"unchanged to {10.0**-digits:g} %" if percent else "unchanged"
    return f"{text} {'lower' if percent > 0 else 'higher'}"


def format_count(value: float | None) -> str:
    """A whole number with separators: `27,172,864`."""
    return ABSENT if value is None else f"{value:,.0f}"


def format_number_of(number: int, what: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def format_duration(seconds: float | None) -> str:
    """`42.1 s`, `3 min 05 s` or `2 h 07 min`."""
    if seconds is None:
        return ABSENT
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    if round(seconds) < 3600:
        return f"{round(seconds) // 60} min {round(seconds) % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def format_bytes(num_bytes: float | None) -> str:
    """Binary multiples: `1.4 GiB`."""
    if num_bytes is None:
        return ABSENT
    for unit in ("B", "KiB", "MiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.1f} GiB"


def format_flops(flops: float | None) -> str:
    """Decimal multiples of floating-point operations: `1.34 TFLOP`."""
    if flops is None:
        return ABSENT
    for unit in ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"):
        if flops < 999.5:
            return f"{flops:.3g} {unit}"
        flops /= 1000
    return f"{flops:.3g} PFLOP" if flops < 999.5 else f"{flops / 1000:.3g} EFLOP"


def format_ratio(value: float | None) -> str:
    """`1.07 ×`."""
    return ABSENT if value is None else f"{value:.2f} ×"


def format_value(value: Any) -> str:
    """A configuration value as a person writes it."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def format_time(timestamp: float) -> str:
    """Unix seconds as UTC: `2026-11-23 16:40 UTC`."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M UTC")


def format_settings(settings: Mapping[str, Any]) -> str:
    """`dropout=0.2, epochs=8`."""
    return ", ".join(f"{key}={value}" for key, value in settings.items())


def shorten(text: str, num_chars: int) -> str:
    """A name in at most so many characters, cut in its middle, as names mostly differ at their ends."""
    if len(text) <= num_chars:
        return text
    end = max(0, num_chars - 1) // 2
    return f"{text[: max(0, num_chars - 1 - end)]}…{text[len(text) - end :]}"


def quote(value: Any) -> str:
    """A value as a note or an error shows it: whatever stands in a file, not longer than a few words."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}..."


def format_hash(digest: str) -> str:
    """The beginning of a SHA-256 that stands in full elsewhere."""
    return f"{digest[:16]}…"


def format_commit(commit: str | None) -> str:
    """The beginning of a commit as records hold it, and whether the checkout differed from it."""
    changes = " with changes" if str(commit).endswith("-dirty") else ""
    return format_value(commit)[:12] + changes


def format_list(items: Sequence[Any], separator: str = ", ") -> str:
    """All items, `a, b, c`."""
    return separator.join(map(format_value, items))


def format_few(items: Sequence[Any]) -> str:
    """The first six items, and how many more there are."""
    more = len(items) - MAX_FEW
    return format_list(items) if more <= 0 else f"{format_list(items[:MAX_FEW])} and {more:,} more"


FORMATS: dict[str, Callable[..., str]] = {
    "loss": format_loss,
    "percent": format_percent,
    "whole_percent": lambda value: format_percent(value, 0),
    "fine_percent": lambda value: format_percent(value, 2),
    "percent_size": lambda value: format_percent(abs(value)),
    "decimals": lambda value: f"{value:.2f}",
    "points": lambda value: f"{abs(value):.1f}",
    "gain": format_gain,
    "fine_gain": lambda percent: format_gain(percent, 2),
    "interval": format_interval,
    "gain_span": format_gain_span,
    "count": format_count,
    "duration": format_duration,
    "ratio": format_ratio,
    "value": format_value,
    "time": format_time,
    "settings": format_settings,
    "list": format_list,
    "few": format_few,
    "hashes": lambda value: format_list([*map(format_hash, value)]),
    "clauses": lambda value: format_list(value, "; "),
}
"""By the name that templates and the slots of claims use."""
