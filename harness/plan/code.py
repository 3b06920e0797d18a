"""The training program of an arm: which revision it is, where it stands, and what it makes of a recipe."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.plan.arguments import MODULE, PACKAGE, build_arguments, fit_arguments
from harness.plan.arm_syntax import ArmRequest
from harness.plan.git import fetch_tree, find_commit, find_head, find_tree, has_object
from harness.processes import PLACE, build_command
from mainrun.data.corpus import CorpusSource
from mainrun.record.errors import EXIT_DONE, MachineError, ProgramError, RequestError, RunError
from mainrun.record.files import compute_file_sha256, make_scratch_folder, parse_json
from mainrun.record.run_record import JOURNAL_NAME, load_run_record

if TYPE_CHECKING:
    from harness.plan.plan import Arm


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


@dataclass(frozen=True)
class Resolved:
    """What the training program of an arm itself makes of its recipe."""

    code: Code
    config: dict[str, Any]
    sizes: dict[str, Any]
    corpus: dict[str, Any]


@dataclass(frozen=True)
class Resolver:
    """Asks the training program of each arm's revision for what the recipe comes to there."""

    repository: Path
    """The folder that holds the training program whose revisions are asked for."""
    preset: str
    source: CorpusSource
    seed: int
    begun: Mapping[str, Code]
    """By arm: the code that a comparison was begun with, which goes on though a branch has moved."""

    def __call__(self, arm: ArmRequest) -> Resolved:
        """Raises `RequestError` where there is no such revision, or its program refuses the recipe."""
        stored = self.begun.get(arm.name)
        commit, tree = self._find_code(arm, stored if stored and stored.revision == arm.revision else None)
        place = fetch_tree(self.repository, tree, PACKAGE) if arm.revision and tree else self.repository
        record, data, num_parameters = self._start_without_a_step(arm, place)
        code = Code(arm.revision, commit, tree, compute_sources_sha256(record["source_sha256"]))
        sizes = {
            **record["sizes"],
            "num_train_tokens": data["tokens_per_epoch"],
            "num_validation_tokens": data["num_validation_tokens"],
            "num_validation_chars": data["num_validation_chars"],
            "num_parameters_built": num_parameters,
        }
        return Resolved(code, record["config"], sizes, record["corpus"])

    def _find_code(self, arm: ArmRequest, stored: Code | None) -> tuple[str | None, str | None]:
        """The arm's commit, and the tree of its program where that is known."""
        if arm.revision is not None:
            commit = stored.commit if stored and stored.commit else find_commit(self.repository, arm.revision)
            return commit, find_tree(self.repository, commit, PACKAGE)
        if not (self.repository / PACKAGE / "train.py").is_file():
            raise RequestError(f"--repo: {self.repository} holds no {PACKAGE}/train.py, the training program.")
        head = find_head(self.repository, PACKAGE)
        if head is None:
            return None, None
        commit, is_dirty = head
        return commit, None if is_dirty else find_tree(self.repository, commit, PACKAGE)

    def _start_without_a_step(self, arm: ArmRequest, place: Path) -> tuple[dict[str, Any], dict[str, Any], int]:
        """The record of a run that ends before its first step, what it says of its data, and its model's parameters."""
        with make_scratch_folder() as scratch:
            folder = scratch / "run"
            arguments = build_arguments(
                arm.recipe, self.preset, arm.settings, self.source, self.seed, "cpu", "auto", folder
            )
            words = [*fit_arguments(arguments, place, arm.name), "--stop-after=0"]
            done = subprocess.run(
                build_command(MODULE, *words, place=place), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace",
            )  # fmt: skip
            if done.returncode != EXIT_DONE:
                raise _blame(arm.name, done.returncode, done.stderr)
            lines = (folder / JOURNAL_NAME).read_bytes().splitlines()
            events = {event["event"]: event for event in map(parse_json, lines)}
            return load_run_record(folder), events["dataset_info"], events["model_info"]["parameters_count"]


def load_code(values: Mapping[str, Any] | None) -> Code | None:
    """Of a stored arm; `TypeError` where it is damaged."""
    return None if values is None else Code(**values)


def locate_code(code: Code | None, repository: Path | None) -> Path:
    """The folder in which the training program of an arm stands: in the cache for a revision.

    Raises `RequestError` where git does not hold it any more.
    """
    own = (repository or PLACE).resolve()
    return own if code is None or code.revision is None or code.tree is None else fetch_tree(own, code.tree, PACKAGE)


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


def compute_sources_sha256(sources: Mapping[str, str]) -> str:
    """SHA-256 over names and hashes of source files, as a record has them."""
    lines = [f"{name} {digest}\n" for name, digest in sorted(sources.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _blame(arm: str, exit_code: int, said: str) -> ProgramError:
    """The error of a program that refused what it was asked, with its own last words."""
    lines = said.strip().splitlines()
    message = f"{arm}: its training program says: {lines[-1].removeprefix('error: ') if lines else 'nothing'}"
    kinds = {kind.exit_code: kind for kind in (RequestError, MachineError)}
    return kinds.get(exit_code, RunError)(message)
