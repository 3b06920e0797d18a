"""The figure of every gain with its interval; it is handed its axes."""

from typing import Any

from harness.formats import format_ends, format_percent
from harness.report.curves import Curves
from harness.report.drawing import Spot, choose_style, fit_row_names, set_height


def draw_intervals(curves: Curves, axes: Any) -> list[Spot]:
    """The 95 % interval of every gain against the margin."""
    pairs = [pair for pair in curves.document["pairs"] if pair["verdict"]["interval_95"]]
    names = [arm["name"] for arm in curves.arms]
    margin = curves.document["margin_percent"]
    axes.axvspan(-margin, margin, color="0.9", zorder=0)
    axes.axvline(0, color="0.3", linewidth=0.8)
    spots = []
    for place, pair in enumerate(pairs):
        interval, arm = pair["verdict"]["interval_95"], names.index(pair["candidate"])
        color = choose_style(curves, arm, "")["color"] if pair["candidate"] in curves.named else "0.5"
        low, high, gain = interval["low_percent"], interval["high_percent"], pair["verdict"]["gain_percent"]
        axes.plot([low, high], [place, place], color=color, linewidth=5, solid_capstyle="butt", alpha=0.55)
        axes.plot([gain], [place], "|", color=color, markersize=13, markeredgewidth=2)
        said = f"{pair['candidate_label']}: {format_percent(gain, 2)} ({format_ends(interval)})"
        spots.append(Spot(gain, place, said))
    set_height(axes, 0.75 + 0.28 * len(pairs))
    axes.set(title="Gain and its 95 % interval; grey: the margin",
             xlabel="loss lower by, %", ylim=(len(pairs) - 0.5, -0.5), yticks=range(len(pairs)))  # fmt: skip
    axes.set_yticklabels([pair["candidate_label"] for pair in pairs])
    axes.grid(visible=False, axis="y")
    fit_row_names(axes)
    return spots
