"""What the command line prints about plans and comparisons: functions that return text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.check.registry import Finding
from harness.check.rules import describe_corpus
from harness.cli.any_text import format_external_plan, format_foreign_result
from harness.formats import format_count, format_flops, format_gain, format_loss, format_percent, format_value
from harness.plan.plan import Arm, Plan
from harness.verify.gate import Condition
from mainrun.config import find_changes, join_keys


def format_plan(plan: Plan, folder: Path) -> str:
    """The whole plan: data, arms side by side, what differs, order, paths."""
    if plan.sources is not None:
        return format_external_plan(plan, folder)
    corpus = plan.corpus
    baseline = plan.arms[0]
    lines = [
        f"Comparison {plan.name}, preset {plan.preset}",
        f"Titles: {describe_corpus(corpus)}; {format_count(corpus['num_train_titles'])} training, "
        f"{format_count(corpus['num_validation_titles'])} validation, "
        f"{format_count(corpus['num_available'])} available",
        f"Fingerprints: training {corpus['train_sha256'][:16]}…, validation {corpus['validation_sha256'][:16]}…",
        "",
        *_format_columns(["", *(arm.label for arm in plan.arms)], _describe_sizes(plan.arms)),
        "",
        "Configuration (* differs from the first arm)",
        *_format_columns(["", *(arm.label for arm in plan.arms)], _describe_configs(plan.arms)),
        "",
    ]
    for arm in plan.arms[1:]:
        changes = find_changes(baseline.config, arm.config)
        lines.append(f"{arm.label} differs from {baseline.label} in {len(changes)} settings")
        lines += [f"  {key}: {format_value(old)} → {format_value(new)}" for key, (old, new) in changes.items()]
    lines += [
        "",
        f"Decided on {plan.primary_metric} at the last step; margin {format_percent(plan.margin_percent)}",
        "Order:",
        *(f"  {place}. {folder / 'runs' / plan.describe_run(run)}" for place, run in enumerate(plan.runs, 1)),
    ]
    return "\n".join(lines)


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


def format_list(entries: Iterable[dict[str, Any]]) -> str:
    """Stored comparisons, one a line."""
    rows = [
        [
            entry["name"],
            entry["preset"] or "",
            entry["pair"] or entry["problem"] or "",
            format_loss(entry["baseline_full_loss_nats_per_char"]),
            format_loss(entry["candidate_full_loss_nats_per_char"]),
            format_percent(entry["full_gain_percent"]),
            entry["verdict"] or "",
        ]
        for entry in entries
    ]
    if not rows:
        return "No comparisons yet. Make one with: python -m harness compare"
    return "\n".join(_format_columns(["name", "preset", "pair", "full loss", "", "gain", "verdict"], rows))


def format_findings(findings: Sequence[Finding]) -> str:
    """Every finding with its evidence, and a last line that counts them."""
    lines = [f"{finding.status:<11}  {finding.name}: {finding.evidence}" for finding in findings]
    counts = {
        status: sum(finding.status == status for finding in findings) for status in ("PASS", "FAIL", "NOT CHECKED")
    }
    reasons = ", ".join(f"{count} {status}" for status, count in counts.items())
    return "\n".join([*lines, f"{len(findings)} checks: {reasons}"])


def format_checks(checks: Mapping[str, str]) -> str:
    """Name and title of every check."""
    return "\n".join(_format_columns(["check", "what it asks"], [[name, title] for name, title in checks.items()]))


def format_checks_markdown(checks: Mapping[str, str]) -> str:
    """The same as a Markdown table, for the README."""
    return "\n".join(
        ["| check | what it asks |", "|---|---|", *(f"| `{name}` | {title} |" for name, title in checks.items())]
    )


def format_conditions(conditions: Iterable[Condition], broken_rules: Iterable[str]) -> str:
    """One line a condition, and one a broken rule."""
    answers = [(condition.status, f"{condition.name}: {condition.text}") for condition in conditions]
    return "\n".join(f"{word:<9}  {text}" for word, text in [*answers, *(("FAIL", rule) for rule in broken_rules)])


def _describe_sizes(arms: Iterable[Arm]) -> list[list[str]]:
    rows: dict[str, Callable[[Arm], str]] = {
        "parameters": lambda arm: format_count(arm.sizes["num_parameters"]),
        "training tokens": lambda arm: format_count(arm.sizes["num_train_tokens"]),
        "validation tokens": lambda arm: format_count(arm.sizes["num_validation_tokens"]),
        "steps an epoch": lambda arm: format_count(arm.sizes["steps_per_epoch"]),
        "steps": lambda arm: format_count(arm.sizes["max_steps"]),
        "evaluations": lambda arm: format_count(len(arm.sizes["evaluation_steps"])),
        "of these with full loss": lambda arm: format_count(len(arm.sizes["full_loss_steps"])),
        "spans scored": lambda arm: format_count(arm.sizes["num_spans"]),
        "coverage": lambda arm: format_percent(100 * arm.sizes["coverage"]),
        "training compute": lambda arm: format_flops(arm.sizes["training_flops"]),
    }
    return [[name, *(describe(arm) for arm in arms)] for name, describe in rows.items()]


def _describe_configs(arms: tuple[Arm, ...]) -> list[list[str]]:
    first = arms[0].config
    return [
        [
            key,
            *(
                format_value(arm.config.get(key)) + (" *" if arm.config.get(key) != first.get(key) else "")
                for arm in arms
            ),
        ]
        for key in join_keys(arm.config for arm in arms)
    ]


def _format_columns(header: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
