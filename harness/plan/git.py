"""What git is asked for: which commit a revision is, and the files of a tree. It is only read from.

The user's checkout, index and stash are never touched: files come from `git archive` into a cache folder.
"""

import filecmp
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mainrun.record.errors import MachineError, RequestError
from mainrun.record.files import find_cache_folder, make_folder, unwritable

_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""Set by git for its hooks, where they would lead every call to another repository."""
_LEFT_BY_PYTHON = "__pycache__"


class GitError(Exception):
    """Git does not know what it was asked for; the message is its own."""


def find_commit(folder: Path, revision: str) -> str:
    """The full hash of the commit that a revision is in the repository around `folder`.

    Raises `RequestError` where there is no git, no repository or no such commit.
    """
    try:
        return _ask(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except GitError:
        pass
    try:
        _ask(folder, "rev-parse", "--show-toplevel")
    except GitError as error:
        raise RequestError(
            f"'{revision}' is asked for, and {folder} is in no git repository that git reads: {error}. Name one that "
            "holds the training program with --repo DIR."
        ) from None
    raise RequestError(
        f"The revision '{revision}' is no commit in the repository of {folder}. Expected a branch, a tag or a hash "
        "that git knows there; one that is elsewhere has to be fetched first."
    )


def find_tree(folder: Path, commit: str, name: str) -> str:
    """Git's hash of the folder `name` in `folder` as it was at a commit; `RequestError` where it was not there."""
    try:
        return _ask(folder, "rev-parse", "--verify", "--quiet", f"{commit}:./{name}")
    except GitError:
        raise RequestError(
            f"The commit {commit[:12]} holds no {name}/ where {folder} is. Name the folder that holds it with --repo "
            "DIR."
        ) from None


def find_head(folder: Path, name: str) -> tuple[str, bool] | None:
    """The commit of the checkout that `name` in `folder` belongs to, and whether `name` differs from it.

    A new file counts. None where the folder is not kept by git, or git is not there.
    """
    try:
        _ask(folder, "ls-files", "--error-unmatch", name)
        commit = _ask(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return commit, bool(_ask(folder, "status", "--porcelain", "--untracked-files=all", "--", name))
    except (GitError, RequestError):
        return None


def has_object(folder: Path, name: str) -> bool:
    """Whether the repository around `folder` holds a commit or tree; False where there is no git or repository."""
    try:
        _ask(folder, "cat-file", "-e", name)
    except (GitError, RequestError):
        return False
    return True


def fetch_tree(folder: Path, tree: str, name: str) -> Path:
    """A folder of the cache in which the files of a tree stand below `name`.

    What stands there already is used where its files are the tree's, and replaced where they are not. Raises
    `RequestError` where git cannot give the tree, `MachineError` where it cannot be written.
    """
    place = _find_cache() / tree
    try:
        make_folder(place)
        with tempfile.TemporaryDirectory(dir=place, prefix=".new-") as new:
            extract_tree(folder, tree, Path(new, name))
            if not _holds_the_same(Path(new, name), place / name):
                shutil.rmtree(place / name, ignore_errors=True)
                Path(new, name).rename(place / name)
    except OSError as error:
        if (place / name).is_dir() and any((place / name).iterdir()):  # another process put it there meanwhile
            return place
        raise unwritable(place, error) from error
    return place


def extract_tree(folder: Path, tree: str, target: Path) -> None:
    """Writes the files of a tree or commit into the new folder `target`; `RequestError` where git cannot give them."""
    try:
        content = _run(folder, "archive", "--format=tar", tree)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            target.mkdir(parents=True)
            archive.extractall(target, filter="data")
    except (GitError, tarfile.TarError) as error:
        raise RequestError(f"git cannot give the files of {tree[:12]}: {error}.") from None


def list_files(folder: Path) -> Iterator[str]:
    """Names in a folder of all its files but hidden ones and those that Python leaves, in order."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and _LEFT_BY_PYTHON not in name.parts and not any(part[0] == "." for part in name.parts):
            yield name.as_posix()


def _holds_the_same(one: Path, two: Path) -> bool:
    names = list(list_files(one))
    if not two.is_dir() or names != list(list_files(two)):
        return False
    return filecmp.cmpfiles(one, two, names, shallow=False)[0] == names


def _find_cache() -> Path:
    folder = find_cache_folder()
    if folder is None:
        raise MachineError("There is no home folder to keep the code of revisions in. Set XDG_CACHE_HOME.")
    return folder / "revisions"


def _ask(folder: Path, *arguments: str) -> str:
    return os.fsdecode(_run(folder, *arguments)).strip()


def _run(folder: Path, *arguments: str) -> bytes:
    environment = {key: value for key, value in os.environ.items() if key not in _OF_A_HOOK}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}  # or a mere status would rewrite the index
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], env=environment, capture_output=True)
    except OSError as error:
        raise RequestError(
            f"git is needed for revisions of the code, and cannot be started: {error.strerror}."
        ) from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").split()
        raise GitError(" ".join(words) or f"exit code {done.returncode}")
    return done.stdout
