"""The command line that makes a comparison again, as its reports print it."""

import shlex
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from harness.plan.arms import type_ablated, type_arm
from harness.plan.plan import FIRST, MARGIN_PERCENT, Arm, Plan
from harness.sources.given import Given
from harness.sources.names import make_arm_name
from harness.store.records import OWN_KIND
from harness.store.runs import StoredComparison
from mainrun.data.settings import TITLE_COLUMN


def describe_command(comparison: StoredComparison) -> str:
    """The whole line; a local file or a log by its name, wherever it stands."""
    plan = comparison.plan
    taken_in = [source for source in plan.sources or [] if not source.get("external")]
    words = ["python", "-m", "harness"]
    if taken_in:
        words += ["compare", "--from", *_describe_sources(taken_in)]
        unit = next((source["loss_unit"] for source in taken_in if source["loss_unit"]), None)
        words += ["--loss-unit", unit] if unit else []
        given = [Given(**source.get("given", {})) for source in taken_in if source["kind"] != OWN_KIND]
        words += given[0].to_options() if len({*given}) == 1 else []
    else:
        words += _describe_training(plan)
        words += ["--seeds", ",".join(map(str, plan.seeds)), *_describe_machine(comparison)]
    if plan.margin_percent != MARGIN_PERCENT:
        words += ["--margin", f"{plan.margin_percent:g}"]
    if plan.against != FIRST:
        words += ["--against", plan.against]
    for arm in () if plan.ablation or taken_in else plan.arms:
        for key, value in arm.settings.items():
            words += ["--set", f"{arm.name}.{key}={value}"]
    return shlex.join(words)


def _describe_sources(sources: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each by its file's name, behind the arm's where the arm was named otherwise or the files are called alike.

    One of several logs of an arm is a run of a stored comparison, and so by that run's.
    """
    named, arms = (Counter(source[key] for source in sources) for key in ("name", "arm"))
    for source in sources:
        name, arm = source["name"], source["arm"]
        if arms[arm] > 1:
            yield name if source["kind"] == OWN_KIND else f"{arm}-s{source['seed']}"
            continue
        is_plain = source["kind"] == OWN_KIND or arm == make_arm_name(PurePath(name).stem)
        yield name if is_plain and named[name] == 1 else f"{arm}={name}"


def _describe_training(plan: Plan) -> list[str]:
    external = {source["arm"]: source["external"] for source in plan.sources or []}
    arms = [_describe_arm(arm, external) for arm in plan.arms]
    words = ["ablate", type_ablated(plan.arms[-1])] if plan.ablation else ["compare", *arms]
    if external:
        words += ["--arms", next(iter(external.values()))["arms_file"]]
    if plan.corpus["source"] != "imported":
        words += ["--preset", plan.preset]
        words += ["--data", plan.corpus["name"] if plan.corpus["source"] == "file" else plan.corpus["source"]]
    if plan.title_column != TITLE_COLUMN:
        words += ["--title-column", plan.title_column]
    if plan.corpus["revision"]:
        words += ["--data-revision", plan.corpus["revision"]]
    return words


def _describe_machine(comparison: StoredComparison) -> Iterator[str]:
    """The options that ask for the device, precision and threads which all runs trained here had in common."""
    machines = [run.record["machine"] for run in comparison.runs.values() if "machine" in run.record]
    for option, key in (("--device", "device"), ("--precision", "precision"), ("--threads", "num_threads")):
        values = {machine[key] for machine in machines}
        if len(values) == 1 and None not in values:
            yield from (option, *map(str, values))


def _describe_arm(arm: Arm, external: Container[str]) -> str:
    if arm.name in external:
        return arm.name
    is_plain = arm.has_recipes_name and (arm.code is None or arm.code.revision is None)
    return arm.recipe if is_plain else type_arm(arm)
