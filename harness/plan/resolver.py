"""What the training program of an arm makes of its recipe, asked of that program itself, at its revision."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.plan.arguments import MODULE, PACKAGE, build_arguments, fit_arguments
from harness.plan.arm_syntax import ArmRequest
from harness.plan.code import Code, compute_sources_sha256
from harness.plan.git import fetch_tree, find_commit, find_head, find_tree
from harness.processes import build_command
from mainrun.data.corpus import CorpusSource
from mainrun.record.errors import EXIT_DONE, MachineError, ProgramError, RequestError, RunError
from mainrun.record.files import make_scratch_folder, parse_json
from mainrun.record.run_record import JOURNAL_NAME, load_run_record


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

    def resolve(self, arm: ArmRequest) -> Resolved:
        """The recipe at its revision; `RequestError` where there is no such one, or its program refuses the recipe."""
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


def _blame(arm: str, exit_code: int, said: str) -> ProgramError:
    """The error of a program that refused what it was asked, with its own last words."""
    lines = said.strip().splitlines()
    message = f"{arm}: its training program says: {lines[-1].removeprefix('error: ') if lines else 'nothing'}"
    kinds = {kind.exit_code: kind for kind in (RequestError, MachineError)}
    return kinds.get(exit_code, RunError)(message)
