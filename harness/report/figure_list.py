"""The figures of the reports, each with all that is to be known of it in one entry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.report.ablation_figure import draw_ablation
from harness.report.arms_figure import draw_arms
from harness.report.blocks import Figure
from harness.report.curve_figures import (
    draw_gain,
    draw_learning_rate,
    draw_loss_by_step,
    draw_loss_by_time,
    draw_perplexity,
    draw_training_loss,
)
from harness.report.curves import MAX_NAMED, Curves, build_curves
from harness.report.drawing import Spot
from harness.report.interval_figure import draw_intervals
from harness.report.sweep_figure import draw_sweeps
from harness.store.measurements import Row


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """A figure: what it shows in words, what draws it into axes and returns what hovering says, and when it is made."""

    words: str
    draw: Callable[[Curves, Any], list[Spot]]
    has_content: Callable[[Curves], bool]
    """Whether it has something to show; none is drawn empty."""
    is_half_wide: bool = False
    """Whether two stand side by side."""
    is_first: bool = False
    """Whether it stands on the first page of a PDF, and at the top of a page for a browser and of Markdown."""


def _has(split: str, *fields: str) -> Callable[[Curves], bool]:
    return lambda curves: all(curves.has(split, field) for field in fields)


_half = partial(FigureKind, is_half_wide=True)
FIGURES: dict[str, FigureKind] = {
    "ablation": FigureKind(
        words="Waterfall of the full loss, one more change at a time",
        draw=draw_ablation,
        has_content=lambda curves: curves.document["ablation"] is not None,
        is_first=True,
    ),
    "sweeps": FigureKind(
        words="Loss of every arm along the setting that was swept, with the interval of its difference from the best",
        draw=draw_sweeps,
        has_content=lambda curves: bool(curves.document["sweeps"]),
        is_first=True,
    ),
    "loss_by_step": FigureKind(
        words="Validation loss by step of every arm",
        draw=draw_loss_by_step,
        has_content=_has("validation", "loss_nats_per_char"),
        is_first=True,
    ),
    "intervals": FigureKind(
        words="Gain of every arm over the baseline with its interval, against the margin",
        draw=draw_intervals,
        has_content=lambda curves: any(pair["verdict"]["interval_95"] for pair in curves.document["pairs"]),
        is_first=True,
    ),
    "arms": FigureKind(
        words="A small curve of the validation loss of each arm, over that of the first one",
        draw=draw_arms,
        has_content=lambda curves: len(curves.arms) > MAX_NAMED and _has("validation", "loss_nats_per_char")(curves),
    ),
    "loss_by_time": _half(
        words="Validation loss by training time of every arm",
        draw=draw_loss_by_time,
        has_content=_has("validation", "loss_nats_per_char", "elapsed_s"),
    ),
    "gain": _half(
        words="Gain over the baseline by step",
        draw=draw_gain,
        has_content=lambda curves: any(pair["steps"] for pair in curves.document["pairs"]),
    ),
    "training_loss": _half(
        words="Training loss by step of every arm",
        draw=draw_training_loss,
        has_content=_has("train", "loss_nats_per_token"),
    ),
    "learning_rate": _half(
        words="Learning rate by step of every arm",
        draw=draw_learning_rate,
        has_content=_has("train", "learning_rate"),
    ),
    "perplexity": _half(
        words="Validation perplexity by step of every arm",
        draw=draw_perplexity,
        has_content=_has("validation", "perplexity_per_token"),
    ),
}
"""File name → the figure, in the order of the reports."""


def list_figures(document: Mapping[str, Any], rows: Sequence[Row]) -> list[str]:
    """The figures that have something to show of a document with all its measurements."""
    curves = build_curves(document, rows)
    return [name for name, kind in FIGURES.items() if document["pairs"] and kind.has_content(curves)]


def show_figures(document: Mapping[str, Any], *, is_first: bool) -> list[Figure]:
    """Those of a document's figures that stand on the first page, or behind it, as blocks of a report."""
    shown = [
        (name, kind) for name, kind in FIGURES.items() if name in document["figures"] and kind.is_first == is_first
    ]
    return [Figure(name, kind.words, kind.is_half_wide) for name, kind in shown]
