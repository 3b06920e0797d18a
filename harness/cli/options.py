"""Options that several verbs share, and what their texts come to."""

import argparse
from pathlib import Path
from typing import NoReturn, TypeAlias

from mainrun.devices import DEVICES, PRECISIONS
from mainrun.recipes import PRESETS
from mainrun.record.errors import RequestError
from mainrun.rules import SEED


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line as every other wrong request is reported."""

    def error(self, message: str) -> NoReturn:
        raise RequestError(f"{message}\n{self.format_usage().rstrip()}")


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
    options.add_argument("--preset", default="quick", help=f"one of: {', '.join(PRESETS)} (default: %(default)s)")
    options.add_argument("--data", help="synthetic, hub, or a local parquet, CSV, JSON-lines or text file "
                         "(default: the preset's)")  # fmt: skip
    options.add_argument("--data-revision", metavar="REV", help="revision of the hub's dataset")
    options.add_argument("--title-column", default="title", metavar="NAME",
                         help="column of a local file (default: %(default)s)")  # fmt: skip
    options.add_argument("--seeds", default=str(SEED), metavar="S,S,…",
                         help="1337+2 is 1337 and the two after it (default: %(default)s)")  # fmt: skip
    options.add_argument("--margin", type=float, metavar="PCT",
                         help="gains smaller than this count as no difference (default: 0.5)")  # fmt: skip
    options.add_argument("--device", choices=DEVICES, default="auto")
    options.add_argument("--precision", choices=PRECISIONS, default="auto",
                         help="of the products; auto is bfloat16 on a GPU, float32 on a CPU")  # fmt: skip
    options.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at once (default: %(default)s)")
    options.add_argument("--threads", type=int, metavar="N",
                         help="of each run (default: all cores, or an equal part of them for each job)")  # fmt: skip
    options.add_argument("--mixed-machines", action="store_true",
                         help="compare runs of different kinds of processors or numbers of threads")  # fmt: skip
    options.add_argument("--out", type=Path, metavar="DIR",
                         help="folder of the comparison (default: a new one in results/)")  # fmt: skip
    options.add_argument("--resume", action="store_true", help="train only what is missing in --out")
    options.add_argument("--reuse", type=Path, action="append", default=[], metavar="DIR",
                         help="take over finished runs of another comparison where they are the same; may be "
                         "repeated")  # fmt: skip
    options.add_argument("--keep-weights", action="store_true",
                         help="store the final weights of every run, with which verify measures again")  # fmt: skip
    options.add_argument("--keep-checkpoints", action="store_true",
                         help="keep every checkpoint, so that verify --replay can draw a stretch")  # fmt: skip
    options.add_argument("--dry-run", action="store_true", help="print the plan and train nothing")
    return options


def check_positive(option: str, value: int | None) -> None:
    """`RequestError` where an option counts something and is below 1."""
    if value is not None and value < 1:
        raise RequestError(f"{option} takes a whole number from 1 on, not {value}.")


def parse_settings(texts: list[str]) -> dict[str, dict[str, str]]:
    """The values of `--set ARM.KEY=VALUE` by arm and key; `RequestError` for one of another shape or given twice."""
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
