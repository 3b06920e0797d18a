"""What a reader sees first: the conclusion, all arms in a row each, whether to trust it, and how to make it again."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness import formats
from harness.report.blocks import Table

Described = Mapping[str, Any]
MAX_CAVEATS = 3
"""Caveats on the first page; all of them stand behind it."""
COLUMNS = (
    ("Loss", "loss", formats.format_loss),
    ("Frozen loss", "frozen_loss_nats_per_char", formats.format_loss),
    ("Spans", "num_spans", formats.format_count),
    ("Coverage", "coverage_percent", formats.format_percent),
    ("Training time", "train_elapsed_s", formats.format_duration),
    ("Memory", "peak_memory_bytes", formats.format_bytes),
    ("Compute", "training_flops", formats.format_flops),
    ("Parameters", "num_parameters", formats.format_count),
    ("Steps", "step", formats.format_count),
)
OF_LOGS = frozenset({"Spans", "Parameters", "Steps"})
"""Columns that tell logs apart; between runs of one program they say little."""
SHORT = frozenset({"Loss", "Frozen loss"})
"""Columns of the summary's table."""


def find_conclusions(document: Described) -> list[Described]:
    """The sentence on every pair, that on the best arm first."""
    by_arm = {pair["candidate"]: pair["claims"] for pair in document["pairs"]}
    ranked = [row["arm"] for row in document["ranking"]["rows"] if row["arm"] in by_arm]
    return [claim for arm in ranked for claim in by_arm[arm] if claim["id"] == "conclusion"]


def describe_ranking(document: Described, *, most: int | None = None, short: bool = False) -> Table:
    """One row an arm, best first, no more than `most`; columns that nobody has a value for are left out."""
    ranking = document["ranking"]
    rows = ranking["rows"]
    if most is not None and len(rows) > most:
        baseline = [row for row in rows[most:] if row["is_baseline"]]
        rows = [*rows[: most - len(baseline)], *baseline]
    with_logs = document["num_runs_taken_in"] > 0
    columns = [
        (name if name != "Loss" else (ranking["name"] or name).partition(" (")[0].capitalize(), field, show)
        for name, field, show in COLUMNS
        if any(row[field] is not None for row in rows)
        and (name in SHORT if short else with_logs or name not in OF_LOGS)
        and not (name == "Frozen loss" and ranking["field"] == "loss_nats_per_char")
    ]
    cells = [
        (
            "" if row["rank"] is None else f"{row['rank']}{'' if row['is_apart'] is not False else ' ≈'}",
            row["label"],
            row["change"],
            *(_format_loss(row) if field == "loss" else show(row[field]) for _, field, show in columns),
            _format_gain(row),
        )
        for row in rows
    ]
    header = ("", "Arm", "What changed", *(name for name, _, _ in columns), "Gain")
    return Table(header, cells, numeric=range(3, 3 + len(columns)))


def describe_trust(document: Described) -> Table:
    """When, with which code, on what machine."""
    machines = [arm["machine"] for arm in document["arms"] if arm["machine"] is not None]
    commits = dict.fromkeys(formats.format_value(machine["commit"])[:12] + _say_dirty(machine) for machine in machines)
    devices = dict.fromkeys(f"{machine['device_name']}, {machine['precision']}" for machine in machines)
    started, finished = document["started_at"], document["finished_at"]
    when = "" if started is None else f"{formats.format_time(started)} to {formats.format_time(finished)}"
    rows = [
        ("Measured", when),
        ("Code", "; ".join(commits)),
        ("Machine", "; ".join(devices)),
    ]
    return Table(("", ""), [row for row in rows if row[1]], small=True)


def describe_metrics(document: Described) -> Table:
    """What the comparison came to, one column a pair."""
    pairs = document["pairs"]
    complete = f"{document['num_runs_complete']} of {len(document['runs'])}"
    rows: list[tuple[str, list[str]]] = [
        ("Verdict", [pair["verdict"]["label"] for pair in pairs]),
        ("Runs complete", [complete for _ in pairs]),
        ("Decided on", [pair["basis"]["name"] for pair in pairs]),
        ("Gain on that basis", [formats.format_percent(pair["verdict"]["gain_percent"]) for pair in pairs]),
        *(
            (name, ["" if pair[field] is None else show(pair[field]) for pair in pairs])
            for name, field, show in (
                ("Gain in full loss", "full_gain_percent", formats.format_percent),
                ("Gain in frozen loss", "reported_gain_percent", formats.format_percent),
                ("Training time against the baseline", "time_ratio", formats.format_ratio),
                ("Peak memory against the baseline", "memory_ratio", formats.format_ratio),
            )
        ),
    ]
    header = ("Metric", *(pair["candidate_label"] for pair in pairs))
    return Table(header, [(name, *values) for name, values in rows if any(values)])


def find_first_caveats(document: Described) -> Sequence[Described]:
    """The gravest caveats."""
    return list(document["caveats"][:MAX_CAVEATS])


def find_broken_rules(document: Described) -> list[Described]:
    """Findings that failed, which stand before everything else."""
    return [finding for finding in (*document["constraints"], *document["integrity"]) if finding["status"] == "FAIL"]


def find_color(document: Described) -> str:
    """`bad`, `good` or `open`: how the conclusion on the best arm is coloured."""
    if find_broken_rules(document):
        return "bad"
    best = next((row["verdict"] for row in document["ranking"]["rows"] if row["verdict"]), None)
    word = (best or "").partition(" ")[0]
    return {"IMPROVED": "good", "EQUIVALENT": "good", "REGRESSED": "bad"}.get(word, "open")


def _say_dirty(machine: Described) -> str:
    return " with changes" if str(machine["commit"]).endswith("-dirty") else ""


def _format_loss(row: Described) -> str:
    loss = formats.format_loss(row["loss"])
    if row["low"] is None or row["low"] == row["high"]:
        return loss
    return f"{loss} ({formats.format_loss(row['low'])} to {formats.format_loss(row['high'])})"


def _format_gain(row: Described) -> str:
    """The gain with its interval, or with the range that an estimate leaves; a reason where there is none."""
    if row["gain_percent"] is None:
        return "" if row["is_baseline"] else (row["reason"] or "")
    gain, ends = formats.format_percent(row["gain_percent"], 2), row["interval_95"]
    if ends is not None:
        low, high = ends["low_percent"], ends["high_percent"]
    elif row["bounds"] is not None:
        low, high = row["bounds"]["low"], row["bounds"]["high"]
    else:
        return gain
    return f"{gain} ({formats.format_percent(low, 2)} to {formats.format_percent(high, 2)})"
