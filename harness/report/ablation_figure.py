"""The figure of an ablation; it is handed its axes."""

from collections.abc import Mapping
from typing import Any

from harness.formats import format_ends, format_loss, format_percent
from harness.report.curves import Curves
from harness.report.drawing import COLORS, Spot, fit_row_names, set_height

PALE = 0.4
"""How opaque an impact is drawn that cannot be told from nothing."""
_HIGH = 0.65
"""Of a row's height what its bar takes."""


def draw_ablation(curves: Curves, axes: Any) -> list[Spot]:
    """The ladder as a waterfall, a row a change: how far each took the full loss down, with its interval at once.

    Its two ends are points: the axis does not begin at 0, so that a bar's length would tell nothing.
    """
    ablation = curves.document["ablation"]
    ladder, nothing = ablation["ladder"], ablation["ladder_nothing"] or ()
    before, after = ladder[0]["before_full_loss_nats_per_char"], ladder[-1]["after_full_loss_nats_per_char"]
    drawn, has_lines, spots = [before, after], False, list[Spot]()
    for row, loss, mark, color in ((0, before, "o", COLORS[0]), (len(ladder) + 1, after, "s", COLORS[1])):
        axes.plot([loss], [row], mark, color=color, markersize=6)
        axes.annotate(format_loss(loss), (loss, row), xytext=(6, 0), textcoords="offset points", va="center")
    for row, step in enumerate(ladder, 1):
        impact, start = step["impact_nats_per_char"], step["before_full_loss_nats_per_char"]
        axes.barh(row, -impact, left=start, height=_HIGH, color=COLORS[2] if impact >= 0 else COLORS[1],
                  hatch=None if impact >= 0 else "//", alpha=PALE if step["unit"] in nothing else 1)  # fmt: skip
        ends = [start, start - impact]
        if step["verdict"]["interval_joint"] is not None:
            interval = step["verdict"]["interval_joint"]
            ends += [start * (1 - interval[f"{end}_percent"] / 100) for end in ("low", "high")]
            axes.plot(ends[2:], [row, row], color="0.2", linewidth=1)
            has_lines = True
        axes.annotate(format_loss(impact), (max(ends), row), xytext=(4, 0), textcoords="offset points", va="center")
        spots.append(Spot(start - impact, row, _say(step)))
        drawn += ends
    last, lowest, width = len(ladder) + 1, min(drawn), max(drawn) - min(drawn)
    set_height(axes, 0.75 + 0.19 * last)
    key = "; lines: intervals at once" * has_lines + "; pale: cannot be told from nothing" * bool(nothing)
    axes.set(title="What each change is worth, one more at a time", xlabel=f"full loss, nats per character{key}",
             ylim=(last + 0.5, -0.5), xlim=(lowest - 0.03 * width, lowest + 1.12 * width),
             yticks=range(last + 1))  # fmt: skip
    axes.set_yticklabels(["baseline", *(f"+ {step['unit']}" for step in ladder), ablation["recipe"]])
    axes.grid(visible=False, axis="y")
    fit_row_names(axes)
    return spots


def _say(step: Mapping[str, Any]) -> str:
    losses = (format_loss(step[f"{when}_full_loss_nats_per_char"]) for when in ("before", "after"))
    verdict = step["verdict"]
    interval = "" if verdict["interval_joint"] is None else f" ({format_ends(verdict['interval_joint'])}, all at once)"
    gain = f"gain {format_percent(verdict['gain_percent'], 2)}{interval}"
    return f"+ {step['unit']}: full loss {' → '.join(losses)} nats per character, {gain}"
