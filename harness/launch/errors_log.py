"""What a failed run wrote to stderr, kept whole so that a person can find the cause, without the machine's folders."""

import re
import sys
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path

from mainrun.record.files import make_folder, save_text
from mainrun.record.inert import make_inert

FOLDER = Path("logs") / "errors"
MAX_CHARS = 200_000
"""A longer text keeps its beginning and its end."""
_KEPT_AT_START = 20_000
_PROGRAM = Path(__file__).parents[2]
_ABSOLUTE_PATH = re.compile(r"(?<![\w.…/])/(?:[^/\s\"':]+/)+(?=[^/\s\"':])")


def save_errors(comparison: Path, run: Path, text: str) -> Path:
    """Writes what the run in the folder `run` wrote to stderr; returns where, relative to the comparison."""
    name = FOLDER / f"{run.name}.log"
    make_folder(comparison / FOLDER)
    save_text(comparison / name, make_inert(hide_folders(_shorten(text), comparison), keep="\n\t"))
    return name


def hide_folders(text: str, comparison: Path) -> str:
    """The text with every absolute path cut to what says which file is meant: `mainrun/loop.py`, `…/module.py`."""
    roots = {
        comparison.absolute(): "",
        comparison.resolve(): "",
        _PROGRAM: "",
        **{Path(path): "…/" for path in sysconfig.get_paths().values()},
        Path(sys.prefix): "…/",
        **_list_own_folders(),
    }
    for root in sorted(roots, key=lambda path: -len(str(path))):
        if root != Path(root.anchor):
            text = text.replace(f"{root}/", roots[root])
    return _ABSOLUTE_PATH.sub("…/", text)


def _list_own_folders() -> dict[Path, str]:
    """The folders of this machine and user, those that there are."""
    places: dict[Path, str] = {}
    with suppress(OSError):
        places[Path(tempfile.gettempdir())] = "…/"
    with suppress(OSError):
        places[Path.cwd()] = ""
    with suppress(RuntimeError):
        places[Path.home()] = "…/"
    return places


def _shorten(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    num_left_out = len(text) - MAX_CHARS
    return (
        f"{text[:_KEPT_AT_START]}\n… {num_left_out:,} characters are left out …\n{text[_KEPT_AT_START - MAX_CHARS :]}"
    )
