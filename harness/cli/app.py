"""Command line of the harness: `python -m harness VERB`. Results go to stdout, everything else to stderr."""

import argparse
import json
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from harness.cli.source_options import add_source_options, find_stray_option
from harness.processes import end_as_by_ctrl_c
from mainrun.devices import DEVICES, PRECISIONS
from mainrun.recipes import PRESETS, RECIPES, get_preset
from mainrun.record.errors import EXIT_BUG, EXIT_DONE, EXIT_INTERRUPTED, EXIT_NO, ProgramError, RequestError
from mainrun.record.inert import make_inert
from mainrun.rules import SEED

JSON_SCHEMA_VERSION = 1
LINE_ENDS = "\n\r"
"""Control characters that the program itself prints; all others come from outside."""

# The verbs import what they need themselves, so that --help does not wait for pandas, matplotlib and jinja2.


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
    except ProgramError as error:
        return _fail(given.json, error.exit_code, str(error))
    except KeyboardInterrupt:
        return _fail(given.json, EXIT_INTERRUPTED, "interrupted")
    except Exception as error:
        traceback.print_exc()
        return _fail(given.json, EXIT_BUG, f"this is a bug of the harness: {error!r}")
    if given.json:
        _print_json(answer.exit_code, answer.reason, answer.values)
    else:
        print(make_inert(answer.text, keep=LINE_ENDS))
    return answer.exit_code


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line as every other wrong request is reported."""

    def error(self, message: str) -> NoReturn:
        raise RequestError(f"{message}\n{self.format_usage().rstrip()}")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = Parser(
        prog="python -m harness",
        description="Trains a baseline and a changed recipe back to back and reports what the change was worth.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    json_option = Parser(add_help=False)
    json_option.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    training = _build_training_options()
    compare = verbs.add_parser(
        "compare",
        help="train the arms back to back, check, render",
        parents=[training, json_option],
        allow_abbrev=False,
    )
    compare.add_argument("recipes", nargs="*", metavar="RECIPE",
                         help=f"two or more of: {', '.join(RECIPES)}; the first is the baseline "
                         "(default: baseline optimized)")  # fmt: skip
    compare.add_argument("--set", action="append", default=[], dest="settings", metavar="ARM.KEY=VALUE",
                         help="change one setting of an arm; may be repeated")  # fmt: skip
    add_source_options(compare)
    compare.add_argument("--arms", type=Path, metavar="FILE",
                         help="arms file (TOML): commands of other programs; their names stand as RECIPE")  # fmt: skip
    compare.set_defaults(run=run_compare, ablate=None)

    ablate = verbs.add_parser(
        "ablate", help="what each change of a recipe is worth", parents=[training, json_option], allow_abbrev=False
    )
    ablate.add_argument("ablate", nargs="?", default="optimized", metavar="RECIPE",
                        help=f"one of: {', '.join(RECIPES)} (default: %(default)s)")  # fmt: skip
    ablate.set_defaults(run=run_compare, recipes=[], settings=[], sources=None, arms=None, loss_unit=None)

    report = verbs.add_parser("report", help="render again from stored data", parents=[json_option])
    report.add_argument("folder", type=Path, metavar="DIR")
    report.set_defaults(run=run_report)

    verify = verbs.add_parser("verify", help="check rules, metric and every number of a comparison",
                              parents=[json_option])  # fmt: skip
    verify.add_argument("folder", type=Path, metavar="DIR", nargs="?")
    verify.add_argument("--data",
                        help="the file the titles came from, or hub; without it what needs them is not "
                        "checked")  # fmt: skip
    verify.add_argument("--replay", type=int, metavar="STEPS",
                        help="train the first steps of every run again and compare")  # fmt: skip
    verify.add_argument("--strict", action="store_true", help="what is not checked counts as failed")
    verify.add_argument("--list-checks", action="store_true", help="name every check and end")
    verify.set_defaults(run=run_verify)

    gate = verbs.add_parser("gate", help="for CI: does a comparison meet what is asked?", parents=[json_option])
    gate.add_argument("folder", type=Path, metavar="DIR")
    gate.add_argument("--min-improvement", type=float, metavar="PCT", help="smallest gain in full loss, in percent")
    gate.add_argument("--max-loss", type=float, metavar="X", help="largest frozen loss of the last-named arm")
    gate.add_argument("--require-conclusive", action="store_true", help="end with 5 where nothing can be concluded")
    gate.set_defaults(run=run_gate)

    listing = verbs.add_parser("list", help="stored comparisons with their headline numbers", parents=[json_option])
    listing.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: %(default)s")
    listing.set_defaults(run=run_list)
    return parser


def _build_training_options() -> Parser:
    """The options of every verb that trains."""
    options = Parser(add_help=False)
    options.add_argument("--preset", default="quick", help=f"one of: {', '.join(PRESETS)} (default: %(default)s)")
    options.add_argument("--data", help="synthetic, hub, or a local parquet, CSV, JSON-lines or text file "
                         "(default: the preset's)")  # fmt: skip
    options.add_argument("--data-revision", metavar="REV", help="revision of the hub's dataset")
    options.add_argument("--title-column", default="title", metavar="NAME",
                         help="column of a local file (default: %(default)s)")  # fmt: skip
    options.add_argument("--seeds", default=str(SEED), metavar="S,S,…", help="default: %(default)s")
    options.add_argument("--margin", type=float, metavar="PCT",
                         help="gains smaller than this count as no difference (default: 0.5)")  # fmt: skip
    options.add_argument("--device", choices=DEVICES, default="auto")
    options.add_argument("--precision", choices=PRECISIONS, default="auto",
                         help="of the products; auto is bfloat16 on a GPU, float32 on a CPU")  # fmt: skip
    options.add_argument("--out", type=Path, metavar="DIR",
                         help="folder of the comparison (default: a new one in results/)")  # fmt: skip
    options.add_argument("--resume", action="store_true", help="train only what is missing in --out")
    options.add_argument("--reuse", type=Path, action="append", default=[], metavar="DIR",
                         help="take over finished runs of another comparison where they are the same; may be "
                         "repeated")  # fmt: skip
    options.add_argument("--dry-run", action="store_true", help="print the plan and train nothing")
    return options


@dataclass(frozen=True)
class Answer:
    """What a verb found."""

    text: str
    values: dict[str, Any]
    """For `--json`."""
    exit_code: int = EXIT_DONE
    reason: str | None = None
    """Why the exit code is not 0."""


def run_compare(given: argparse.Namespace) -> Answer:
    from harness.analyse.document import load_document
    from harness.analyse.verdict import MARGIN_PERCENT
    from harness.cli.text import format_plan, format_result
    from harness.comparison import plan_request, run_comparison
    from harness.launch.local import LocalLauncher
    from harness.launch.progress import ProgressDisplay
    from harness.plan.plan import plan_to_json
    from harness.plan.request import CompareRequest

    if given.sources is not None:
        from harness.cli.judge import run_import

        return Answer(*run_import(given))
    stray = find_stray_option(given)
    if stray is not None:
        raise RequestError(f"{stray} goes with --from: runs of our own say such things themselves.")
    get_preset(given.preset)
    if given.resume and given.out is None:
        raise RequestError("--resume needs --out: which comparison is to go on?")
    request = CompareRequest(
        recipes=tuple(given.recipes) or ("baseline", "optimized"),
        preset=given.preset,
        seeds=_parse_seeds(given.seeds),
        data=given.data,
        data_revision=given.data_revision,
        title_column=given.title_column,
        settings=_parse_settings(given.settings),
        ablate=given.ablate,
        margin_percent=MARGIN_PERCENT if given.margin is None else given.margin,
        device=given.device,
        precision=given.precision,
        out=given.out,
        resume=given.resume,
        reuse=tuple(given.reuse),
        arms_file=given.arms,
    )
    if given.dry_run:
        plan, folder = plan_request(request)
        return Answer(format_plan(plan, folder), {"folder": str(folder), "plan": plan_to_json(plan)})
    folder = run_comparison(request, LocalLauncher(), ProgressDisplay(_write_stderr, is_terminal=sys.stderr.isatty()))
    document = load_document(folder)
    return Answer(format_result(document, folder), {"folder": str(folder), "pairs": document["pairs"]})


def run_report(given: argparse.Namespace) -> Answer:
    from harness.report.pdf import start_renderer_early

    with start_renderer_early() as renderer:  # it loads its libraries while these imports and the analysis go on
        from harness.cli.text import format_result
        from harness.comparison import make_reports
        from harness.store.locks import blame_damage, hold, refuse_changes

        with hold(given.folder), blame_damage(given.folder):
            refuse_changes(given.folder)
            document = make_reports(given.folder, renderer)
    return Answer(format_result(document, given.folder), {"folder": str(given.folder), "pairs": document["pairs"]})


def run_list(given: argparse.Namespace) -> Answer:
    from harness.cli.listing import list_comparisons
    from harness.cli.text import format_list

    entries = list_comparisons(given.results)
    return Answer(format_list(entries), {"comparisons": entries})


def run_verify(given: argparse.Namespace) -> Answer:
    from harness.cli.text import format_checks, format_findings
    from harness.launch.local import LocalLauncher
    from harness.store.locks import blame_damage, hold
    from harness.verify.verify import list_checks, verify

    if given.list_checks:
        return Answer(format_checks(list_checks()), {"checks": list_checks()})
    if given.folder is None:
        raise RequestError("verify needs the folder of a comparison.")
    if given.replay is not None and given.replay < 1:
        raise RequestError(f"--replay takes a number of steps from 1 on, not {given.replay}.")
    with hold(given.folder, shared=True), blame_damage(given.folder):
        findings = verify(given.folder, given.data, given.replay, LocalLauncher())
    bad = ("FAIL", "NOT CHECKED") if given.strict else ("FAIL",)
    failed = [finding.name for finding in findings if finding.status in bad]
    values = {"findings": [asdict(finding) for finding in findings]}
    exit_code, reason = (EXIT_NO, f"failed: {', '.join(failed)}") if failed else (EXIT_DONE, None)
    return Answer(format_findings(findings), values, exit_code, reason)


def run_gate(given: argparse.Namespace) -> Answer:
    from harness.cli.text import format_conditions
    from harness.store.locks import blame_damage, hold
    from harness.verify.gate import compute_exit_code, judge, list_broken_rules

    with hold(given.folder, shared=True), blame_damage(given.folder):
        conditions = judge(given.folder, given.min_improvement, given.max_loss, given.require_conclusive)
        broken = list_broken_rules(given.folder)
    exit_code = compute_exit_code(conditions, given.require_conclusive)
    unmet = ", ".join(condition.name for condition in conditions if condition.status != "met")
    reason = f"not met: {unmet}" if exit_code != EXIT_DONE else None
    values = {"conditions": [asdict(condition) for condition in conditions], "broken_rules": broken}
    return Answer(format_conditions(conditions, broken), values, exit_code, reason)


def _parse_seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise RequestError(f"--seeds takes whole numbers with commas between them, not '{text}'.") from None


def _parse_settings(texts: list[str]) -> dict[str, dict[str, str]]:
    settings: dict[str, dict[str, str]] = {}
    for text in texts:
        target, equals, value = text.partition("=")
        arm, dot, key = target.partition(".")
        if not equals or not dot or not arm or not key:
            raise RequestError(f"--set takes ARM.KEY=VALUE, not '{text}'.")
        if key in settings.setdefault(arm, {}):
            raise RequestError(f"--set names '{target}' twice.")
        settings[arm][key] = value
    return settings


def _fail(as_json: bool, exit_code: int, message: str) -> int:
    print(f"error: {make_inert(message, keep=LINE_ENDS)}", file=sys.stderr)
    if as_json:
        _print_json(exit_code, message, {})
    return exit_code


def _print_json(exit_code: int, reason: str | None, values: dict[str, Any]) -> None:
    answer = {"schema_version": JSON_SCHEMA_VERSION, "exit_code": exit_code, "reason": reason, **values}
    print(json.dumps(answer, allow_nan=False))


def _write_stderr(text: str) -> None:
    sys.stderr.write(make_inert(text, keep=LINE_ENDS))
    sys.stderr.flush()
