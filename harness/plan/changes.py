"""The difference of two training programs: which files, how many lines, and the patch between them."""

import difflib
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.plan.arguments import PACKAGE
from harness.plan.git import list_files

FILE_NAME = "changes.patch"
_NO_LINE_END = "\\ No newline at end of file"


@dataclass(frozen=True)
class FileChange:
    """A file in which two training programs differ."""

    name: str
    """In the program's folder."""
    num_added: int | None
    """Lines that only the candidate has; None for a file that is no text."""
    num_removed: int | None
    """Lines that only the baseline has."""


@dataclass(frozen=True)
class CodeChange:
    """The difference of the programs of two arms."""

    baseline: str
    """Name of the arm."""
    candidate: str
    """Name of the arm."""
    files: tuple[FileChange, ...]
    """In order; none where both have the same code."""
    patch_sha256: str
    """Of the difference's part of `changes.patch`."""


def compare_code(baseline: str, before: Path, candidate: str, after: Path) -> tuple[CodeChange, str]:
    """The difference of the training programs in two folders, and the patch that makes one into the other.

    The patch begins with a line that names the arms, which `git apply` and `patch` pass over.
    """
    names = sorted({*list_files(before / PACKAGE), *list_files(after / PACKAGE)})
    files, parts = [], []
    for name in names:
        one, two = (_read(place / PACKAGE / name) for place in (before, after))
        if one == two:
            continue
        change, text = _compare_file(name, one, two)
        files.append(change)
        parts.append(text)
    patch = "".join([f"# {candidate} against {baseline}\n", *parts])
    return CodeChange(baseline, candidate, tuple(files), hashlib.sha256(patch.encode()).hexdigest()), patch


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _compare_file(name: str, before: bytes | None, after: bytes | None) -> tuple[FileChange, str]:
    old, new = (f"{side}/{PACKAGE}/{name}" for side in "ab")
    head = f"diff --git {old} {new}\n"
    head += "new file mode 100644\n" if before is None else "deleted file mode 100644\n" if after is None else ""
    try:
        texts = ((content or b"").decode() for content in (before, after))
        one, two = (list(io.StringIO(text, newline="\n")) for text in texts)  # cut at line feeds only, as git cuts
    except UnicodeDecodeError:
        return FileChange(name, None, None), f"{head}Binary files {old} and {new} differ\n"
    sides = "/dev/null" if before is None else old, "/dev/null" if after is None else new
    lines = list(difflib.unified_diff(one, two, *sides))
    changed = lines[2:]
    return (
        FileChange(name, sum(line[0] == "+" for line in changed), sum(line[0] == "-" for line in changed)),
        head + "".join(_end_lines(lines)),
    )


def _end_lines(lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n{_NO_LINE_END}\n"


def load_change(values: Mapping[str, Any]) -> CodeChange:
    """As a plan stores it; `TypeError` where it is damaged."""
    return CodeChange(**{**values, "files": tuple(FileChange(**file) for file in values["files"])})
