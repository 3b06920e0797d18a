"""The figure of sweeps; it is handed its axes."""

from typing import Any

from harness.formats import format_loss, format_value
from harness.report.curves import Curves
from harness.report.drawing import MARKERS, Spot


def draw_sweeps(curves: Curves, axes: Any) -> list[Spot]:
    """Loss against the swept value; bars are the 95 % intervals of the difference from the best, which has none.

    Settings of several names share no axis: then the places are those in each sweep.
    """
    sweeps = curves.document["sweeps"]
    names = list(dict.fromkeys(sweep["setting"] for sweep in sweeps))
    is_shared = len(names) == 1
    spots = []
    for place, sweep in enumerate(sweeps):
        points = sweep["points"]
        across = [point["value"] for point in points] if is_shared else list(range(len(points)))
        losses = [point["loss"] for point in points]
        [line] = axes.plot(across, losses, marker=MARKERS[place % len(MARKERS)], markersize=4, label=_name(sweep))
        for x, point in zip(across, points, strict=True):
            if point["low"] is not None:
                axes.plot([x, x], [point["low"], point["high"]], color=line.get_color(), marker="_", markersize=9)
        spots += [Spot(x, point["loss"], f"{point['label']}: {format_loss(point['loss'])}")
                  for x, point in zip(across, points, strict=True)]  # fmt: skip
        best = losses.index(min(losses))
        axes.annotate(format_value(points[best]["value"]), (across[best], losses[best]), xytext=(0, -11),
                      textcoords="offset points", ha="center")  # fmt: skip
    if is_shared:
        if all(sweep["is_log"] for sweep in sweeps):
            axes.set_xscale("log")
        ticks = sorted({point["value"] for sweep in sweeps for point in sweep["points"]})
        axes.set_xticks(ticks)
        axes.set_xticks([], minor=True)
        axes.set_xticklabels([format_value(value) for value in ticks])
    axes.margins(y=0.15)
    axes.set(title="Loss along the sweep; bars: 95 % interval of the difference from the best",
             xlabel=names[0] if is_shared else "place in each sweep", ylabel="nats per character")  # fmt: skip
    if len(sweeps) > 1:
        axes.legend()
    return spots


def _name(sweep: dict[str, Any]) -> str:
    first, last = sweep["points"][0], sweep["points"][-1]
    return f"{sweep['setting']}: {first['label']} … {last['label']}"
