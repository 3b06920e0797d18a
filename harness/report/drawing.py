"""How figures look, whatever they show: colours, dashes and marks, names at the ends of lines, and what hovering says.

Axes are handed in, as `figures` is the one module that knows what draws them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from harness.formats import shorten
from harness.report.curves import Curves, Point, average

COLORS = ("#717581", "#bd1f01", "#3f90da", "#832db6", "#e76300", "#a96b59", "#ffa90e", "#94a4a2", "#b9ac70", "#92dadd")
"""Of M. A. Petroff, "Accessible color sequences for data visualization", with the baseline's grey first."""
MARKERS = ("o", "s", "^", "D", "v")
_DASHES = ("--", "-", "-.", ":")
SIZE_INCHES = (6.7, 2.35)
HALF_SIZE_INCHES = (4.2, 1.6)
LEFT_INCHES, RIGHT_INCHES, TOP_INCHES, BOTTOM_INCHES = 0.7, 0.1, 0.25, 0.425
"""Between the axes and the edges of a figure."""
MAX_NAME_SHARE = 0.3
"""Of a figure's width; longer names are cut in the middle."""
MAX_POINTS = 5_000
"""A longer curve is drawn with every second, third … point."""
MAX_SPOTS = 100
"""Places of one curve that say their value."""
_NAME_INCHES = 0.18
"""Between the axes and a name, where a stroke leads to it."""


@dataclass(frozen=True)
class Spot:
    """A place of a figure, in the units of its axes, with what a reader who points at it is told."""

    x: float
    y: float
    text: str


