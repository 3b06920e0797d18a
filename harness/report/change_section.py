"""The section on what two arms differ in."""

from collections.abc import Sequence

from harness import formats
from harness.plan.arguments import PACKAGE
from harness.plan.changes import FILE_NAME as PATCH_NAME
from harness.report.blocks import Code, Described, Note, Section, Table
from harness.store.runs import OURS

NOT_MEASURED = "not measured"
ONE_SIDED = "Settings that only one of the two programs names are left out."
MAX_FILES = 20
"""Changed files that are named; `changes.patch` holds all."""


def describe_changes(document: Described, pair: Described) -> Section:
    """What the arms differ in, with what each change was measured to be worth: of a single one, the pair's gain."""
    if not pair["changes"] and not pair.get("code_changes"):
        return Section("Changes", [Note("None: both arms have the same settings, as far as they are known.")], 3)
    arms = [arm for arm in document["arms"] if arm["name"] in (pair["baseline"], pair["candidate"])]
    is_alone = len(pair["changes"]) == 1 and not _may_differ_otherwise(pair, arms)
    has_one_origin = len({arm["origin"] in OURS for arm in arms}) == 1 and all(arm["config"] for arm in arms)
    known = [
        change for change in pair["changes"] if has_one_origin or None not in (change["baseline"], change["candidate"])
    ]
    table = Table(
        ("Setting", pair["baseline_label"], pair["candidate_label"], "Measured impact"),
        [
            (
                Code(change["key"]),
                formats.format_value(change["baseline"]),
                formats.format_value(change["candidate"]),
                _format_worth(pair["verdict"]) if is_alone else format_impact(change["key"], document["ablation"]),
            )
            for change in known
        ],
    )
    notes = [] if len(known) == len(pair["changes"]) else [Note(ONE_SIDED)]
    return Section("Changes", [table, *notes, describe_files(pair)], 3)


def describe_files(pair: Described) -> Table:
    """The files in which the two training programs differ."""
    files = pair.get("code_changes", ())
    rows: list[tuple[Code | str, ...]] = [
        (
            Code(f"{PACKAGE}/{file['name']}"),
            *(
                "no text" if file[key] is None else formats.format_count(file[key])
                for key in ("num_added", "num_removed")
            ),
        )
        for file in files[:MAX_FILES]
    ]
    if len(files) > MAX_FILES:
        rows.append((f"{formats.format_count(len(files) - MAX_FILES)} more, all in {PATCH_NAME}", "", ""))
    return Table(("Changed file", "Lines added", "Lines removed"), rows, numeric=(1, 2))


def format_impact(key: str, ablation: Described | None) -> str:
    """What an ablation measured of the unit a setting belongs to, or that it was not measured."""
    if ablation is None:
        return NOT_MEASURED
    parts, keys = [], []
    for kind, word in (("ladder", "added"), ("leave_one_out", "left out")):
        step = next((step for step in ablation[kind] if key in step["keys"]), None)
        if step is not None:
            keys = step["keys"]
            parts.append(f"{word}: {_format_worth(step['verdict'])}")
    if keys and key != keys[0]:
        return f"only with {keys[0]}"
    alike = f" ({formats.format_number_of(len(keys), 'setting')} together)" if len(keys) > 1 else ""
    return f"{'; '.join(parts)}{alike}" if parts else NOT_MEASURED


def _format_worth(verdict: Described) -> str:
    """The gain and its word, and the word that holds of all impacts at once where that is another."""
    adjusted = verdict["adjusted"]
    together = f", at once {adjusted['word']}" if adjusted and adjusted["word"] != verdict["word"] else ""
    return f"{formats.format_percent(verdict['gain_percent'], 2)}, {verdict['label']}{together}"


def _may_differ_otherwise(pair: Described, arms: Sequence[Described]) -> bool:
    """Whether the two may differ in more than their settings: in code, or in what another program does not state."""
    has_other_code = pair.get("code_changes") or pair.get("has_other_code", False)
    return bool(has_other_code or pair["doubts"] or any(arm["origin"] not in OURS for arm in arms))
