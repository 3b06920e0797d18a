"""Where the training program of a stored arm stands again."""

from pathlib import Path

from harness.plan.arguments import PACKAGE
from harness.plan.code import compute_sources_sha256
from harness.plan.git import fetch_tree, has_object
from harness.plan.plan import Arm
from harness.processes import PLACE
from mainrun.record.errors import RequestError
from mainrun.record.files import compute_file_sha256


def find_place(arm: Arm, repository: Path | None) -> Path | str:
    """The folder in which an arm's training program stands again, or why git cannot give it."""
    own = (repository or PLACE).resolve()
    code = arm.code
    if code is None:
        return own
    if code.tree is None:
        is_unchanged = compute_sources_sha256(hash_sources(own)) == code.sources_sha256
        return own if is_unchanged else f"{arm.name} was trained with {code.words}, which git does not hold"
    if not has_object(own, code.tree):
        return f"{code.words}, the commit of {arm.name}, is not in the repository here: fetch it, or name one by --repo"
    try:
        return fetch_tree(own, code.tree, PACKAGE)
    except RequestError as error:
        return f"{arm.name}: {error}"


def hash_sources(place: Path) -> dict[str, str]:
    """SHA-256 of the source files of the training program in the folder `place`, by name."""
    package = place / PACKAGE
    return {path.relative_to(package).as_posix(): compute_file_sha256(path) for path in package.rglob("*.py")}
