"""From the command line to what is asked for; of a comparison that is to go on, its plan says what is left out."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.cli.options import DEFAULT_PRESET, refuse_loose_seeds
from harness.launch.job import LOCAL
from mainrun.data.settings import TITLE_COLUMN
from mainrun.recipes import get_preset
from mainrun.record.errors import RequestError
from mainrun.rules import SEED

if TYPE_CHECKING:
    from harness.plan.request import CompareRequest

DEFAULT_RECIPES = ("baseline", "optimized")


def read_request(given: argparse.Namespace, ablate: str | None) -> CompareRequest:
    """The request; `ablate` is the recipe that is taken apart where nothing names one.

    Raises `RequestError` for numbers and names that cannot be meant, and as `_complete`.
    """
    from harness.plan.plan import FIRST, MARGIN_PERCENT
    from harness.plan.request import CompareRequest
    from harness.plan.seeds import parse_seeds
    from mainrun.data.corpus import HUB, SYNTHETIC

    refuse_loose_seeds(given, [*given.recipes, given.ablate])
    if given.resume:
        _complete(given)
    preset = given.preset or DEFAULT_PRESET
    get_preset(preset)
    for option in ("jobs", "threads", "checkpoint_minutes"):
        value = getattr(given, option)
        if value is not None and not value > 0:
            raise RequestError(f"--{option.replace('_', '-')} takes a number above 0, not {value}.")
    if given.checkpoint_minutes is not None and given.launcher == LOCAL:
        raise RequestError("--checkpoint-minutes is of a cluster and goes with --launcher ray.")
    data = given.data or get_preset(preset).data
    if given.title_column is not None and not given.resume and data in (HUB, SYNTHETIC):
        raise RequestError(f"--title-column names a column of a file, but --data is {data!r}: omit it.")
    return CompareRequest(
        recipes=tuple(given.recipes) or (DEFAULT_RECIPES[:1] if given.sweeps else DEFAULT_RECIPES),
        preset=preset,
        seeds=parse_seeds(given.seeds or str(SEED)),
        data=given.data,
        data_revision=given.data_revision,
        title_column=given.title_column or TITLE_COLUMN,
        set_texts=tuple(given.settings),
        sweeps=tuple(given.sweeps),
        against=given.against or FIRST,
        ablate=given.ablate or ablate,
        margin_percent=MARGIN_PERCENT if given.margin is None else given.margin,
        device=given.device,
        precision=given.precision,
        out=given.out,
        resume=given.resume,
        reuse=tuple(given.reuse),
        arms_file=given.arms,
        launcher=given.launcher,
        jobs=given.jobs,
        threads=given.threads,
        repository=given.repo,
        mixed_machines=given.mixed_machines,
        keep_weights=given.keep_weights,
        keep_checkpoints=given.keep_checkpoints,
    )


def _complete(given: argparse.Namespace) -> None:
    """Fills in arms, preset, seeds, margin, titles and column where they were not given.

    Raises `RequestError` where no folder was given, and for files that the plan knows the names of alone.
    """
    from harness.plan.arms import type_ablated, type_arm
    from harness.plan.plan import FILE_NAME, Plan, load_plan
    from harness.plan.planning import is_external

    if given.out is None:
        raise RequestError("--resume needs --out: which comparison is to go on?")
    if not (given.out / FILE_NAME).exists():
        return
    plan: Plan = load_plan(given.out)
    if plan.ablation is not None and not any((given.ablate, given.recipes, given.sweeps, given.settings)):
        given.ablate = type_ablated(plan.arms[-1])
    if given.ablate is None and not given.recipes and not given.sweeps:
        given.recipes = [arm.name if is_external(arm) else type_arm(arm) for arm in plan.arms]
        given.against = given.against or plan.against
        given.settings = given.settings or [
            f"{arm.name}.{key}={value}" for arm in plan.arms for key, value in arm.settings.items()
        ]
        if given.arms is None and any(map(is_external, plan.arms)):
            raise RequestError(f"{given.out} has arms of an arms file: give it again with --arms.")
    if plan.corpus["source"] == "file" and given.data is None:
        raise RequestError(
            f"{given.out} is on the titles of {plan.corpus['name']!r}: give that file again with --data."
        )
    if plan.corpus["source"] != "imported":
        given.preset = given.preset or plan.preset
        given.data = given.data or plan.corpus["source"]
    given.seeds = given.seeds or ",".join(map(str, plan.seeds))
    given.margin = plan.margin_percent if given.margin is None else given.margin
    given.title_column = given.title_column or plan.title_column