def draw_arm(
    curves: Curves,
    axes: Any,
    place: int,
    trace: Sequence[Point],
    field: str,
    show: Callable[[float], str],
    *,
    across: Sequence[float] | None = None,
    divisor: float = 1.0,
    **style: Any,
) -> list[Spot]:
    """The curve of the arm at `place`: the mean over its seeds, and from the lowest to the highest of them a band.

    It stands over the steps, or over `across`, one number a point.
    """
    arm, trace = curves.arms[place], trace[:: 1 + len(trace) // MAX_POINTS]
    across = across or [point[0]["step"] for point in trace]
    means = [value / divisor for value in average(trace, field)]
    looks = choose_style(curves, place, arm["label"]) | style
    axes.plot(across, means, **looks)
    if arm["name"] not in curves.named:
        return []
    ends = [[end(row[field] for row in point) / divisor for point in trace] for end in (min, max)]
    num_seeds = len(curves.runs[arm["name"]])
    if num_seeds > 1:
        axes.fill_between(across, *ends, color=looks["color"], alpha=0.18, linewidth=0)
    spots = []
    for x, mean, low, high, point in list(zip(across, means, *ends, trace, strict=True))[
        :: 1 + len(trace) // MAX_SPOTS
    ]:
        spread = f" ({show(low)} to {show(high)} over {num_seeds} seeds)" if num_seeds > 1 else ""
        spots.append(Spot(x, mean, f"{arm['label']}, step {point[0]['step']:,}: {show(mean)}{spread}"))
    return spots


def choose_style(curves: Curves, place: int, label: str) -> dict[str, Any]:
    """How the arm at a place is drawn: by colour, dash and marker, or as one of many grey lines."""
    name = curves.arms[place]["name"]
    if name not in curves.named:
        return {"color": "0.82", "linewidth": 0.5, "zorder": 0}
    place = curves.named.index(name) if curves.has_many else place
    return {"linestyle": _DASHES[place % 4], "marker": MARKERS[place % 5], "markersize": 3,
            "color": COLORS[place % 10], "label": label}  # fmt: skip


def name_lines(axes: Any) -> None:
    """Writes the name of every line behind its end; a legend below where they find no room or look the same there."""
    figure = axes.figure
    lines = [line for line in axes.lines if not line.get_label().startswith("_") and len(line.get_xdata())]
    names = [axes.text(1, 0, line.get_label(), transform=axes.transAxes, va="center") for line in lines]
    renderer, room = figure.canvas.get_renderer(), MAX_NAME_SHARE * figure.get_figwidth() * figure.dpi
    for name in names:
        share = room / name.get_window_extent(renderer).width
        name.set_text(shorten(name.get_text(), int(share * len(name.get_text()))))
    boxes = [name.get_window_extent(renderer) for name in names]
    width = max((box.width for box in boxes), default=0) / figure.dpi
    gap = max((box.height for box in boxes), default=0) / axes.bbox.height
    if len({name.get_text() for name in names}) < len(names) or gap * len(names) > 1:
        for name in names:
            name.remove()
        _add_legend(axes)
        return
    figure.subplots_adjust(right=1 - (width + _NAME_INCHES + RIGHT_INCHES) / figure.get_figwidth())
    axes.get_ylim()  # until then the limits do not hold all that was drawn
    ends = [axes.transAxes.inverted().transform(axes.transData.transform(line.get_xydata()[-1])) for line in lines]
    shift = _NAME_INCHES * figure.dpi / axes.bbox.width
    places = spread([min(max(y, 0.0), 1.0) for _, y in ends], gap)
    for line, name, end, y in zip(lines, names, ends, places, strict=True):
        name.set_position((1 + shift, y))
        axes.plot([end[0], 1 + 0.85 * shift], [min(max(end[1], 0.0), 1.0), y], color=line.get_color(), linewidth=0.7,
                  transform=axes.transAxes, clip_on=False)  # fmt: skip


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Places from 0 to 1 at least `gap` apart, in the order of those given and as near to them as can be.

    By isotonic regression of the places less their ranks' share.
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    blocks: list[list[float]] = []
    for rank, index in enumerate(order):
        blocks.append([places[index] - rank * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    lowest = [fmean(block) for block in blocks for _ in block]
    moved = dict(zip(order, lowest, strict=True))
    most = 1 - (len(places) - 1) * gap
    return [min(max(moved[index], 0.0), most) + order.index(index) * gap for index in range(len(places))]


def fit_row_names(axes: Any) -> None:
    """Makes the left margin as wide as the names of the rows, up to half of the figure."""
    figure = axes.figure
    widths = [name.get_window_extent(figure.canvas.get_renderer()).width for name in axes.get_yticklabels()]
    inches = max(LEFT_INCHES, max(widths) / figure.dpi + 0.15)
    figure.subplots_adjust(left=min(0.5, inches / figure.get_figwidth()))


def set_height(axes: Any, inches: float, below: float = 0.0) -> None:
    """Of the whole figure; the margins stay as wide as they are, and `below` more inches are free under the axes."""
    axes.figure.set_size_inches(axes.figure.get_figwidth(), inches)
    axes.figure.subplots_adjust(top=1 - TOP_INCHES / inches, bottom=(BOTTOM_INCHES + below) / inches)


def use_log_scale(axes: Any) -> None:
    """With plain tick labels: matplotlib's own are mathematical text, which takes a third of all the drawing."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.yaxis.set_minor_formatter("")


def say_seeds(curves: Curves) -> str:
    """What a curve and its band are of, where there are several seeds."""
    counts = {len(runs) for runs in curves.runs.values()}
    up_to = "up to " * (len(counts) > 1)
    return f"; mean and range of {up_to}{curves.max_seeds} seeds" if curves.max_seeds > 1 else ""


def _add_legend(axes: Any) -> None:
    """Below the axes, which makes the figure higher."""
    num_entries = len(axes.get_legend_handles_labels()[1])
    ncols = 1 if axes.figure.get_figwidth() < SIZE_INCHES[0] else 2
    extra = 0.2 * -(-num_entries // ncols)
    set_height(axes, axes.figure.get_figheight() + extra, below=extra)
    axes.legend(
        ncols=ncols, loc="upper center", bbox_to_anchor=(0.5, -BOTTOM_INCHES * axes.figure.dpi / axes.bbox.height)
    )
