"""What the command line leaves out of a comparison that is to go on is taken from its stored plan."""

import argparse

from mainrun.record.errors import RequestError


def complete(given: argparse.Namespace) -> None:
    """Fills in arms, preset, seeds, margin, titles and column where they were not given.

    Raises `RequestError` where no folder was given, and for files that the plan knows the names of alone.
    """
    from harness.plan.arms import type_arm
    from harness.plan.external import is_external
    from harness.plan.plan import FILE_NAME, Plan, load_plan

    if given.out is None:
        raise RequestError("--resume needs --out: which comparison is to go on?")
    if not (given.out / FILE_NAME).exists():
        return
    plan: Plan = load_plan(given.out)
    if plan.ablation is not None and given.ablate is None and not given.recipes:
        given.ablate = plan.ablation["recipe"]
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
