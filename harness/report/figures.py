"""The curves of a comparison as SVG files: the only module that imports matplotlib.

A new figure is a function in `FIGURES`. Arms differ by colour, dash and marker, so that grey print stays readable.
"""

import io
import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.report.ablation_figure import draw_ablation
from harness.report.arms_figure import draw_arms
from harness.report.curves import Curves, group_rows
from harness.report.sections import HALF_WIDE
from harness.report.sweep_figure import draw_sweeps
from harness.store.measurements import Row
from mainrun.record.errors import MachineError
from mainrun.record.files import make_folder, save_text

_backend = os.environ.pop("MPLBACKEND", None)  # a notebook's is not one that every process can import
try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter
except Exception as error:  # it reads the user's settings, and writes a list of fonts, as it is imported
    what = (
        f"{type(error).__name__}: {error}. Look for a damaged matplotlibrc; MPLCONFIGDIR names a folder for its files"
    )
    raise MachineError(f"matplotlib cannot be loaded: {what}.") from error
finally:
    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend

FOLDER = "figures"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mainrun",
    "text.parse_math": False,  # a name with dollar signs is no formula
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
_DEFAULTS = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}
"""Of matplotlib itself, whatever a matplotlibrc of the user's says."""
_COLORS = [mpl.color_sequences["petroff10"][place] for place in (8, 2, 0, 4, 6, 5, 1, 3, 7, 9)]
_DASHES = ("--", "-", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v")
MAX_POINTS = 5_000
"""A longer curve is drawn with every second, third … point."""
_SIZE_INCHES = (6.7, 2.5)
_HALF_SIZE_INCHES = (4.2, 2.5)
_TOP, _BOTTOM = 0.9, 0.17
"""Edges of the axes, as shares of the figure's height."""
MAX_LEGEND_INSIDE = 4
"""A legend with more entries would hide the curves, and stands below them."""


def save_figures(folder: Path, document: dict[str, Any], rows: Sequence[Row]) -> None:
    """Draws all figures that have something to show into `folder`/figures."""
    curves = Curves(document, group_rows(document, rows))
    make_folder(folder / FOLDER)
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcParams.update(_DEFAULTS | _STYLE)
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the page's reader has fonts of its own
        for name, draw in FIGURES.items():
            path = folder / FOLDER / f"{name}.svg"
            if name not in document["figures"]:
                path.unlink(missing_ok=True)
                continue
            width, height = _HALF_SIZE_INCHES if name in HALF_WIDE else _SIZE_INCHES
            figure = Figure(figsize=(width, height))
            FigureCanvasAgg(figure)
            figure.subplots_adjust(left=0.7 / width, right=1 - 0.1 / width, top=_TOP, bottom=_BOTTOM)
            draw(curves, figure.subplots())
            content = io.StringIO()
            figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
            save_text(path, content.getvalue())


def draw_loss_by_step(curves: Curves, axes: Axes) -> None:
    """Frozen loss, coverage-matched where the arms' coverage differs, and the full loss where it was measured."""
    by_share = not curves.same_steps
    _draw_loss(curves, axes, lambda row: row["step"] / (row["max_steps"] if by_share else 1))
    for place, arm in enumerate(curves.document["arms"]):
        steps, values, _ = curves.validation(arm, "full_loss_nats_per_char")
        if not steps or by_share or arm["name"] not in curves.named:
            continue
        axes.plot(steps, values, linestyle="none", marker=_MARKERS[place % 5], markerfacecolor="none",
                  color=_COLORS[place % 10], markersize=5, label=f"{arm['label']}, full loss")  # fmt: skip
    axes.set(title="Validation loss by step", xlabel="share of the training" if by_share else "step",
             ylabel="nats per character")  # fmt: skip
    _add_legend(axes, ncols=2)


def draw_loss_by_time(curves: Curves, axes: Axes) -> None:
    """The same loss over the training clock, which stops for evaluations."""
    longest = max((row["elapsed_s"] or 0.0 for rows in curves.rows.values() for row in rows), default=0.0)
    unit, seconds = ("minutes", 60.0) if longest >= 300 else ("seconds", 1.0)
    _draw_loss(curves, axes, lambda row: None if row["elapsed_s"] is None else row["elapsed_s"] / seconds)
    axes.set(title="Validation loss by training time", xlabel=f"training time, {unit}")
    _add_legend(axes)


def draw_gain(curves: Curves, axes: Axes) -> None:
    """How much lower each candidate's loss is at each evaluation."""
    names = [arm["name"] for arm in curves.document["arms"]]
    for pair in curves.document["pairs"]:
        place = names.index(pair["candidate"])
        label = f"{pair['candidate_label']} against {pair['baseline_label']}"
        axes.plot([row["baseline_step"] for row in pair["steps"]], [row["gain_percent"] for row in pair["steps"]],
                  **_style(curves, place, label))  # fmt: skip
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.set(title="Gain over the baseline by step", xlabel="step of the baseline", ylabel="loss lower by, %")
    _add_legend(axes)


def draw_intervals(curves: Curves, axes: Axes) -> None:
    """The 95 % interval of every gain against the margin."""
    pairs = [pair for pair in curves.document["pairs"] if pair["verdict"]["interval_95"]]
    names = [arm["name"] for arm in curves.document["arms"]]
    margin = curves.document["margin_percent"]
    axes.axvspan(-margin, margin, color="0.9", zorder=0)
    axes.axvline(0, color="0.3", linewidth=0.8)
    for place, pair in enumerate(pairs):
        interval, color = pair["verdict"]["interval_95"], _COLORS[names.index(pair["candidate"]) % 10]
        low, high, gain = interval["low_percent"], interval["high_percent"], pair["verdict"]["gain_percent"]
        axes.plot([low, high], [place, place], color=color, linewidth=5, solid_capstyle="butt", alpha=0.55)
        axes.plot([gain], [place], "|", color=color, markersize=13, markeredgewidth=2)
    _set_height(axes, 0.75 + 0.28 * len(pairs))
    axes.set(title="Gain and its interval; grey: the margin, within which a gain counts as none",
             xlabel="loss lower by, %", ylim=(len(pairs) - 0.5, -0.5), yticks=range(len(pairs)))  # fmt: skip
    axes.set_yticklabels([pair["candidate_label"] for pair in pairs])
    axes.grid(visible=False, axis="y")


def draw_training_loss(curves: Curves, axes: Axes) -> None:
    """Loss of each training batch: nats per token, so not comparable between tokenizers."""
    for place, arm in enumerate(curves.document["arms"]):
        rows = [row for row in curves.rows[arm["name"]] if row["split"] == "train"]
        rows = rows[:: 1 + len(rows) // MAX_POINTS]
        axes.plot([row["step"] for row in rows], [row["loss_nats_per_token"] for row in rows],
                  **_style(curves, place, arm["label"]) | {"linewidth": 0.7, "marker": None})  # fmt: skip
    axes.set(title="Training loss by step", xlabel="step", ylabel="nats per token")
    _add_legend(axes)


def draw_learning_rate(curves: Curves, axes: Axes) -> None:
    """The learning rate each step used, on a logarithmic scale; a rate of 0 is left out."""
    for place, arm in enumerate(curves.document["arms"]):
        rows = [row for row in curves.rows[arm["name"]] if row["split"] == "train" and (row["learning_rate"] or 0) > 0]
        rows = rows[:: 1 + len(rows) // MAX_POINTS]
        axes.plot([row["step"] for row in rows], [row["learning_rate"] for row in rows],
                  **_style(curves, place, arm["label"]) | {"marker": None})  # fmt: skip
    peak = max(
        (row["learning_rate"] or 0 for rows in curves.rows.values() for row in rows if row["split"] == "train"),
        default=1,
    )
    axes.set(title="Learning rate by step", xlabel="step")
    _use_log_scale(axes)
    axes.set_ylim(peak / 1e4, peak * 2)
    _add_legend(axes)


def draw_perplexity(curves: Curves, axes: Axes) -> None:
    """Validation perplexity per token at the steps where the full loss was measured."""
    for place, arm in enumerate(curves.document["arms"]):
        steps, values, _ = curves.validation(arm, "perplexity_per_token")
        axes.plot(steps, values, **_style(curves, place, arm["label"]))
    axes.set(title="Validation perplexity by step", xlabel="step", ylabel="per token")
    _use_log_scale(axes)
    _add_legend(axes)


def _use_log_scale(axes: Axes) -> None:
    """With plain tick labels: matplotlib's own are mathematical text, which takes a third of all the drawing."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _add_legend(axes: Axes, ncols: int = 1) -> None:
    """Inside the axes where there is room, else below them, which makes the figure higher."""
    num_entries = len(axes.get_legend_handles_labels()[1])
    if num_entries <= MAX_LEGEND_INSIDE:
        axes.legend(ncols=ncols)
        return
    figure = axes.figure
    assert isinstance(figure, Figure)
    ncols = 1 if figure.get_figwidth() < _SIZE_INCHES[0] else 2
    extra = 0.2 * -(-num_entries // ncols)
    _set_height(axes, _SIZE_INCHES[1] + extra, below=extra)
    axes.legend(ncols=ncols, loc="upper center", bbox_to_anchor=(0.5, -0.21))


def _set_height(axes: Axes, inches: float, below: float = 0.0) -> None:
    """Of the whole figure; the margins stay as wide as they are, and `below` more inches are free under the axes."""
    figure, usual = axes.figure, _SIZE_INCHES[1]
    assert isinstance(figure, Figure)
    figure.set_size_inches(figure.get_size_inches()[0], inches)
    figure.subplots_adjust(top=1 - (1 - _TOP) * usual / inches, bottom=(_BOTTOM * usual + below) / inches)


def _style(curves: Curves, place: int, label: str) -> dict[str, Any]:
    """How the arm at a place is drawn: by colour, dash and marker, or as one of many grey lines."""
    name = curves.document["arms"][place]["name"]
    if name not in curves.named:
        return {"color": "0.82", "linewidth": 0.5, "zorder": 0}
    place = curves.named.index(name) if curves.has_many else place
    return {"linestyle": _DASHES[place % 4], "marker": _MARKERS[place % 5], "markersize": 3,
            "color": _COLORS[place % 10], "label": label}  # fmt: skip


def _draw_loss(curves: Curves, axes: Axes, place_of: Callable[[Row], float | None]) -> None:
    metric = "frozen loss / coverage" if curves.matched else "frozen loss"
    for place, arm in enumerate(curves.document["arms"]):
        _, values, rows = curves.validation(arm, "loss_nats_per_char")
        divisor = arm["sizes"]["coverage"] if curves.matched else 1.0
        places = [place for place in map(place_of, rows) if place is not None]
        if divisor is None or not places or len(places) < len(rows):
            continue
        axes.plot(places, [value / divisor for value in values], **_style(curves, place, f"{arm['label']}, {metric}"))
    axes.set(ylabel="nats per character")


FIGURES: dict[str, Callable[[Curves, Axes], None]] = {
    "loss_by_step": draw_loss_by_step,
    "intervals": draw_intervals,
    "arms": partial(draw_arms, color=_COLORS[1]),
    "loss_by_time": draw_loss_by_time,
    "gain": draw_gain,
    "training_loss": draw_training_loss,
    "learning_rate": draw_learning_rate,
    "perplexity": draw_perplexity,
    "ablation": partial(draw_ablation, colors=_COLORS),
    "sweeps": draw_sweeps,
}
"""File name → what draws it."""
