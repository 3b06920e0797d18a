"""`ablate`: what each change of a recipe is worth, as a comparison with an arm a change."""

import argparse

from harness.cli.answer import Answer
from harness.cli.compare import train
from harness.cli.options import Verbs, build_json_option, build_training_options
from harness.plan.arm_syntax import WHOLE_FORM
from mainrun.recipes import RECIPES

DEFAULT_RECIPE = "optimized"


def add_to(verbs: Verbs) -> None:
    """Adds the verb's parser."""
    parser = verbs.add_parser(
        "ablate",
        help="what each change of a recipe is worth",
        parents=[build_training_options(), build_json_option()],
        allow_abbrev=False,
    )
    parser.add_argument("ablate", nargs="?", metavar="ARM",
                        help=f"{WHOLE_FORM} (default: {DEFAULT_RECIPE}). Recipes: {', '.join(RECIPES)}")  # fmt: skip
    parser.set_defaults(run=run, recipes=[], settings=[], sweeps=[], against=None, arms=None, repo=None)


def run(given: argparse.Namespace) -> Answer:
    """Trains every step of the ladder, and reports what each is worth."""
    return train(given, DEFAULT_RECIPE)
