"""`list`: the comparisons in a folder with their headline numbers."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.cli.answer import Answer
from harness.cli.options import Verbs, build_json_option
from harness.cli.table import find_width, format_columns
from harness.formats import format_loss, format_percent
from harness.plan.folders import RESULTS
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.inert import make_inert

HEADER = ("name", "preset", "pair", "seeds", "compared on", "loss", "gain", "verdict", "certainty")
NAMES = ("name", "pair")
SPARED = ("certainty", "compared on", "loss", "preset", "seeds", "pair")
"""Columns that a narrow terminal does without, in this order."""
NOT_FINISHED, RUNS_MISSING = "not finished", "runs are missing"
"""What is wrong with a comparison that is not damaged."""
MIN_NAME_CHARS = 17
"""Of a name that is cut in the middle: it is to be typed again."""
_OF_BASIS = ("baseline_loss", "candidate_loss", "gain_percent")
_OF_FULL = ("baseline_full_loss_nats_per_char", "candidate_full_loss_nats_per_char", "full_gain_percent")
"""The same again where the full loss decides."""
_EMPTY: dict[str, Any] = dict.fromkeys(
    ("preset", "pair", "num_seed_pairs", *_OF_FULL, "basis", *_OF_BASIS, "verdict", "problem")
)


def add_to(verbs: Verbs) -> None:
    """Adds the verb's parser."""
    parser = verbs.add_parser("list", help="stored comparisons with their headline numbers",
                              parents=[build_json_option()])  # fmt: skip
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> Answer:
    """Reads the numbers of every comparison below a folder."""
    if given.results != RESULTS and not given.results.is_dir():
        raise RequestError(f"{given.results} is no folder. --results names the one that comparisons stand in.")
    entries = list_comparisons(given.results)
    text = format_list(entries, find_width()) if entries else format_none(given.results)
    return Answer(text, {"comparisons": entries})


def list_comparisons(results: Path) -> list[dict[str, Any]]:
    """One entry a pair of every comparison below `results`, oldest name first; a damaged one names its problem.

    Where `results` is a comparison itself, it is the one. A symbolic link stands for a comparison that is elsewhere:
    `latest` and the like lead to one that is listed anyway.
    """
    from harness.plan.plan import FILE_NAME as PLAN_NAME

    if (results / PLAN_NAME).exists():
        return _describe(results.resolve())
    folders = [path.parent for path in results.glob(f"*/{PLAN_NAME}")]
    by_place: dict[Path, Path] = {}
    for folder in sorted(folders, key=lambda folder: (folder.is_symlink(), folder)):
        by_place.setdefault(folder.resolve(), folder)
    return [entry for folder in sorted(by_place.values()) for entry in _describe(folder)]


def format_list(entries: Iterable[dict[str, Any]], max_width: int | None = None) -> str:
    """Stored comparisons, one a line, of no more than `max_width` characters where that is given."""
    rows = [[make_inert(cell) for cell in _lay_out(entry)] for entry in entries]
    names, spared = ([HEADER.index(name) for name in columns] for columns in (NAMES, SPARED))
    lines = format_columns(
        HEADER, rows, numeric=(HEADER.index("seeds"),), max_width=max_width, names=names, spared=spared,
        min_name_chars=MIN_NAME_CHARS,
    )  # fmt: skip
    return "\n".join(lines)


def format_none(results: Path) -> str:
    """What is said of a folder without comparisons."""
    return f"No comparisons in {results} yet. Make one with: python -m harness compare"


def _lay_out(entry: dict[str, Any]) -> list[str]:
    problem = entry["problem"] or ""
    is_damaged = problem not in ("", NOT_FINISHED, RUNS_MISSING)
    verdict, _, certainty = (entry["verdict"] or "").partition(" (")
    losses = (format_loss(entry[f"{side}_loss"]) for side in ("baseline", "candidate"))
    return [
        entry["name"],
        entry["preset"] or "",
        entry["pair"] or (problem if is_damaged else ""),
        str(entry["num_seed_pairs"] or ""),
        (entry["basis"] or "").partition(" (")[0],
        " → ".join(losses) if entry["pair"] else "",
        format_percent(entry["gain_percent"]) if entry["pair"] else "",
        "damaged" if is_damaged else problem or verdict,
        certainty.removesuffix(")"),
    ]


def _describe(folder: Path) -> list[dict[str, Any]]:
    from harness.store.document import FILE_NAME, load_document

    if not (folder / FILE_NAME).exists():
        return [{"name": folder.name, **_EMPTY, "problem": NOT_FINISHED}]
    try:
        return _describe_document(folder.name, load_document(folder))
    except StoredResultsError as error:
        return [{"name": folder.name, **_EMPTY, "problem": str(error)}]
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        problem = f"{folder / FILE_NAME} is damaged: {error} is missing or of the wrong type."
        return [{"name": folder.name, **_EMPTY, "problem": problem}]


def _describe_document(name: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    entries = [
        {
            "name": name,
            **_EMPTY,
            "preset": document["preset"],
            "pair": f"{pair['candidate_label']} / {pair['baseline_label']}",
            **_measure(document, pair),
            "verdict": pair["verdict"]["label"],
        }
        for pair in document["pairs"]
    ]
    return entries or [{"name": name, **_EMPTY, "preset": document["preset"], "problem": RUNS_MISSING}]


def _measure(document: dict[str, Any], pair: dict[str, Any]) -> dict[str, Any]:
    """The gain that the verdict is of, and the losses, as means over the seeds where the ranking has them."""
    ranking, basis = document["ranking"], pair["basis"]
    means = {row["arm"]: row["loss"] for row in ranking["rows"]} if ranking["field"] == basis["field"] else {}
    losses = [means.get(pair[side], basis[side]) for side in ("baseline", "candidate")]
    gain_percent = float(pair["verdict"]["gain_percent"]) if pair["text_is_shared"] else None
    measured = (*losses, gain_percent)
    return {
        "num_seed_pairs": pair["verdict"]["num_seed_pairs"],
        **(dict(zip(_OF_FULL, measured, strict=True)) if basis["field"] == "full_loss_nats_per_char" else {}),
        "basis": basis["name"],
        **dict(zip(_OF_BASIS, measured, strict=True)),
    }
