"""What a reader sees first: the conclusion, all arms in a row each, whether to trust it, and how to make it again."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness import formats
from harness.plan.plan import PREVIOUS
from harness.report.blocks import Cell, Code, Table

Described = Mapping[str, Any]
COLUMNS = (
    ("Loss", "loss", formats.format_loss),
    ("Frozen loss", "frozen_loss_nats_per_char", formats.format_loss),
    ("Spans", "num_spans", formats.format_count),
    ("Coverage", "coverage_percent", formats.format_percent),
    ("Training time", "train_elapsed_s", formats.format_duration),
    ("Time as logged", "logged_elapsed_s", formats.format_duration),
    ("Memory", "peak_memory_bytes", formats.format_bytes),
    ("Compute", "training_flops", formats.format_flops),
    ("Parameters", "num_parameters", formats.format_count),
    ("Steps", "step", formats.format_count),
    ("Last above best", "above_best", formats.format_loss),
)
OF_LOGS = frozenset({"Spans", "Parameters", "Steps", "Last above best"})
"""Columns that tell logs apart; between runs of one program they say little."""
OTHER_TEXT, UNKNOWN_TEXT = "on another text", "not shown to be on the same text"
"""In the place of a gain that would be one of texts."""
LEAST = ("Compute", "Memory", "Steps", "Parameters", "Last above best", "Spans", "Training time", "Time as logged",
         "Coverage", "Frozen loss")  # fmt: skip
"""Columns that a narrow page or terminal does without, in this order."""
MAX_ON_PAPER = 6
"""Of these columns those that fit a page."""
SHORT = frozenset({"Loss", "Frozen loss"})
"""Columns of the summary's table of two arms."""
FEW_ARMS = 2
"""Of more arms the ranking comes first, with all that tells them apart."""
MANY_ARMS = 4
"""Of more arms the reports show the best ones in detail, and the others in the ranking and as grey curves."""
MAX_DETAILED = 2
"""Pairs of many arms that are shown in detail."""
MAX_ALIKE = 2
"""Caveats of one kind that are shown of many arms."""
MAX_EVIDENCE = 500
"""Characters of a finding's evidence on many arms."""


def find_conclusions(document: Described) -> list[Described]:
    """The sentence on every pair, that on the best arm first; of many arms those on the best."""
    by_arm = {pair["candidate"]: pair["claims"] for pair in document["pairs"]}
    ranked = [row["arm"] for row in document["ranking"]["rows"] if row["arm"] in by_arm]
    most = MAX_DETAILED if has_many_arms(document) else len(ranked)
    return [claim for arm in ranked[:most] for claim in by_arm[arm] if claim["id"] == "conclusion"]


def describe_ranking(
    document: Described,
    *,
    most: int | None = None,
    short: bool = False,
    on_paper: bool = False,
    whole: bool = False,
    split: bool = False,
) -> Table:
    """One row an arm, best first, no more than `most`; columns that nobody has a value for are left out.

    Of an ablation those that are compared, or the `whole`. The interval of a gain stands in brackets behind it, or is
    `split` off into a last column of its own.
    """
    ranking = document["ranking"]
    rows = ranking["rows"] if whole else list_ranked(document)
    if most is not None and len(rows) > most:
        baseline = [row for row in rows[most:] if row["is_baseline"]]
        rows = [*rows[: most - len(baseline)], *baseline]
    with_logs = document["num_runs_taken_in"] > 0
    columns = [
        (name if name != "Loss" else (ranking["name"] or name).partition(" (")[0].capitalize(), field, show)
        for name, field, show in COLUMNS
        if any(row[field] is not None for row in rows)
        and (name in SHORT if short and len(rows) <= FEW_ARMS else with_logs or name not in OF_LOGS)
        and not (name == "Frozen loss" and ranking["field"] == "loss_nats_per_char")
    ]
    for name in LEAST if on_paper else ():
        columns = [column for column in columns if column[0] != name or len(columns) <= MAX_ON_PAPER]
    cells = [
        (
            "" if row["rank"] is None else f"{rank}{'' if document['ablation'] else _mark(row, rows)}",
            row["label"],
            row["change"],
            *(_format_loss(row) if field == "loss" else show(row[field]) for _, field, show in columns),
            *(_format_gain(row) if split else [_join(*_format_gain(row))]),
        )
        for rank, row in enumerate(rows, 1)
    ]
    gain = "Gain on the arm before" if ranking["against"] == PREVIOUS else "Gain"
    header = ("", "Arm", "What changed", *(name for name, _, _ in columns), gain, *(["Interval"] if split else []))
    return Table(header, cells, numeric=range(3, 3 + len(columns)))


def list_ranked(document: Described) -> list[Described]:
    """The rows of the ranking that stand first in a report: of an ablation those of the arms that are compared."""
    rows: list[Described] = document["ranking"]["rows"]
    if document["ablation"] is None:
        return rows
    return [row for row in rows if row["is_baseline"] or row["gain_percent"] is not None]


def has_many_arms(document: Described) -> bool:
    """Whether there are too many arms for each to be shown in detail."""
    return len(document["arms"]) > MANY_ARMS


def select_pairs(document: Described, most: int | None = None) -> list[Described]:
    """The pairs that are shown in detail: all, or of many arms the best ones."""
    pairs: list[Described] = list(document["pairs"])
    most = most or (MAX_DETAILED if has_many_arms(document) else len(pairs))
    if len(pairs) <= most:
        return pairs
    places = {row["arm"]: place for place, row in enumerate(document["ranking"]["rows"])}
    return sorted(pairs, key=lambda pair: places[pair["candidate"]])[:most]


