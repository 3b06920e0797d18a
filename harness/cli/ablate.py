"""`ablate`: what each change of a recipe is worth, as a comparison with an arm a change."""

from harness.cli.compare import train
from harness.cli.options import Verbs, build_json_option, build_training_options
from mainrun.recipes import RECIPES


def add_to(verbs: Verbs) -> None:
    """Adds the verb's parser."""
    parser = verbs.add_parser(
        "ablate",
        help="what each change of a recipe is worth",
        parents=[build_training_options(), build_json_option()],
        allow_abbrev=False,
    )
    parser.add_argument("ablate", nargs="?", default="optimized", metavar="RECIPE",
                        help=f"one of: {', '.join(RECIPES)} (default: %(default)s)")  # fmt: skip
    parser.set_defaults(run=train, recipes=[], settings=[], arms=None, repo=None)
