"""The figure of an ablation; it is handed its axes."""

from typing import Any

from harness.formats import format_loss
from harness.report.curves import Curves
from harness.report.drawing import COLORS, Spot


def draw_ablation(curves: Curves, axes: Any) -> list[Spot]:
    """The ladder as a waterfall: the full loss after each change, and how far each one took it down."""
    ladder = curves.document["ablation"]["ladder"]
    before, after = ladder[0]["before_full_loss_nats_per_char"], ladder[-1]["after_full_loss_nats_per_char"]
    names = ["baseline", *(f"+ {step['unit']}" for step in ladder), curves.document["ablation"]["recipe"]]
    lowest = 0.9 * min(before, *(step["after_full_loss_nats_per_char"] for step in ladder))
    axes.bar(0, before - lowest, bottom=lowest, color=COLORS[0], width=0.6)
    for place, step in enumerate(ladder, 1):
        impact = step["impact_nats_per_char"]
        axes.bar(place, impact, bottom=step["after_full_loss_nats_per_char"], width=0.6,
                 color=COLORS[2] if impact >= 0 else COLORS[1], hatch=None if impact >= 0 else "//")  # fmt: skip
        axes.annotate(format_loss(impact), (place, max(step["before_full_loss_nats_per_char"],
                      step["after_full_loss_nats_per_char"])), ha="center", va="bottom")  # fmt: skip
    axes.bar(len(ladder) + 1, after - lowest, bottom=lowest, color=COLORS[1], width=0.6)
    axes.set(title="What each change is worth, one more at a time", ylabel="full loss, nats per character",
             xticks=range(len(names)))  # fmt: skip
    axes.set_xticklabels(names)
    highest = max(before, *(step["after_full_loss_nats_per_char"] for step in ladder))
    axes.set_ylim(lowest, highest + 0.15 * (highest - lowest))
    axes.grid(visible=False, axis="x")
    return [
        Spot(place, step["after_full_loss_nats_per_char"], f"+ {step['unit']}: full loss "
             f"{format_loss(step['before_full_loss_nats_per_char'])} → "
             f"{format_loss(step['after_full_loss_nats_per_char'])} nats per character")
        for place, step in enumerate(ladder, 1)
    ]  # fmt: skip