def select_claims(document: Described, group: str) -> list[Described]:
    """The `claims` or `caveats`; of many arms the first of each kind, while all stand in `comparison.json`."""
    seen: Counter[str] = Counter()
    shown = []
    for claim in document[group]:
        seen[claim["id"]] += 1
        if not has_many_arms(document) or seen[claim["id"]] <= MAX_ALIKE:
            shown.append(claim)
    return shown


def shorten_findings(document: Described, group: str) -> list[Described]:
    """Findings; of many arms with no more evidence than is read."""
    if not has_many_arms(document):
        return list(document[group])
    return [
        {**finding, "evidence": f"{finding['evidence'][:MAX_EVIDENCE]} …"}
        if len(finding["evidence"]) > MAX_EVIDENCE
        else finding
        for finding in document[group]
    ]


def describe_trust(document: Described) -> Table:
    """When, with which code, on what machine."""
    machines = [arm["machine"] for arm in document["arms"] if arm["machine"] is not None]
    commits = [*dict.fromkeys(map(_format_commit, machines))]
    devices = dict.fromkeys(f"{machine['device_name']}, {machine['precision']}" for machine in machines)
    started, finished = document["started_at"], document["finished_at"]
    when = "" if started is None else f"{formats.format_time(started)} to {formats.format_time(finished)}"
    rows: list[tuple[str, Cell]] = [
        ("Measured", when),
        ("Checked", _say_checked(document, commits)),
        ("Code", Code("; ".join(commits)) if commits else ""),
        ("Machine", "; ".join(devices)),
    ]
    return Table(("", ""), [row for row in rows if row[1]], small=True)


def describe_metrics(document: Described, pairs: Sequence[Described]) -> Table:
    """What the comparison came to, one column a pair."""
    complete = f"{document['num_runs_complete']} of {len(document['runs'])}"
    rows: list[tuple[str, list[str]]] = [
        ("Verdict", [pair["verdict"]["label"] for pair in pairs]),
        ("Runs complete", [complete for _ in pairs]),
        ("Decided on", [pair["basis"]["name"] for pair in pairs]),
        ("Gain on that basis", [formats.format_percent(pair["verdict"]["gain_percent"]) for pair in pairs]),
        *(
            (name, [_show_metric(pair, field, show) for pair in pairs])
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


def _show_metric(pair: Described, field: str, show: Callable[[float], str]) -> str:
    if pair[field] is None:
        return ""
    return "not comparable" if field == "time_ratio" and pair["time_doubts"] else show(pair[field])


def find_broken_rules(document: Described) -> list[Described]:
    """Findings that failed, which stand before everything else."""
    findings = [*shorten_findings(document, "constraints"), *shorten_findings(document, "integrity")]
    return [finding for finding in findings if finding["status"] == "FAIL"]


def find_color(document: Described) -> str:
    """`bad`, `good` or `open`: how the conclusion on the best arm is coloured."""
    if find_broken_rules(document):
        return "bad"
    if document["num_findings"]["unvouched"]:
        return "open"
    best = next((row["verdict"] for row in document["ranking"]["rows"] if row["verdict"]), None)
    word = (best or "").partition(" ")[0]
    return {"IMPROVED": "good", "EQUIVALENT": "good", "REGRESSED": "bad"}.get(word, "open")


def _say_checked(document: Described, commits: Sequence[str]) -> str:
    """When and with which code the checks were made; nothing where they follow from the stored files at any time.

    `commits` are those of the runs: of checks made with the same code no second hash is needed.
    """
    first = next(iter(document["constraints"]), None)
    if first is None or first["made_at"] is None:
        return ""
    commit = "" if first["commit"] is None else f", {_format_commit(first)}"
    if [_format_commit(first)] == commits:
        commit = " with the same code"
    device = "" if first["device_name"] is None else f", {first['device_name']}"
    return f"{formats.format_time(first['made_at'])} by {first['made_by']}{commit}{device}"


def _mark(row: Described, rows: Sequence[Described]) -> str:
    """`≈` where the arm is not told apart from the best, `?` where nothing shows it and there are other arms."""
    if row["rank"] == 1 or row["is_apart"] is True:
        return ""
    return " ≈" if row["is_apart"] is False else " ?" * (len(rows) > 2)


def _format_commit(machine: Described) -> str:
    changes = " with changes" if str(machine["commit"]).endswith("-dirty") else ""
    return formats.format_value(machine["commit"])[:12] + changes


def _format_loss(row: Described) -> str:
    loss = formats.format_loss(row["loss"])
    if row["low"] is None or row["low"] == row["high"]:
        return loss
    return f"{loss} ({formats.format_loss(row['low'])} to {formats.format_loss(row['high'])})"


def _format_gain(row: Described) -> tuple[str, str]:
    """The gain and its interval, or the range that an estimate leaves; a reason where there is none."""
    if row["gain_percent"] is None:
        return "" if row["is_baseline"] else (row["reason"] or ""), ""
    if not row["text_is_shared"]:
        return OTHER_TEXT if row["text_is_shared"] is False else UNKNOWN_TEXT, ""
    gain, ends = formats.format_percent(row["gain_percent"], 2), row["interval_95"]
    if ends is not None:
        low, high = ends["low_percent"], ends["high_percent"]
    elif row["bounds"] is not None:
        low, high = row["bounds"]["low"], row["bounds"]["high"]
    else:
        return gain, ""
    return gain, f"{formats.format_percent(low, 2)} to {formats.format_percent(high, 2)}"


def _join(gain: str, interval: str) -> str:
    return f"{gain} ({interval})" if interval else gain
