"""Runs gone on from kept checkpoints, for real: what was trained repeats, what was edited does not."""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.comparison import run_comparison
from harness.launch.again import Again
from harness.launch.job import Job, Outcome
from harness.launch.progress import ProgressDisplay
from harness.plan.arguments import MODULE
from harness.store.runs import load_comparison
from harness.verify.replay import replay
from mainrun.data.corpus import CorpusSource
from mainrun.record.errors import EXIT_DONE, ProgramError, StoredResultsError
from mainrun.record.files import save_json
from mainrun.run import train
from mainrun.train import parse_request
from tests.harness.fakes import build_request, read_events, rehash, skip_rendering, write_events

STEPS = 3
RUN = "optimized-s1337"


class HereLauncher:
    """Real trainings within this process, which has torch loaded; a checkpoint after every evaluation."""

    def __init__(self) -> None:
        self._ended: dict[str, Outcome] = {}

    def start(self, job: Job) -> None:
        request = parse_request(list(job.argv[job.argv.index(MODULE) + 1 :]))
        try:
            list(train(replace(request, checkpoint_every_s=0.0)))
            self._ended[job.name] = Outcome(EXIT_DONE, "")
        except ProgramError as error:
            self._ended[job.name] = Outcome(error.exit_code, str(error))

    def poll(self, wait_s: float) -> dict[str, Outcome]:
        ended, self._ended = self._ended, {}
        return ended

    def stop(self) -> None:
        pass


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real comparison that kept its checkpoints; to be read only."""
    settings = {arm: {"num_titles": "200"} for arm in ("baseline", "optimized")}
    out = tmp_path_factory.mktemp("kept") / "real"
    request = replace(build_request(out, settings=settings), keep_checkpoints=True)
    with skip_rendering(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("mainrun.record.checkpoint.MAX_SHARE_OF_TIME", 1e9)
        return run_comparison(request, HereLauncher(), ProgressDisplay(lambda text: None))


@pytest.fixture
def own(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "own", symlinks=True))


def read_record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "runs" / RUN / "run.json").read_bytes())
    return record


def judge(folder: Path, monkeypatch: pytest.MonkeyPatch, place: int) -> tuple[str, str]:
    """The finding where of every run the checkpoint at a place is drawn; 0 is the start."""
    monkeypatch.setattr(random.SystemRandom, "choice", lambda self, drawn: drawn[place])
    comparison = load_comparison(folder, check_hashes=False)
    return replay(comparison, STEPS, Again(comparison, CorpusSource("synthetic"), HereLauncher(), None))


def edit_loss(folder: Path, step: int, digits: str = "") -> None:
    """Another loss in a journal line, of another length with `digits`, and the hash to go with it."""
    path = folder / "runs" / RUN / "mainrun.log"
    events = read_events(path)
    edited = next(event for event in events if (event["event"], event.get("step")) == ("training_step", step))
    edited["loss"] = float(f"{edited['loss'] + 1e-3:.4f}{digits}")
    write_events(path, events)
    rehash(path.parent)


def test_stretches_from_the_start_and_from_checkpoints_repeat_bit_for_bit(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = read_record(kept)["checkpoints"]
    assert len(checkpoints) > 4
    assert judge(kept, monkeypatch, 0)[0] == "PASS"
    for place in (2, -1):
        status, evidence = judge(kept, monkeypatch, place)
        assert status == "PASS" and evidence.endswith("bit for bit")
        assert f"{RUN} from its checkpoint after step {[None, *checkpoints][place]['step']}" in evidence


def test_it_says_how_many_steps_were_compared_and_not_how_many_were_asked_for(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = [entry["step"] for entry in read_record(kept)["checkpoints"]]
    run = next(run for run in load_comparison(kept).trained if run.folder.name == RUN)
    last = run.select("training_step")[-1]["step"]
    before_end = [step for step in checkpoints if step < last]
    monkeypatch.setattr("tests.harness.verify.test_replay.STEPS", 1000)
    _, evidence = judge(kept, monkeypatch, -1)
    assert evidence.startswith(f"{last - before_end[-1]} step of 2 runs trained again")


@pytest.mark.parametrize("digits", ["", "1234567"])
def test_a_line_in_the_middle_is_found_from_the_checkpoint_before_it_alone(
    digits: str, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = read_record(own)["checkpoints"][1]["step"] + STEPS
    edit_loss(own, step, digits)
    status, evidence = judge(own, monkeypatch, 2)
    assert status == "FAIL" and f"training_step {step}, loss: stored" in evidence
    assert judge(own, monkeypatch, 0)[0] == judge(own, monkeypatch, -1)[0] == "PASS"


def put_another_under_its_name(folder: Path, entries: list[dict[str, Any]]) -> None:
    places = [folder / "runs" / RUN / entry["path"] for entry in entries[1:3]]
    shutil.copyfile(places[1], places[0])


def name_another_as_its_own(folder: Path, entries: list[dict[str, Any]]) -> None:
    steps = [entry["step"] for entry in entries]
    rotated = [{**entry, "step": step} for entry, step in zip(entries, [steps[-1], *steps[:-1]], strict=True)]
    save_json(folder / "runs" / RUN / "run.json", read_record(folder) | {"checkpoints": rotated})


@pytest.mark.parametrize(
    ("swap", "told"),
    [
        (put_another_under_its_name, "does not have the SHA-256 that its record names"),
        (name_another_as_its_own, "the journal's events are not those of a run trained again"),
    ],
)
def test_the_checkpoint_of_another_step_is_found(
    swap: Callable[[Path, list[dict[str, Any]]], None], told: str, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap(own, read_record(own)["checkpoints"])
    status, evidence = judge(own, monkeypatch, 2)
    assert status == "FAIL" and told in evidence


@pytest.mark.parametrize("digest", ["../../../../outside", "0" * 63, "A" * 64])
def test_the_name_of_a_checkpoint_leads_nowhere_else(digest: str, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"step": 4, "sha256": digest, "path": f"checkpoint/{digest}.pt"}
    save_json(own / "runs" / RUN / "run.json", read_record(own) | {"checkpoints": [entry]})
    with pytest.raises(StoredResultsError, match="names a checkpoint that is none"):
        judge(own, monkeypatch, -1)
