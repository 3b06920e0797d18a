"""The sections on several gains or impacts, each alone and all at once."""

from harness import formats
from harness.report.blocks import Claims, Code, Described, Note, Section, Table, select_section
from harness.report.ranking_table import describe_ranking

ALONE_AND_AT_ONCE = ("Gain", "Interval alone", "Interval at once", "Verdict alone", "Verdict at once")
AT_ONCE = (
    "At once: intervals by Bonferroni's method, wider so that all of them hold as often as one alone (where seeds "
    "vary normally), and the words that stand by Holm's."
)
TOO_MANY = "Of one seed, intervals of so many at once would take more resamples of the titles than are drawn."
IMPACT = "Impact in full loss at the last step: how much lower it is with the change than without."


def describe_together(document: Described) -> Section:
    """The gains of several arms with what is left of them where all are judged at once."""
    rows = [
        (pair["candidate_label"], pair["baseline_label"], *_format_verdict(pair["verdict"]))
        for pair in document["pairs"]
        if pair["verdict"]["adjusted"] is not None and pair["verdict"]["interval_95"] is not None
    ]
    table = Table(("Arm", "Against", *ALONE_AND_AT_ONCE), rows, numeric=(2, 3, 4))
    return Section("All gains at once", [table, Note(AT_ONCE)] if rows else ())


def describe_ablation(document: Described) -> list[Section]:
    """What each change is worth, added one more at a time and left out of the whole."""
    ablation = document["ablation"]
    if ablation is None:
        return []
    said = [*select_section(document["claims"], "ablation")]
    verdicts = [step["verdict"] for step in ablation["ladder"] if step["verdict"]["adjusted"] is not None]
    notes = [Note(AT_ONCE)] if verdicts else []
    if any(verdict["interval_joint"] is None for verdict in verdicts):
        notes.append(Note(TOO_MANY))
    settings = [(step["unit"], Code(" ".join(step["keys"]))) for step in ablation["ladder"]]
    return [
        Section("What each change is worth", [Note(IMPACT), Claims(said), *notes]),
        Section("Added one more at a time", [_describe_steps(ablation, "ladder")], 3),
        Section("Left out of the whole", [_describe_steps(ablation, "leave_one_out")], 3),
        Section("All arms", [_describe_arms(document)], 3),
        Section("Settings of each change", [Table(("Change", "Settings"), settings, small=True)], 3),
    ]


def _describe_arms(document: Described) -> Table:
    """The ranking of every arm, whose name says what changed."""
    ranked = describe_ranking(document, on_paper=True, whole=True)
    kept = (0, 1, *ranked.numeric)
    header, *rows = ([row[place] for place in kept] for row in (ranked.header, *ranked.rows))
    return Table([str(name) for name in header], rows, numeric=range(2, len(kept)))


def _describe_steps(ablation: Described, kind: str) -> Table:
    rows = [
        (step["unit"], formats.format_loss(step["impact_nats_per_char"]), *_format_verdict(step["verdict"]))
        for step in ablation[kind]
    ]
    sums = [("sum of these", f"{kind}_sum_nats_per_char"), ("the whole", "whole_nats_per_char")]
    ends = [(name, formats.format_loss(ablation[field]), *("" for _ in ALONE_AND_AT_ONCE)) for name, field in sums]
    return Table(("Change", "Nats per character", *ALONE_AND_AT_ONCE), [*rows, *ends], numeric=(1, 2, 3, 4))


def _format_verdict(verdict: Described) -> tuple[str, ...]:
    return (
        formats.format_percent(verdict["gain_percent"], 2),
        *(formats.format_ends(verdict[f"interval_{level}"]) for level in ("95", "joint")),
        verdict["word"],
        "" if verdict["adjusted"] is None else verdict["adjusted"]["word"],
    )
