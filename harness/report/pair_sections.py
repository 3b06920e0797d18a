"""The sections on a pair of arms. A new one is a function here and a line in `describe_pair`."""

from collections.abc import Callable
from typing import Any

from harness import formats
from harness.report.blocks import Claims, Described, Note, Section, Table, keep, select_section
from harness.report.change_section import describe_changes

MAX_HALVED = 80
"""Rows of a step table whose halves fit side by side on a page."""
HALVED_SEEDS = range(5, MAX_HALVED + 1)
"""Numbers of seeds whose table is halved so: of fewer nothing is saved."""
MATCHED_ROWS = "A row is an evaluation of each at nearly the same share of the training; others have no row."


def describe_pair(document: Described, pair: Described) -> list[Section]:
    """All sections on one pair, the heading of the pair first."""
    return keep(
        Section(f"{pair['candidate_label']} against {pair['baseline_label']}", ()),
        describe_changes(document, pair),
        describe_findings(pair),
        describe_steps(pair),
        describe_certainty(pair),
        describe_metric(document, pair),
        describe_times(pair),
        describe_titles(pair),
    )


def describe_findings(pair: Described) -> Section:
    """The numbered findings."""
    return Section("Findings", [Claims(select_section(pair["claims"], "findings"), numbered=True)], 3)


def describe_steps(pair: Described) -> Section:
    """The step table."""
    same, labels = pair["same_steps"], (pair["baseline_label"], pair["candidate_label"])
    header = ("Step",) if same else tuple(f"Step of {label}" for label in labels)
    rows = [
        (
            *(
                formats.format_count(row[f"{side}_step"])
                for side in (("baseline",) if same else ("baseline", "candidate"))
            ),
            *(formats.format_loss(row[f"{side}_loss_nats_per_char"]) for side in ("baseline", "candidate")),
            formats.format_percent(row["gain_percent"]),
        )
        for row in pair["steps"]
    ]
    if not rows:
        return Section(
            "Loss by step", [Note("No evaluations of the two lie at nearly the same share of the training.")], 3
        )
    table = Table((*header, *labels, "Improvement"), rows, range(len(header) + 3), is_narrow=len(rows) <= MAX_HALVED)
    note = Note(f"Validation loss, {pair['curve_metric']}; improvements from the unrounded losses.")
    return Section("Loss by step", [*([] if same else [Note(MATCHED_ROWS)]), table, note], 3)


def describe_certainty(pair: Described) -> Section:
    """What seeds and titles say about the gain."""
    robustness = pair["robustness"]
    rows = [
        (
            str(entry["seed"]),
            formats.format_loss(entry["baseline_full_loss_nats_per_char"]),
            formats.format_loss(entry["candidate_full_loss_nats_per_char"]),
            formats.format_percent(entry["gain_percent"], 2),
        )
        for entry in (robustness["seed_pairs"] if robustness and robustness["num_seed_pairs"] > 1 else ())
    ]
    header = ("Seed", f"{pair['baseline_label']}, full loss", f"{pair['candidate_label']}, full loss", "Gain")
    table = Table(header, rows, range(4), is_narrow=len(rows) in HALVED_SEEDS)
    return Section("How sure", [Claims(select_section(pair["claims"], "certainty")), table], 3)


