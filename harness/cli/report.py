"""`report`: renders a comparison again from what it stores."""

import argparse
from pathlib import Path

from harness.cli.answer import Answer
from harness.cli.options import Verbs, build_json_option


def add_to(verbs: Verbs) -> None:
    """Adds the verb's parser."""
    parser = verbs.add_parser("report", help="render again from stored data", parents=[build_json_option()])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> Answer:
    """Makes every derived file anew."""
    from harness.report.pdf import start_renderer_early

    with start_renderer_early() as renderer:  # it loads its libraries while these imports and the analysis go on
        from harness.cli.outcome import format_result
        from harness.comparison import make_reports
        from harness.store.locks import blame_damage, hold, refuse_changes

        with hold(given.folder), blame_damage(given.folder):
            refuse_changes(given.folder)
            document = make_reports(given.folder, renderer)
    return Answer(format_result(document, given.folder), {"folder": str(given.folder), "pairs": document["pairs"]})
