"""The figures of curves. Arms differ by colour, dash and marker, so that grey print stays readable."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from harness.formats import format_loss, format_percent, format_value
from harness.report.curves import Curves, Point, average
from harness.report.drawing import Spot, choose_style, draw_arm, name_lines, say_seeds, use_log_scale


def draw_loss_by_step(curves: Curves, axes: Any) -> list[Spot]:
    """Frozen loss, coverage-matched where the arms' coverage differs, and the full loss where it was measured."""
    by_share = curves.has_many and not curves.same_steps
    spots = _draw_loss(curves, axes, lambda row: row["step"] / (row["max_steps"] if by_share else 1))
    with_full = False
    for place, arm in enumerate(curves.arms):
        trace = curves.trace(arm, "validation", "full_loss_nats_per_char")
        if not trace or by_share or arm["name"] not in curves.named:
            continue
        with_full = True
        steps, means = [point[0]["step"] for point in trace], average(trace, "full_loss_nats_per_char")
        marks = {"linestyle": "none", "markerfacecolor": "none", "markersize": 5, "label": None}
        axes.plot(steps, means, **choose_style(curves, place, arm["label"]) | marks)
        spots += [Spot(step, mean, f"{arm['label']}, step {step:,}, full loss: {format_loss(mean)}")
                  for step, mean in zip(steps, means, strict=True)]  # fmt: skip
    lines = f"lines: {_name_metric(curves)}{'; open marks: full loss' if with_full else ''}{say_seeds(curves)}"
    across, others = "share of the training" if by_share else "step", "; pale: the other arms" * curves.has_many
    axes.set(title=f"Validation loss by {across}{others}", xlabel=f"{across} ({lines})")
    name_lines(axes)
    return spots


def draw_loss_by_time(curves: Curves, axes: Any) -> list[Spot]:
    """The same loss over the training clock, which stops for evaluations; it is said where the times do not compare."""
    longest = max(
        (row["elapsed_s"] or 0.0 for runs in curves.runs.values() for run in runs for row in run), default=0.0
    )
    unit, seconds = ("minutes", 60.0) if longest >= 300 else ("seconds", 1.0)
    spots = _draw_loss(curves, axes, lambda row: None if row["elapsed_s"] is None else row["elapsed_s"] / seconds)
    metric = _name_metric(curves).capitalize()
    clock = f"{unit}, not comparable" if curves.document["ranking"]["time_doubts"] else f"training time, {unit}"
    axes.set(title=f"{metric} by training time", xlabel=f"{clock}{say_seeds(curves)}")
    name_lines(axes)
    return spots


def draw_gain(curves: Curves, axes: Any) -> list[Spot]:
    """How much lower each candidate's loss is at each evaluation."""
    pairs, names = curves.document["pairs"], [arm["name"] for arm in curves.arms]
    has_one = len({pair["baseline"] for pair in pairs}) == 1
    spots = []
    for pair in pairs:
        label = pair["candidate_label"] + ("" if has_one else f" against {pair['baseline_label']}")
        axes.plot([row["baseline_step"] for row in pair["steps"]], [row["gain_percent"] for row in pair["steps"]],
                  **choose_style(curves, names.index(pair["candidate"]), label))  # fmt: skip
        if pair["candidate"] in curves.named:
            spots += [Spot(row["baseline_step"], row["gain_percent"],
                           f"{label}, step {row['baseline_step']:,}: {format_percent(row['gain_percent'])}")
                      for row in pair["steps"]]  # fmt: skip
    axes.axhline(0, color="0.3", linewidth=0.8)
    seed = f", seed {curves.arms[0]['seed']}" if curves.max_seeds > 1 else ""
    axes.set(title="Gain over the baseline by step", xlabel=f"step of the baseline{seed}", ylabel="loss lower by, %")
    name_lines(axes)
    return spots


def draw_training_loss(curves: Curves, axes: Any) -> list[Spot]:
    """Loss of each training batch: nats per token, so not comparable between tokenizers."""
    spots = _draw_by_step(curves, axes, "train", "loss_nats_per_token", linewidth=0.7, marker=None)
    axes.set(title="Training loss by step", xlabel=f"step{say_seeds(curves)}", ylabel="nats per token")
    name_lines(axes)
    return spots


def draw_learning_rate(curves: Curves, axes: Any) -> list[Spot]:
    """The learning rate each step used, on a logarithmic scale; a rate of 0 is left out."""
    spots = []
    rates = [
        [point[:1] for point in curves.trace(arm, "train", "learning_rate") if point[0]["learning_rate"] > 0]
        for arm in curves.arms
    ]
    for place, trace in enumerate(rates):
        spots += draw_arm(curves, axes, place, trace, "learning_rate", format_value, marker=None)
    peak = max((point[0]["learning_rate"] for trace in rates for point in trace), default=1)
    axes.set(title="Learning rate by step", xlabel="step")
    use_log_scale(axes)
    axes.set_ylim(peak / 1e4, peak * 2)
    name_lines(axes)
    return spots


def draw_perplexity(curves: Curves, axes: Any) -> list[Spot]:
    """Validation perplexity per token at the steps where the full loss was measured."""
    spots = _draw_by_step(curves, axes, "validation", "perplexity_per_token")
    axes.set(title="Validation perplexity by step", xlabel=f"step{say_seeds(curves)}", ylabel="per token")
    use_log_scale(axes)
    name_lines(axes)
    return spots


def _draw_by_step(curves: Curves, axes: Any, split: str, field: str, **style: Any) -> list[Spot]:
    traces = [curves.trace(arm, split, field) for arm in curves.arms]
    return [spot for place, trace in enumerate(traces) if trace
            for spot in draw_arm(curves, axes, place, trace, field, format_value, **style)]  # fmt: skip


def _draw_loss(curves: Curves, axes: Any, place_of: Callable[[Any], float | None]) -> list[Spot]:
    field, spots = "loss_nats_per_char", list[Spot]()
    for place, arm in enumerate(curves.arms):
        trace = curves.trace(arm, "validation", field)
        divisor = arm["sizes"]["coverage"] if curves.matched else 1.0
        across = _average_places(trace, place_of)
        if divisor is not None and across:
            spots += draw_arm(curves, axes, place, trace, field, format_loss, across=across, divisor=divisor)
    axes.set(ylabel="nats per character")
    return spots


def _average_places(trace: Sequence[Point], place_of: Callable[[Any], float | None]) -> list[float] | None:
    """Where the points lie, the mean over the seeds; None where that is not known of all."""
    places = [[found for row in point if (found := place_of(row)) is not None] for point in trace]
    known = all(len(found) == len(point) for found, point in zip(places, trace, strict=True))
    return [fmean(found) for found in places] if known else None


def _name_metric(curves: Curves) -> str:
    return "frozen loss / coverage" if curves.matched else "frozen loss"
