"""The options of `compare --from`: what is judged, and what is said of it that it does not say itself."""

import argparse
from typing import Any

_SAID = ("--loss-unit", "--block-size", "--batch-size", "--train-tokens", "--validation-tokens")


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Adds them to a verb's parser."""
    parser.add_argument("--from", nargs="+", dest="sources", metavar="[NAME=]SOURCE",
                        help="judge stored runs and logs of other programs, without training: logs, tables, "
                        "comparisons, runs, TensorBoard folders, folders of all these")  # fmt: skip
    parser.add_argument("--loss-unit", choices=("nats_per_char", "nats_per_token"),
                        help="unit of the validation losses of tables and TensorBoard sources")  # fmt: skip
    parser.add_argument("--block-size", type=int, metavar="N", help="block size of sources that do not state it")
    parser.add_argument("--batch-size", type=int, metavar="N", help="the same for the batch size")
    parser.add_argument("--train-tokens", type=int, metavar="N", help="the same for the training tokens of an epoch")
    parser.add_argument("--validation-tokens", type=int, metavar="N", help="the same for the validation tokens")


def find_stray_option(given: argparse.Namespace) -> str | None:
    """An option that says something of sources, where there are none; a verb without such options has none."""
    names = {option: option.strip("-").replace("-", "_") for option in _SAID}
    values: dict[str, Any] = {option: getattr(given, name, None) for option, name in names.items()}
    return next((option for option, value in values.items() if value is not None), None)
