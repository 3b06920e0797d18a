"""What the command line prints about a comparison that is done: functions that return text."""

from pathlib import Path
from typing import Any

from harness.cli.any_text import format_foreign_result
from harness.formats import format_gain, format_loss, format_percent


def format_result(document: dict[str, Any], folder: Path) -> str:
    """The headline of a comparison and where its reports are."""
    foreign = "foreign" in document
    lines = format_foreign_result(document) if foreign else []
    arms = {arm["name"]: arm for arm in document["arms"]}
    for pair in [] if foreign else document["pairs"]:
        before, after = arms[pair["baseline"]]["final"], arms[pair["candidate"]]["final"]
        lines += [
            f"{pair['candidate_label']} against {pair['baseline_label']}: {pair['verdict']['label']}",
            f"  {pair['verdict']['reason']}; margin {format_percent(pair['verdict']['margin_percent'])}",
            f"  full loss    {format_loss(before['full_loss_nats_per_char'])} → "
            f"{format_loss(after['full_loss_nats_per_char'])} nats/char, {format_gain(pair['full_gain_percent'])}",
            f"  frozen loss  {format_loss(before['loss_nats_per_char'])} → "
            f"{format_loss(after['loss_nats_per_char'])} nats/char, {format_gain(pair['reported_gain_percent'])}",
        ]
    for caveat in [] if foreign else document["caveats"][:1]:
        lines.append(f"  {caveat['text']}")
    lines.append(f"Reports: {folder}/PERFORMANCE_SUMMARY.md, TRAINING_OPTIMIZATION_REPORT.md, report.pdf")
    lines.append(f"TensorBoard: tensorboard --host 127.0.0.1 --logdir {folder}/logs/tensorboard")
    return "\n".join(lines)
