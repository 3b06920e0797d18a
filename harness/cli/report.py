"""`report`: renders a comparison again from what it stores."""

import argparse
from pathlib import Path

from harness.cli.answer import Answer
from harness.cli.options import Verbs, build_json_option
from mainrun.record.errors import RequestError


def add_to(verbs: Verbs) -> None:
    """Adds the verb's parser."""
    parser = verbs.add_parser("report", help="render again from stored data", parents=[build_json_option()])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument(
        "--data", help="the file the titles came from, or hub: makes every check anew before it renders"
    )
    parser.add_argument("--repo", type=Path, metavar="DIR",
                        help="with --data: folder whose mainrun/ was trained, in a repository that holds its "
                        "revisions")  # fmt: skip
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> Answer:
    """Makes every derived file anew."""
    if given.repo is not None and given.data is None:
        raise RequestError("--repo goes with --data: nothing is trained again without the titles.")
    from harness.report.pdf import start_renderer_early

    with start_renderer_early() as renderer:  # it loads its libraries while these imports and the analysis go on
        from harness.cli.outcome import format_result
        from harness.comparison import find_source, gather_evidence, make_reports, store_findings
        from harness.launch.local import LocalLauncher
        from harness.store.locks import blame_damage, hold, refuse_changes
        from harness.store.runs import load_comparison

        with hold(given.folder), blame_damage(given.folder):
            refuse_changes(given.folder)
            if given.data is not None:
                comparison = load_comparison(given.folder)
                source = find_source(comparison.plan, given.data)
                evidence = gather_evidence(comparison, source, LocalLauncher(), given.repo)
                store_findings(evidence, "report")
            document = make_reports(given.folder, renderer)
    return Answer(format_result(document, given.folder), {"folder": str(given.folder), "pairs": document["pairs"]})
