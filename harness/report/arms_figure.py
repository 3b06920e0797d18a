"""The figure of many arms; it is handed its axes, as `figures` is the one module that knows what draws them."""

import math
from typing import Any

from harness.formats import format_loss, shorten
from harness.report.curves import Curves, average
from harness.report.drawing import COLORS, Spot

MAX_SMALL = 150
"""Arms that have room on a page; of more the best ones are drawn."""
_MAX_COLUMNS, _ROW_INCHES, _MAX_INCHES = 10, 0.66, 9.0
_HIGH = 0.72
"""Of a row's height what curves may take; the rest is the name's."""
_INCHES_PER_CHAR = 0.045
Line = list[tuple[float, float]]


def draw_arms(curves: Curves, axes: Any) -> list[Spot]:
    """A small curve of each arm's loss in the order of the ranking, over the first arm's in grey, on one scale."""
    lines = {arm["name"]: _trace(curves, arm) for arm in curves.arms}
    labels = {arm["name"]: arm["label"] for arm in curves.arms}
    first = curves.arms[0]["name"]
    ranked = [row["arm"] for row in curves.document["ranking"]["rows"]]
    shown = [name for name in ranked if name != first and lines[name]][:MAX_SMALL]
    losses = [loss for name in (first, *shown) for _, loss in lines[name]]
    low, high = min(losses), max(losses)
    num_columns = min(_MAX_COLUMNS, max(4, math.ceil(math.sqrt(len(shown)))))
    num_rows = math.ceil(len(shown) / num_columns)
    figure, width = axes.figure, axes.figure.get_figwidth()
    inches = min(_MAX_INCHES, num_rows * _ROW_INCHES + 0.5)
    figure.set_size_inches(width, inches)
    figure.subplots_adjust(left=0.1 / width, right=1 - 0.1 / width, top=1 - 0.4 / inches, bottom=0.05 / inches)
    num_chars = int(width / num_columns / _INCHES_PER_CHAR)
    spots = []
    for place, name in enumerate(shown):
        column, row = place % num_columns, place // num_columns
        for line, color in ((lines[first], "0.75"), (lines[name], COLORS[1])):
            axes.plot(*_put(line, column, row, low, high), linewidth=0.9, color=color)
        xs, ys = _put(lines[name][-1:], column, row, low, high)
        spots.append(Spot(xs[0], ys[0], f"{labels[name]}: {format_loss(lines[name][-1][1])}"))
        axes.text(column + 0.05, row + 0.02, shorten(labels[name], num_chars), fontsize=5.5, va="top")
    scale = f"each from {format_loss(low)} to {format_loss(high)} nats per character"
    axes.set_title(f"Loss by share of the training, {scale}; grey: {shorten(labels[first], 30)}", fontsize=8)
    axes.set(xlim=(0, num_columns), ylim=(num_rows, 0), xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return spots


def _trace(curves: Curves, arm: dict[str, Any]) -> Line:
    """Share of the training and frozen loss of each evaluation, coverage-matched where the arms' coverage differs."""
    trace = curves.trace(arm, "validation", "loss_nats_per_char")
    divisor = arm["sizes"]["coverage"] if curves.matched else 1.0
    if divisor is None:
        return []
    means = average(trace, "loss_nats_per_char")
    return [(point[0]["step"] / point[0]["max_steps"], mean / divisor)
            for point, mean in zip(trace, means, strict=True)]  # fmt: skip


def _put(line: Line, column: int, row: int, low: float, high: float) -> tuple[list[float], list[float]]:
    """A curve in its place of the grid, of which rows count downward."""
    height = high - low or 1.0
    return (
        [column + 0.05 + 0.9 * share for share, _ in line],
        [row + 0.97 - _HIGH * (loss - low) / height for _, loss in line],
    )
