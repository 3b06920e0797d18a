"""`compare`: trains arms back to back, or judges what others have run."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.answer import Answer
from harness.cli.options import Verbs, add_source_options, build_json_option, build_training_options
from harness.cli.request import DEFAULT_RECIPES, read_request
from harness.cli.table import format_columns
from harness.formats import (
    format_count,
    format_duration,
    format_flops,
    format_hash,
    format_percent,
    format_settings,
    format_value,
)
from harness.launch.job import LOCAL
from harness.plan.arguments import PACKAGE
from harness.plan.arm_syntax import FORM
from mainrun.config import join_keys
from mainrun.recipes import RECIPES
from mainrun.record.errors import RequestError

if TYPE_CHECKING:
    from harness.launch.forecast import Forecast
    from harness.launch.job import Launcher
    from harness.launch.progress import ProgressDisplay
    from harness.plan.plan import Arm, Plan
    from harness.plan.request import CompareRequest


def add_to(verbs: Verbs) -> None:
    """Adds the verb's parser."""
    parser = verbs.add_parser(
        "compare",
        help="train the arms back to back, check, render",
        parents=[build_training_options(), build_json_option()],
        allow_abbrev=False,
    )
    parser.add_argument("recipes", nargs="*", metavar="ARM",
                        help=f"two or more of {FORM}; the first is the baseline (default: "
                        f"{' '.join(DEFAULT_RECIPES)}). Recipes: {', '.join(RECIPES)}; a revision is a branch, tag or "
                        "hash")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="[ARM.]KEY=VALUE",
                        help="change one setting of an arm, or of all arms; may be repeated")  # fmt: skip
    parser.add_argument("--sweep", action="append", default=[], dest="sweeps", metavar="ARM:KEY=V,V,…",
                        help="an arm for every value, or for every combination of several keys' values; may be "
                        "repeated")  # fmt: skip
    parser.add_argument("--against", metavar="ARM",
                        help="compare every other arm with this one, with the best, or with the one before it "
                        "(previous); default: first")  # fmt: skip
    parser.add_argument("--repo", type=Path, metavar="DIR",
                        help="folder whose mainrun/ is trained, and whose revisions are meant by RECIPE@REVISION "
                        "(default: this program's own)")  # fmt: skip
    add_source_options(parser)
    parser.add_argument("--arms", type=Path, metavar="FILE",
                        help="arms file (TOML): recipes with settings, and commands of other programs, by the names "
                        "that stand as ARM")  # fmt: skip
    parser.set_defaults(run=run, ablate=None)


def run(given: argparse.Namespace) -> Answer:
    """Judges sources where `--from` names some, and trains otherwise."""
    if given.sources is not None:
        from harness.cli.judge import run_import

        return run_import(given)
    for option in ("loss-unit", "block-size", "batch-size", "train-tokens", "validation-tokens"):
        if getattr(given, option.replace("-", "_")) is not None:
            raise RequestError(f"--{option} goes with --from: runs of our own say such things themselves.")
    return train(given)


def train(given: argparse.Namespace, ablate: str | None = None) -> Answer:
    """Trains what is asked for and reports on it, or shows the plan where only that is asked for.

    `ablate` is the recipe that is taken apart where neither the command line nor a stored plan names one.
    """
    from harness.cli.outcome import format_result
    from harness.cli.terminal import find_style, write_live
    from harness.comparison import run_comparison
    from harness.launch.choose import check_device, open_launcher
    from harness.launch.progress import ProgressDisplay
    from harness.store.document import load_document

    request = read_request(given, ablate)
    if not request.resume and request.launcher == LOCAL:
        check_device(request.device)
    display = ProgressDisplay(write_live, style=find_style())
    with open_launcher(
        given.launcher,
        given.address,
        given.jobs,
        given.threads,
        wants_gpu=given.device != "cpu",
        checkpoint_minutes=given.checkpoint_minutes,
        say=display.say,
    ) as (launcher, num_at_once, num_threads):
        request = replace(request, jobs=num_at_once, threads=num_threads)
        if given.dry_run:
            return _show_plan(request, launcher, display)
        folder = run_comparison(request, launcher, display)
    document = load_document(folder)
    return Answer(format_result(document, folder), {"folder": str(folder), "pairs": document["pairs"]})


def _show_plan(request: CompareRequest, launcher: Launcher, display: ProgressDisplay) -> Answer:
    """The plan, then what is taken over and how long the rest takes; what the comparison would refuse is refused."""
    from harness.cli.terminal import say
    from harness.launch.forecast import forecast
    from harness.launch.reuse import load_offers
    from harness.launch.runs import find_taken_over, train_alike
    from harness.plan.from_request import go_on, plan_request
    from harness.plan.plan import plan_to_json
    from harness.store.runs import get_run_folder, is_complete

    plan, folder = plan_request(request)
    offers = load_offers(request.reuse, folder)
    plan = go_on(folder, plan) if request.resume else plan
    alike = train_alike(request, plan, folder)

    def tell_time() -> Answer:
        taken_over = find_taken_over(alike, plan, folder, offers, launcher, display)
        missing = [run for run in plan.runs if run not in taken_over and not is_complete(get_run_folder(folder, run))]
        is_local = request.launcher == LOCAL  # the steps of this machine say nothing of a cluster's
        time = forecast(alike, plan, missing, launcher, say) if is_local else None
        values = {
            "folder": str(folder),
            "plan": plan_to_json(plan),
            "taken_over": [run.folder_name for run in plan.runs if run in taken_over],
            "estimated_s": time and time.total_s,
        }
        return Answer(format_forecast(time), values)

    return Answer(format_plan(plan, folder), {}, find_rest=tell_time)


