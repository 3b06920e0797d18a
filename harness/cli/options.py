"""Options that several verbs share, and what their texts come to."""

import argparse
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from harness.launch.choose import CHECKPOINT_MINUTES, LAUNCHERS
from harness.launch.job import LOCAL
from mainrun.data.settings import TITLE_COLUMN
from mainrun.devices import DEVICES, PRECISIONS
from mainrun.recipes import PRESETS
from mainrun.record.errors import RequestError
from mainrun.rules import SEED

DEFAULT_PRESET = "quick"
MIN_LIKENESS = 0.6
NEGATIVE_NUMBER = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
"""That of argparse knows no exponent, and takes what has one for an option."""


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line as every other wrong request is reported, and takes -1e-3 for a number."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._negative_number_matcher = NEGATIVE_NUMBER

    def error(self, message: str) -> NoReturn:
        raise RequestError(f"{message}\n{self.format_usage().rstrip()}")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuses an unknown option where its verb is known, with the one that may be meant."""
        given, extras = super().parse_known_args(args, namespace)
        for word in extras:
            if word.startswith("--"):
                name = word.partition("=")[0]
                nearest = get_close_matches(name, self._option_string_actions, n=1, cutoff=MIN_LIKENESS)
                self.error(f"there is no {name}{f'; the nearest is {nearest[0]}' if nearest else ''}")
        refuse_loose_seeds(given, extras)
        return given, extras


Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"
"""Where each verb adds its parser."""


def build_json_option() -> Parser:
    """The option of every verb."""
    options = Parser(add_help=False)
    options.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return options


def build_training_options() -> Parser:
    """The options of every verb that trains."""
    options = Parser(add_help=False)
    options.add_argument("--preset", help=f"one of: {', '.join(PRESETS)} (default: {DEFAULT_PRESET})")
    options.add_argument("--data", help="synthetic, hub, or a local parquet, CSV, JSON-lines or text file "
                         "(default: the preset's)")  # fmt: skip
    options.add_argument("--data-revision", metavar="REV", help="revision of the hub's dataset")
    options.add_argument("--title-column", metavar="NAME",
                         help=f"column of a local file (default: {TITLE_COLUMN})")  # fmt: skip
    options.add_argument("--seeds", metavar="S,S,…",
                         help=f"1337+2 is 1337 and the two after it (default: {SEED})")  # fmt: skip
    options.add_argument("--margin", type=float, metavar="PCT",
                         help="gains smaller than this count as no difference (default: 0.5)")  # fmt: skip
    options.add_argument("--device", choices=DEVICES, default="auto")
    options.add_argument("--precision", choices=PRECISIONS, default="auto",
                         help="of the products; auto is bfloat16 on a GPU that has it, else float32")  # fmt: skip
    options.add_argument("--jobs", type=int, metavar="N",
                         help="runs at once (default: 1; on a cluster, as many as there is room for)")  # fmt: skip
    options.add_argument("--threads", type=int, metavar="N",
                         help="of each run (default: all cores, or an equal part of them for each job)")  # fmt: skip
    add_launcher_options(options)
    options.add_argument("--checkpoint-minutes", type=float, metavar="M",
                         help="how often a checkpoint comes back from a cluster (default: "
                         f"{CHECKPOINT_MINUTES:g})")  # fmt: skip
    options.add_argument("--mixed-machines", action="store_true",
                         help="compare runs of different kinds of processors or numbers of threads")  # fmt: skip
    options.add_argument("--out", type=Path, metavar="DIR",
                         help="folder of the comparison (default: a new one in results/)")  # fmt: skip
    options.add_argument(
        "--resume",
        action="store_true",
        help="train only what is missing in --out; what is not given is taken from its plan",
    )
    options.add_argument("--reuse", type=Path, action="append", default=[], metavar="DIR",
                         help="take over finished runs of another comparison where they are the same; may be "
                         "repeated")  # fmt: skip
    options.add_argument("--keep-weights", action="store_true",
                         help="store the final weights of every run, with which verify measures again")  # fmt: skip
    options.add_argument("--keep-checkpoints", action="store_true",
                         help="keep every checkpoint, so that verify --replay can draw a stretch")  # fmt: skip
    options.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan and how long it will take, by a few steps of each arm; keep nothing",
    )
    return options


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Adds what `--from` judges, and what is said of it that it does not say itself."""
    parser.add_argument("--from", nargs="+", dest="sources", metavar="[NAME=]SOURCE",
                        help="judge stored runs and logs of other programs, without training: logs, tables, "
                        "comparisons, runs, TensorBoard folders, folders of all these")  # fmt: skip
    parser.add_argument("--loss-unit", choices=("nats_per_char", "nats_per_token"),
                        help="unit of the validation losses, which tables and event files do not say")  # fmt: skip
    parser.add_argument("--block-size", type=int, metavar="N", help="block size of sources that do not state it")
    parser.add_argument("--batch-size", type=int, metavar="N", help="the same for the batch size")
    parser.add_argument("--train-tokens", type=int, metavar="N", help="the same for the training tokens of an epoch")
    parser.add_argument("--validation-tokens", type=int, metavar="N", help="the same for the validation tokens")


def refuse_loose_seeds(given: argparse.Namespace, words: Iterable[str | None]) -> None:
    """`RequestError` where numbers stand after `--seeds` with blanks between them, and so among other `words`."""
    loose = [word for word in words if word is not None and word.isdecimal()]
    if loose and getattr(given, "seeds", None):
        seeds = ",".join([given.seeds, *loose])
        raise RequestError(f"{loose[0]} stands by itself: several seeds are written with commas, --seeds {seeds}.")


def add_launcher_options(options: argparse.ArgumentParser) -> None:
    """Adds the options that say where runs go on."""
    options.add_argument("--launcher", choices=LAUNCHERS, default=LOCAL,
                         help="processes of this machine or tasks of a Ray cluster (default: %(default)s)")  # fmt: skip
    options.add_argument("--address", metavar="auto|HOST:PORT",
                         help="the Ray cluster (default: a Ray of its own, on this machine)")  # fmt: skip
