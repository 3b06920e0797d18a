"""The sections on a comparison as a whole. A new one is a function here and a line in `describe_report`."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from harness import formats
from harness.plan.plan import FILE_NAME as PLAN_NAME
from harness.report.blocks import Claims, Code, Described, Listing, Note, Section, Table, keep
from harness.report.figure_list import show_figures
from harness.report.front import select_claims, select_pairs
from harness.report.joint_sections import describe_ablation, describe_together
from harness.report.pair_sections import describe_pair
from harness.report.sweep_sections import describe_sweeps
from harness.store.findings import STATUSES

ALL_HASHES = "All hashes whole, and that of the record of every run, stand in comparison.json."
HASH_DIGITS = 12
MAX_LINE_CHARS = 88
"""Of a command: so much stands in one line of a page."""
MORE_CAVEATS = "The same is to be said of other arms; comparison.json holds it of each."


def describe_report(document: Described) -> list[Section]:
    """All sections after the first page, in their order; what has no content is left out."""
    return [
        *keep(
            describe_caveats(document),
            *describe_ablation(document),
            describe_sweeps(document),
            describe_together(document),
        ),
        *(section for pair in select_pairs(document) for section in describe_pair(document, pair)),
        *keep(
            describe_curves(document),
            describe_cost(document),
            describe_checks(document),
            describe_arms(document),
            describe_sources(document),
            describe_hashes(document),
            describe_reproduction(document),
        ),
    ]


def describe_caveats(document: Described) -> Section:
    """What a reader must know before believing the comparison."""
    shown = select_claims(document, "caveats")
    more = [Note(MORE_CAVEATS)] if len(shown) < len(document["caveats"]) else []
    return Section("Caveats", [Claims(shown), *more])


def describe_curves(document: Described) -> Section:
    """The figures that do not stand on the first page."""
    return Section("Curves", show_figures(document, is_first=False))


def describe_cost(document: Described) -> Section:
    """What each arm took."""
    amounts = (
        ("Parameters", "num_parameters", formats.format_count),
        ("Training FLOPs", "training_flops", formats.format_flops),
        ("Peak memory", "peak_memory_bytes", formats.format_bytes),
        ("Tokens a second", "tokens_per_s", formats.format_count),
    )
    times = (
        ("Training time", "train_elapsed_s", formats.format_duration),
        ("Shortest and longest run", "train_elapsed_range_s", _format_durations),
        ("A step, median and quartiles", "step_quartiles_s", _format_quartiles),
        ("Wall time with evaluations", "wall_elapsed_s", formats.format_duration),
    )
    return Section("Cost", [_tabulate_cost(document, amounts), _tabulate_cost(document, times)])


def _tabulate_cost(document: Described, columns: Sequence[tuple[str, str, Callable[[Any], str]]]) -> Table:
    """A row an arm; no column that is empty."""
    arms = [arm for arm in document["arms"] if arm["cost"] is not None]
    shown = [column for column in columns if any(arm["cost"][column[1]] is not None for arm in arms)]
    return Table(
        ("Arm", *(name for name, _, _ in shown)),
        [(arm["label"], *(show(arm["cost"][field]) for _, field, show in shown)) for arm in arms if shown],
        numeric=range(1, len(shown) + 1),
    )


def describe_checks(document: Described) -> Section:
    """Every finding: what failed and what could not be checked first, the passes folded after them."""
    rows: dict[str, list[tuple[str, str, str]]] = {status: [] for status in STATUSES}
    for finding in (*document["constraints"], *document["integrity"]):
        rows[finding["status"]].append((finding["status"], finding["title"], finding["evidence"]))
    open_ones = Table(
        ("Finding", "Rule", "Evidence"),
        [row for status, of in rows.items() if status != "PASS" for row in of],
        small=True,
    )
    passed = Table(("Rule", "Evidence"), [row[1:] for row in rows["PASS"]], small=True, folded="Those that passed")
    return Section("Checks", [open_ones, passed])


def describe_arms(document: Described) -> Section:
    """On what and with which code each arm was trained."""
    arms = [arm for arm in document["arms"] if arm["machine"] is not None]
    table = Table(
        ("Arm", "Device", "Python, torch", "Commit", "First weights, SHA-256", "Last weights"),
        [
            (
                arm["label"],
                f"{arm['machine']['device_name']} ({arm['machine']['device']}, {arm['machine']['precision']}, "
                f"{_format_threads(arm['machine']['num_threads'])})",
                f"{arm['machine']['python_version']}, {arm['machine']['library_versions']['torch']}",
                Code(formats.format_commit(arm["machine"]["commit"])),
                _cut_hash(arm["hashes"]["initial_weights_sha256"]),
                _cut_hash(arm["hashes"]["final_weights_sha256"]),
            )
            for arm in arms
        ],
        small=True,
    )
    return Section("Provenance", [table])


def _cut_hash(digits: str | None) -> Code:
    return Code(formats.ABSENT if digits is None else f"{digits[:HASH_DIGITS]}…")


def describe_sources(document: Described) -> Section:
    """The files that runs were read from, and the comparisons that runs were taken over from."""
    sources = Table(
        ("Arm", "Source", "Bytes", "SHA-256"),
        [
            (
                arm["label"],
                Code(arm["source"]["name"]),
                formats.format_count(arm["source"].get("num_bytes")),
                Code(" ".join(arm["source"].get("sha256", ()))),
            )
            for arm in document["arms"]
            if arm["source"]
        ],
        numeric=(2,),
        small=True,
    )
    taken_over = Table(
        ("Run", "Taken over from", "Ended", "Its record there", "The plan it was trained under"),
        [
            (
                f"{run['arm']}-s{run['seed']}",
                f"{run['taken_over']['run']} of {run['taken_over']['comparison']}",
                formats.format_time(run["taken_over"]["finished_at"]),
                _cut_hash(run["taken_over"]["run_json_sha256"]),
                _cut_hash(run["taken_over"]["plan_sha256"]),
            )
            for run in document["runs"]
            if "taken_over" in run
        ],
        small=True,
    )
    return Section("Sources", [sources, taken_over], 3)


def describe_hashes(document: Described) -> Section:
    """What the numbers come from."""
    corpus: Sequence[tuple[str, str]] = ()
    if document["corpus"]["train_sha256"] is not None:
        where = document["corpus"]["name"]
        revision = f" at {document['corpus']['revision']}" if document["corpus"]["revision"] else ""
        corpus = (
            (f"training titles ({where}{revision})", document["corpus"]["train_sha256"]),
            ("validation titles", document["corpus"]["validation_sha256"]),
        )
    rows = [*corpus, *((name, digest) for name, digest in document["sha256"].items() if name == PLAN_NAME)]
    table = Table(("What", "SHA-256"), [(name, Code(digest)) for name, digest in rows], small=True)
    return Section("What these numbers come from", [table, Note(ALL_HASHES)], 3)


def describe_reproduction(document: Described) -> Section:
    """The command line that makes the same comparison again."""
    return Section("Reproduce", [Listing(wrap_command(document["command"]))], 3)


def wrap_command(command: str) -> list[str]:
    """The command in lines that a shell reads as one, broken between its words only, no option from its value."""
    first, *words = re.findall(r"""(?:--[\w-]+ (?!-))?(?:'[^']*'|"[^"]*"|\S)+""", command)
    lines = [first]
    for word in words:
        if len(lines[-1]) + len(word) < MAX_LINE_CHARS:
            lines[-1] += f" {word}"
        else:
            lines.append(f"  {word}")
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _format_threads(num_threads: int | None) -> str:
    return "threads not told" if num_threads is None else formats.format_number_of(num_threads, "thread")


def _format_durations(ends_s: Sequence[float] | None) -> str:
    return formats.ABSENT if ends_s is None else " to ".join(formats.format_duration(end_s) for end_s in ends_s)


def _format_quartiles(quartiles_s: Sequence[float] | None) -> str:
    if quartiles_s is None:
        return formats.ABSENT
    low, middle, high = (f"{seconds:.3g}" for seconds in quartiles_s)
    return f"{middle} s ({low} to {high})"
