"""What arms are called that were not trained here: as the user says, else by what tells their paths apart."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count, takewhile
from pathlib import Path

from mainrun.record.inert import make_inert

MAX_NAME = 60
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True)
class Wish:
    """What one arm would be called."""

    name: str
    """The name it was given, or that of its file."""
    path: Path | None = None
    """Where the folders on the way to it may tell it apart from others of that name; None for a fixed name."""


def split_name(text: str) -> tuple[str | None, Path]:
    """Name and path of `NAME=PATH`; a path that exists as it is written has no name before it."""
    name, equals, rest = text.partition("=")
    if not equals or not rest or Path(text).exists() or not _NAME.fullmatch(name):
        return None, Path(text)
    return name, Path(rest)


def name_arms(wishes: Sequence[Wish]) -> list[str]:
    """A name for every wish, unlike all before it: `mainrun`, or `a_mainrun` and `b_mainrun` where folders differ.

    What no folder tells apart is numbered from the second on: `baseline`, `baseline-2`.
    """
    names: list[str] = []
    for wish in wishes:
        wanted = _tell_apart(wish, [other for other in wishes if other.name == wish.name])
        numbered = chain([wanted], (f"{wanted}-{number}" for number in count(2)))
        names.append(next(name for name in numbered if name not in names))
    return names


def make_arm_name(text: str) -> str:
    """A name that is safe as a folder's and on a command line: letters, digits, `.`, `_` and `-`."""
    plain = unicodedata.normalize("NFKC", make_inert(text))
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._-")
    return safe[:MAX_NAME] or "log"


def _tell_apart(wish: Wish, alike: Sequence[Wish]) -> str:
    """The wish, or the folders in which its path differs from those of the wishes alike."""
    paths = [other.path.resolve().parts for other in alike if other.path is not None]
    if wish.path is None or len(paths) < 2:
        return wish.name
    parts = wish.path.resolve().parts
    num_before = _count_common(paths)
    num_behind = min(_count_common([path[::-1] for path in paths]), *(len(path) - num_before for path in paths))
    between = parts[num_before : len(parts) - num_behind]
    return make_arm_name("/".join(between)) if between else wish.name


def _count_common(paths: Sequence[tuple[str, ...]]) -> int:
    """With how many parts all paths begin."""
    parts_at_a_place = zip(*paths, strict=False)
    return sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, parts_at_a_place))