def format_plan(plan: Plan, folder: Path) -> str:
    """The whole plan: data, arms side by side, order, paths."""
    if plan.sources is not None:
        return _format_commands(plan, folder)
    corpus = plan.corpus
    lines = [
        f"Comparison {plan.name}, preset {plan.preset}",
        f"Titles: {plan.describe_corpus()}; {format_count(corpus['num_train_titles'])} training, "
        f"{format_count(corpus['num_validation_titles'])} validation, "
        f"{format_count(corpus['num_available'])} available",
        f"Fingerprints: training {format_hash(corpus['train_sha256'])}, "
        f"validation {format_hash(corpus['validation_sha256'])}",
        "",
        *format_columns(["", *(arm.label for arm in plan.arms)], _describe_sizes(plan.arms)),
        "",
        *_format_configs(plan.arms),
    ]
    for change in plan.code_changes or ():
        lines.append(f"{change.candidate} differs from {change.baseline} in {len(change.files)} files of its code")
        lines += [f"  {PACKAGE}/{file.name}: +{file.num_added} -{file.num_removed}" for file in change.files]
    lines += [
        "",
        f"Decided on the full loss at the last step; margin {plan.margin_percent:g} %",
        "Order:",
        *(f"  {place}. {folder / 'runs' / plan.label_run(run)}" for place, run in enumerate(plan.runs, 1)),
    ]
    return "\n".join(lines)


def format_forecast(time: Forecast | None) -> str:
    """How long the runs will take."""
    if time is None:
        return "Time: not known."
    if not time.run_s:
        return "Time: none; nothing is left to train."
    each = ", ".join(f"{arm} {format_duration(seconds)}" for arm, seconds in time.run_s.items())
    return (
        f"Time: about {format_duration(time.total_s)} in all, by a few real steps of each kind of arm (a run: {each})"
    )


def _format_commands(plan: Plan, folder: Path) -> str:
    """Every run in order, those of other programs with their command."""
    commands = {source["arm"]: source["external"]["command"] for source in plan.sources or []}
    lines = [f"Comparison {plan.name}, preset {plan.preset}"]
    for place, run in enumerate(plan.runs, 1):
        arm = plan.get_arm(run.arm)
        what = f"command: {shlex.join(commands[run.arm])}" if run.arm in commands else f"recipe {arm.recipe}"
        lines.append(f"  {place}. {folder / 'runs' / run.folder_name}: {what}")
    return "\n".join(lines)


def _describe_sizes(arms: Sequence[Arm]) -> list[list[str]]:
    rows: dict[str, Callable[[Arm], str]] = {
        "parameters": lambda arm: format_count(arm.sizes["num_parameters"]),
        "training tokens": lambda arm: format_count(arm.sizes["num_train_tokens"]),
        "validation tokens": lambda arm: format_count(arm.sizes["num_validation_tokens"]),
        "steps an epoch": lambda arm: format_count(arm.sizes["steps_per_epoch"]),
        "steps": lambda arm: format_count(arm.sizes["max_steps"]),
        "evaluations": lambda arm: format_count(len(arm.sizes["evaluation_steps"])),
        "of these with full loss": lambda arm: format_count(len(arm.sizes["full_loss_steps"])),
        "spans scored": lambda arm: format_count(arm.sizes["num_spans"]),
        "coverage": lambda arm: format_percent(100 * arm.sizes["coverage"]),
        "training compute": lambda arm: format_flops(arm.sizes["training_flops"]),
    }
    return [[name, *(describe(arm) for arm in arms)] for name, describe in rows.items()]


def _format_configs(arms: Sequence[Arm]) -> list[str]:
    """The settings that are not those of the first arm in all, side by side, and the others in one line."""
    first = arms[0].config
    keys = join_keys(arm.config for arm in arms)
    alike = [key for key in keys if all(arm.config.get(key) == first.get(key) for arm in arms)]
    rows = [
        [key, *(format_value(value) + (" *" if value != first.get(key) else "") for value in values)]
        for key, values in ((key, [arm.config.get(key) for arm in arms]) for key in keys if key not in alike)
    ]
    return [
        f"{len(rows)} of {len(keys)} settings differ (* from the first arm)",
        *(format_columns(["", *(arm.label for arm in arms)], rows) if rows else ()),
        f"The same in all: {format_settings({key: format_value(first[key]) for key in alike})}",
    ]
