"""The verb `compare` with `--from`: from parsed options to what is printed."""

import argparse
from typing import Any

from harness.analyse import load_document
from harness.compare_imported import ImportRequest, compare_imported, plan_imported
from harness.foreign_text import format_import
from harness.plan import plan_to_json
from harness.text import format_result
from harness.verdict import MARGIN_PERCENT
from mainrun.contract import SEED
from mainrun.errors import RequestError


def run_import(given: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Judges the sources; returns text and values of the answer. `RequestError` for options that only training has."""
    trained = {
        "--seeds": given.seeds != str(SEED),
        "--device": given.device != "auto",
        "--preset": given.preset != "quick",
        "--data": given.data,
        "--data-revision": given.data_revision,
        "--set": given.settings,
        "--arms": given.arms,
        "--resume": given.resume,
        "RECIPE": given.recipes,
    }
    stray = [option for option, value in trained.items() if value]
    if stray:
        raise RequestError(f"--from trains nothing and takes no {', '.join(stray)}.")
    margin = MARGIN_PERCENT if given.margin is None else given.margin
    request = ImportRequest(tuple(given.sources), given.loss_unit, margin, given.out)
    if given.dry_run:
        plan, folder, runs = plan_imported(request)
        return format_import(plan, runs, folder), {"folder": str(folder), "plan": plan_to_json(plan)}
    folder = compare_imported(request)
    document = load_document(folder)
    return format_result(document, folder), {"folder": str(folder), "pairs": document["pairs"]}
