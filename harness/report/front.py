"""What a reader sees first beside the ranking: the conclusion, whether to trust it, and what is shown in detail."""

from collections import Counter
from collections.abc import Callable, Sequence

from harness import formats
from harness.report.blocks import Cell, Code, Described, Table

TONES = ("good", "open", "bad")
"""How a conclusion is coloured, the best first."""
_TONE_OF = {"IMPROVED": "good", "EQUIVALENT": "good", "INCONCLUSIVE": "open", "REGRESSED": "bad"}
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
    commits = [*dict.fromkeys(formats.format_commit(machine["commit"]) for machine in machines)]
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
    of_one = f", seed {document['arms'][0]['seed']}" if any(p["verdict"]["num_seed_pairs"] > 1 for p in pairs) else ""
    rows: list[tuple[str, list[str]]] = [
        ("Verdict", [pair["verdict"]["label"] for pair in pairs]),
        ("Runs complete", [complete for _ in pairs]),
        ("Decided on", [pair["basis"]["name"] for pair in pairs]),
        ("Gain on that basis", [formats.format_percent(pair["verdict"]["gain_percent"]) for pair in pairs]),
        *(
            (name, [_show_metric(pair, field, show) for pair in pairs])
            for name, field, show in (
                (f"Gain in full loss{of_one}", "full_gain_percent", formats.format_percent),
                (f"Gain in frozen loss{of_one}", "reported_gain_percent", formats.format_percent),
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
    return _find_tone(best or "")


def find_tones(document: Described) -> list[str]:
    """How the word of each conclusion is coloured: by itself, but never better than the whole."""
    color = find_color(document)
    return [max(color, _find_tone(claim["text"]), key=TONES.index) for claim in find_conclusions(document)]


def _find_tone(conclusion: str) -> str:
    """By its first word."""
    return _TONE_OF.get(conclusion.partition(":")[0].partition(" ")[0], "open")


def _say_checked(document: Described, commits: Sequence[str]) -> str:
    """When and with which code the checks were made; nothing where they follow from the stored files at any time.

    `commits` are those of the runs: of checks made with the same code no second hash is needed.
    """
    first = next(iter(document["constraints"]), None)
    if first is None or first["made_at"] is None:
        return ""
    commit = "" if first["commit"] is None else f", with the code of {formats.format_commit(first['commit'])}"
    if [formats.format_commit(first["commit"])] == commits:
        commit = " with the same code"
    device = "" if first["device_name"] is None else f", {first['device_name']}"
    return f"{formats.format_time(first['made_at'])} by {first['made_by']}{commit}{device}"
