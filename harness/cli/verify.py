"""`verify`: checks the rules, the metric and every number of a comparison."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.answer import Answer
from harness.cli.options import Verbs, add_launcher_options, build_json_option
from harness.cli.table import format_columns
from harness.cli.terminal import say
from mainrun.record.errors import EXIT_NO, RequestError
from mainrun.record.inert import make_inert

if TYPE_CHECKING:
    from harness.check.registry import Finding
    from harness.verify.replay import Steps

NEVER = float("inf")
"""Minutes until a checkpoint comes back: steps that are trained again are few."""


def add_to(verbs: Verbs) -> None:
    """Adds the verb's parser."""
    parser = verbs.add_parser("verify", help="check rules, metric and every number of a comparison",
                              parents=[build_json_option()])  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR", nargs="?")
    parser.add_argument("--data",
                        help="the file the titles came from, or hub; without it what needs them is not "
                        "checked")  # fmt: skip
    parser.add_argument("--replay", metavar="STEPS",
                        help="train so many steps of every run again and compare; all: whole runs, with losses by "
                        "title and final weights")  # fmt: skip
    parser.add_argument("--repo", type=Path, metavar="DIR",
                        help="folder whose mainrun/ was trained, in a repository that holds its revisions")  # fmt: skip
    add_launcher_options(parser)
    parser.add_argument(
        "--strict", action="store_true", help="what is not checked or cannot be vouched for counts as failed"
    )
    parser.add_argument("--list-checks", action="store_true", help="name every check and end")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> Answer:
    """Checks the comparison; ends with 1 where a check failed."""
    from harness.launch.choose import open_launcher
    from harness.store.locks import blame_damage, hold
    from harness.verify.verify import list_checks, verify

    if given.list_checks:
        return Answer(format_checks(list_checks()), {"checks": list_checks()})
    if given.folder is None:
        raise RequestError("verify needs the folder of a comparison.")
    steps = parse_replay(given.replay)
    launcher_of = partial(open_launcher, given.launcher, given.address, num_at_once=1, num_threads=1)
    with (
        hold(given.folder, shared=True),
        blame_damage(given.folder),
        launcher_of(wants_gpu=False, checkpoint_minutes=NEVER, say=say) as (launcher, *_),
    ):
        findings = verify(given.folder, given.data, steps, launcher, given.repo)
    bad = ("FAIL", "NOT VOUCHED", "NOT CHECKED") if given.strict else ("FAIL",)
    failed = [finding.name for finding in findings if finding.status in bad]
    values = {"findings": [asdict(finding) for finding in findings]}
    if not failed:
        return Answer(format_findings(findings), values)
    reason = f"failed{' (--strict)' if given.strict else ''}: {', '.join(failed)}"
    return Answer(f"{format_findings(findings)}\n{reason}", values, EXIT_NO, reason)


def parse_replay(text: str | None) -> Steps:
    """How many steps `--replay` asks for; `RequestError` where it is neither `all` nor a number from 1 on."""
    if text is None or text == "all":
        return text  # type: ignore[return-value]  # the literal, as just seen
    if not text.isdecimal() or int(text) < 1:
        raise RequestError(f"--replay takes all, or a number of steps from 1 on, not {text}.")
    return int(text)


def format_findings(findings: Sequence[Finding]) -> str:
    """Every finding with its evidence, and a last line that counts them."""
    from harness.store.findings import STATUSES

    lines = [make_inert(f"{finding.status:<11}  {finding.name}: {finding.evidence}") for finding in findings]
    counts = {status: sum(finding.status == status for finding in findings) for status in STATUSES}
    reasons = ", ".join(f"{count} {status}" for status, count in counts.items())
    return "\n".join([*lines, f"{len(findings)} checks: {reasons}"])


def format_checks(checks: Mapping[str, str]) -> str:
    """Name and title of every check."""
    return "\n".join(format_columns(["check", "what it asks"], [[name, title] for name, title in checks.items()]))
