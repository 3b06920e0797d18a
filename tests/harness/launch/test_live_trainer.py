"""A training that outlived its harness: what --resume may not join stays that training's own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.launch.job import Job, Outcome
from harness.plan.arguments import MODULE
from mainrun.provenance import describe_machine
from mainrun.record.errors import InterruptionError, ProgramError, RequestError, StoredResultsError
from mainrun.record.journal import Journal
from mainrun.run import train
from mainrun.train import parse_request
from tests.harness.fakes import MACHINE, FakeLauncher, Mishap, Writing, make_comparison


@dataclass
class RealLauncher(FakeLauncher):
    """Begins real trainings, which refuse what they refuse."""

    def write_run(self, job: Job) -> Writing:
        yield
        try:
            list(train(parse_request(list(job.argv[job.argv.index(MODULE) + 1 :]))))
        except ProgramError as error:
            return Outcome(error.exit_code, str(error))
        raise AssertionError(f"{job.name} was trained")


@pytest.mark.parametrize(
    ("machine", "refusal", "told"),
    [
        (describe_machine(torch.device("cpu"), "float32"), RequestError, "Another process is training in"),
        (MACHINE, StoredResultsError, "on another machine"),
    ],
    ids=["the same program", "another machine"],
)
def test_a_refused_resume_beside_a_live_trainer_leaves_its_record_running(
    machine: dict[str, Any], refusal: type[ProgramError], told: str, tmp_path: Path
) -> None:
    with pytest.raises(InterruptionError):
        make_comparison(tmp_path, launcher=FakeLauncher({"baseline": Mishap("interrupt", step=9)}, machine=machine))
    folder = tmp_path / "fake" / "runs" / "baseline-s1337"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert json.loads(before["run.json"])["status"] == "running"
    with Journal(folder / "mainrun.log", len(before["mainrun.log"])), pytest.raises(refusal) as refused:
        make_comparison(tmp_path, launcher=RealLauncher(), resume=True)
    assert told in str(refused.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
