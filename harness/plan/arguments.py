"""The command line of a training program, as far as the program of a revision knows it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainrun.data.settings import TITLE_COLUMN
from mainrun.record.errors import RequestError

if TYPE_CHECKING:
    from mainrun.data.corpus import CorpusSource

MODULE = "mainrun.train"
PACKAGE = MODULE.partition(".")[0]
_DEFAULTS = frozenset({"--device=auto", "--precision=auto", f"--title-column={TITLE_COLUMN}"})
"""Options that say what a program does anyway which does not know them."""
_OF_THE_HARNESS = frozenset({"--arm", "--beside", "--code-commit", "--code-tree", "--plan-sha256"})
"""Options that change nothing in what is trained."""


def build_arguments(
    recipe: str, preset: str, settings: Mapping[str, Any], source: CorpusSource, seed: int, device: str, precision: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    """Arguments of the training program for a run by itself."""
    return [
        f"--recipe={recipe}",
        f"--preset={preset}",
        f"--data={source.data}",
        f"--title-column={source.title_column}",
        f"--seed={seed}",
        f"--out={folder}",
        f"--device={device}",
        f"--precision={precision}",
        *(f"--set={key}={value}" for key, value in settings.items()),
        *([f"--data-revision={source.revision}"] if source.revision is not None else []),
    ]


def fit_arguments(arguments: Sequence[str], place: Path, arm: str) -> list[str]:
    """The arguments for the training program in the folder `place`, without those it does not know and need not.

    Raises `RequestError` that names an option which it does not know and which would change what is trained.
    """
    known = find_options(place)
    fitting = []
    for argument in arguments:
        name = argument.partition("=")[0]
        if name in known:
            fitting.append(argument)
        elif name not in _OF_THE_HARNESS and argument not in _DEFAULTS:
            raise RequestError(
                f"{arm}: its training program does not know {name}, which was asked for. Leave it out, or compare "
                "revisions that know it."
            )
    return fitting


def find_options(place: Path) -> frozenset[str]:
    """The long options that stand in the sources of the training program in the folder `place`."""
    return frozenset(
        node.value
        for path in (place / PACKAGE).rglob("*.py")
        for node in ast.walk(_parse(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("--")
    )


def _parse(path: Path) -> ast.AST:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # the program itself says where, once it is started
        return ast.Module([], [])
