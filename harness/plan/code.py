"""The training program of an arm: which revision it is, and where it stands."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.plan.arguments import PACKAGE
from harness.plan.git import fetch_tree, has_object
from harness.processes import PLACE
from mainrun.record.errors import RequestError
from mainrun.record.files import compute_file_sha256


@dataclass(frozen=True)
class Code:
    """The training program of an arm."""

    revision: str | None
    """As typed; None is the working tree."""
    commit: str | None
    """Hash of the commit; of a working tree the one it began with. None outside of git."""
    tree: str | None
    """Git's hash of the program's folder; None for a working tree that is not what its commit holds."""
    sources_sha256: str
    """Over names and SHA-256 of all source files."""

    @property
    def words(self) -> str:
        """What a person is shown: the beginning of the commit, and whether the code is that of the commit."""
        if self.commit is None:
            return "a folder outside of git"
        return self.commit[:12] + ("" if self.tree else " with changes")


def load_code(values: Mapping[str, Any] | None) -> Code | None:
    """Of a stored arm; `TypeError` where it is damaged."""
    return None if values is None else Code(**values)


def locate_code(code: Code | None, repository: Path | None) -> Path:
    """The folder in which the training program of an arm stands: in the cache for a revision.

    Raises `RequestError` where git does not hold it any more.
    """
    own = (repository or PLACE).resolve()
    return own if code is None or code.revision is None or code.tree is None else fetch_tree(own, code.tree, PACKAGE)


def locate_code_again(name: str, code: Code | None, repository: Path | None) -> Path | str:
    """The folder in which the training program of the arm `name` stands again, or why git cannot give it."""
    own = (repository or PLACE).resolve()
    if code is None:
        return own
    if code.tree is None:
        is_unchanged = compute_sources_sha256(hash_sources(own)) == code.sources_sha256
        return own if is_unchanged else f"{name} was trained with {code.words}, which git does not hold"
    if not has_object(own, code.tree):
        return f"{code.words}, the commit of {name}, is not in the repository here: fetch it, or name one by --repo"
    try:
        return fetch_tree(own, code.tree, PACKAGE)
    except RequestError as error:
        return f"{name}: {error}"


def hash_sources(place: Path) -> dict[str, str]:
    """SHA-256 of the source files of the training program in the folder `place`, by name."""
    package = place / PACKAGE
    return {path.relative_to(package).as_posix(): compute_file_sha256(path) for path in package.rglob("*.py")}


def compute_sources_sha256(sources: Mapping[str, str]) -> str:
    """SHA-256 over names and hashes of source files, as a record has them."""
    lines = [f"{name} {digest}\n" for name, digest in sorted(sources.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
