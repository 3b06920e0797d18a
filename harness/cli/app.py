"""Command line of the harness: `python -m harness VERB`. Results go to stdout, everything else to stderr."""

import errno
import json
import sys
import traceback
from typing import Any

from harness.cli import ablate, compare, gate, report, verify
from harness.cli import list as listing
from harness.cli.answer import Answer
from harness.cli.options import Parser
from harness.cli.terminal import LINE_ENDS
from harness.processes import end_as_by_ctrl_c
from mainrun.record.errors import EXIT_BUG, EXIT_INTERRUPTED, ProgramError, RequestError
from mainrun.record.files import find_machine_fault
from mainrun.record.inert import make_inert

JSON_SCHEMA_VERSION = 1
VERBS = (compare, ablate, report, verify, gate, listing)
"""In the order of the help. Each imports what it needs when it runs, so that --help does not wait for pandas."""


def main(arguments: list[str] | None = None) -> int:
    """Does one verb and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        given = build_parser().parse_args(arguments)
    except RequestError as error:
        return _fail("--json" in arguments, error.exit_code, str(error))
    end_as_by_ctrl_c()
    try:
        answer: Answer = given.run(given)
        while answer.find_rest is not None:
            if not given.json:
                _print_text(answer.text)
            answer = answer.find_rest()
    except KeyboardInterrupt:
        return _fail(given.json, EXIT_INTERRUPTED, "interrupted")
    except Exception as error:
        if _is_name_too_long(error):
            return _fail(given.json, RequestError.exit_code, "The name of a file or folder is too long to be stored.")
        if isinstance(error, ProgramError):
            return _fail(given.json, error.exit_code, str(error))
        if fault := find_machine_fault(error):
            return _fail(given.json, fault.exit_code, str(fault))
        traceback.print_exc()
        return _fail(given.json, EXIT_BUG, f"this is a bug of the harness: {error!r}")
    if given.json:
        _print_json(answer.exit_code, answer.reason, answer.values)
    else:
        _print_text(answer.text)
    return answer.exit_code


def build_parser() -> Parser:
    """The parser of all verbs."""
    parser = Parser(
        prog="python -m harness",
        description="Trains a baseline and a changed recipe back to back and reports what the change was worth.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        verb.add_to(verbs)
    return parser


def _is_name_too_long(error: BaseException) -> bool:
    """Whether the file system said so, of whatever name; no name of our own is long."""
    return any(isinstance(each, OSError) and each.errno == errno.ENAMETOOLONG for each in (error, error.__cause__))


def _fail(as_json: bool, exit_code: int, message: str) -> int:
    print(f"error: {make_inert(message, keep=LINE_ENDS)}", file=sys.stderr)
    if as_json:
        _print_json(exit_code, message, {})
    return exit_code


def _print_text(text: str) -> None:
    print(make_inert(text, keep=LINE_ENDS), flush=True)


def _print_json(exit_code: int, reason: str | None, values: dict[str, Any]) -> None:
    answer = {"schema_version": JSON_SCHEMA_VERSION, "exit_code": exit_code, "reason": reason, **values}
    print(json.dumps(answer, allow_nan=False))