def describe_metric(document: Described, pair: Described) -> Section:
    """Is the metric what it says it is: both losses, coverage, counts."""
    arms = [find_arm(document, pair[side]) for side in ("baseline", "candidate")]
    loss, percent, count = formats.format_loss, formats.format_percent, formats.format_count

    def fine(value: float | None) -> str:
        return formats.format_percent(value, 2)

    def batch(arm: Described) -> str | None:
        sizes = arm["facts"]["evaluation_batch_size"], arm["facts"]["block_size"]
        return None if None in sizes else f"{sizes[0]} × {sizes[1]}"

    rows: list[tuple[str, Callable[[Described], Any], Callable[[Any], str], float | None]] = [
        ("Full loss, nats per character", _final("full_loss_nats_per_char"), loss, pair["full_gain_percent"]),
        ("Frozen loss, nats per character", _final("loss_nats_per_char"), loss, pair["reported_gain_percent"]),
        ("Frozen loss / coverage", _final("matched_loss_nats_per_char"), loss, pair["matched_gain_percent"]),
        ("Validation loss, nats per token", _final("loss_nats_per_token"), loss, None),
        ("Perplexity per token", _final("perplexity_per_token"), formats.format_value, None),
        ("Coverage: share of validation tokens scored", _final("coverage_percent"), fine, None),
        ("Spans scored", _final("num_spans"), count, None),
        ("Validation tokens never scored", _final("num_unscored_tokens"), count, None),
        ("Evaluation batch × block", batch, str, None),
        ("Training tokens an epoch", lambda arm: arm["facts"]["num_train_tokens"], count, None),
        ("Vocabulary", lambda arm: arm["facts"]["vocab_size"], count, None),
        ("First losses by the counts", lambda arm: arm["forensics"] and arm["forensics"]["fit"]["status"], str, None),
        ("Validation titles that are training titles too", _in_train("num_titles"), count, None),
        ("Their share", _in_train("share_percent"), percent, None),
        (
            "Full loss without them, nats per character",
            _in_train("full_loss_without_nats_per_char"),
            loss,
            pair["full_gain_without_in_train_percent"],
        ),
    ]
    table = Table(
        ("", pair["baseline_label"], pair["candidate_label"], "Gain"),
        [
            (name, *(formats.ABSENT if get(arm) is None else show(get(arm)) for arm in arms),
             "" if gain is None else formats.format_percent(gain))
            for name, get, show, gain in rows
            if any(get(arm) is not None for arm in arms)
        ],
        numeric=(1, 2, 3),
    )  # fmt: skip
    return Section("Metric integrity", [table], 3)


def describe_times(pair: Described) -> Section:
    """When each arm was first measured at or below a loss."""

    def format_point(point: Described | None) -> str:
        if point is None:
            return "not reached"
        parts = [f"step {point['step']:,}"]
        parts += [f"{point['tokens_seen']:,} tokens"] if point["tokens_seen"] is not None else []
        if point["elapsed_s"] is not None and not pair["time_doubts"]:
            parts.append(formats.format_duration(point["elapsed_s"]))
        return ", ".join(parts)

    last = f" (last of {pair['baseline_label']})"
    table = Table(
        ("Loss", pair["baseline_label"], pair["candidate_label"]),
        [
            (
                formats.format_loss(row["loss_nats_per_char"]) + last * row["is_baseline_final"],
                format_point(row["baseline"]),
                format_point(row["candidate"]),
            )
            for row in pair["times_to_loss"]
        ],
        numeric=(0,),
    )
    times = "" if pair["time_doubts"] else ", training time"
    note = Note(f"First evaluation at or below each loss ({pair['curve_metric']}): step, tokens{times}.")
    return Section("Times to a loss", [note, table], 3)


def describe_titles(pair: Described) -> Section:
    """The paired view by title, without any title."""
    if pair["titles"] is None:
        return Section("Title by title", (), 3)
    by_id = {claim["id"]: claim for claim in select_section(pair["claims"], "titles")}
    quantiles = pair["titles"]["difference_quantiles_nats_per_char"]
    difference = f"Difference, nats per character, {pair['candidate_label']} minus {pair['baseline_label']}"
    spread = Table(
        ("Quantile of titles", *quantiles),
        [(difference, *map(formats.format_loss, quantiles.values()))],
        numeric=range(1, len(quantiles) + 1),
    )
    slices = Table(
        ("Titles", "Number", pair["baseline_label"], pair["candidate_label"], "Gain", "95 % interval"),
        [
            (
                entry["name"],
                formats.format_count(entry["num_titles"]),
                formats.format_loss(entry["baseline_full_loss_nats_per_char"]),
                formats.format_loss(entry["candidate_full_loss_nats_per_char"]),
                formats.format_percent(entry["gain_percent"]),
                f"{formats.format_percent(entry['interval_95']['low_percent'])} to "
                f"{formats.format_percent(entry['interval_95']['high_percent'])}",
            )
            for entry in pair["titles"]["slices"]
        ],
        numeric=range(1, 6),
    )
    intervals = [by_id["slice-intervals"]] if slices.rows else []
    return Section("Title by title", [Claims([by_id["titles-lower"]]), spread, slices, Claims(intervals)], 3)


def find_arm(document: Described, name: str) -> Described:
    """An arm by its name."""
    return next(arm for arm in document["arms"] if arm["name"] == name)


def _final(field: str) -> Callable[[Described], Any]:
    return lambda arm: arm["final"][field]


def _in_train(field: str) -> Callable[[Described], Any]:
    return lambda arm: arm["in_train"] and arm["in_train"][field]
