"""`verify`: all checks on a stored comparison, with the titles and a fresh initialization where they can be had."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.check.integrity import INTEGRITY
from harness.check.logs import FORENSICS
from harness.check.registry import Evidence, Finding, Registry, Result, run_checks
from harness.check.reread import read_titles
from harness.check.terms import CONSTRAINTS
from harness.launch.job import Launcher, run_alone
from harness.launch.training import build_job
from harness.plan.arguments import build_arguments, fit_arguments
from harness.store.journals import load_journal
from harness.store.runs import StoredComparison, StoredRun, load_comparison
from harness.verify import revisions
from harness.verify.derived import REBUILD
from mainrun.data.corpus import CorpusSource
from mainrun.record.errors import EXIT_DONE
from mainrun.record.files import make_scratch_folder
from mainrun.record.run_record import JOURNAL_NAME, load_run_record

REGISTRIES: tuple[Registry, ...] = (CONSTRAINTS, INTEGRITY, FORENSICS, REBUILD)
REPLAY_NAME = "replay"
REPLAY_TITLE = "The first steps, trained again, give the same losses"
NO_TITLES = "the titles are not here: give --data with the file they came from"
OTHER_MACHINE_TOLERANCE = 1e-3
"""Relative difference of a loss that another machine, torch version or thread count may cause."""


def verify(
    folder: Path, data: str | None, replay_steps: int | None, launcher: Launcher, repository: Path | None = None
) -> list[Finding]:
    """All findings on the comparison in `folder`.

    `data` is where the titles are read again from (a file, or `hub`); synthetic ones are always made again.
    `repository` holds the training program and its revisions; None is our own. Raises
    `StoredResultsError` where a file cannot be read at all, `RequestError` or `MachineError` where `data` cannot.
    """
    comparison = load_comparison(folder, check_hashes=False)
    source = _find_source(comparison, data)
    evidence = Evidence(comparison, NO_TITLES, NO_TITLES)
    if source:
        titles = read_titles(comparison.plan, source)
        evidence = Evidence(comparison, titles, _initialize_again(comparison, source, launcher, repository))
    findings = [finding for registry in REGISTRIES for finding in run_checks(registry, evidence)]
    if comparison.plan.code_changes is not None:
        findings.append(Finding(revisions.NAME, revisions.TITLE, *revisions.judge_revisions(comparison, repository)))
    replayed = _replay(comparison, source, replay_steps, launcher, repository)
    return [*findings, Finding(REPLAY_NAME, REPLAY_TITLE, *replayed)]


def list_checks() -> dict[str, str]:
    """Name → title of every check."""
    titles = {name: check.title for registry in REGISTRIES for name, check in registry.items()}
    return titles | {revisions.NAME: revisions.TITLE, REPLAY_NAME: REPLAY_TITLE}


def _find_source(comparison: StoredComparison, data: str | None) -> CorpusSource | None:
    corpus = comparison.plan.corpus
    if corpus["source"] == "imported":
        return None  # logs alone: there are no titles to read again
    if corpus["source"] == "synthetic":
        return CorpusSource("synthetic")
    return None if data is None else CorpusSource(data, corpus["revision"], comparison.plan.title_column)


def _initialize_again(
    comparison: StoredComparison, source: CorpusSource, launcher: Launcher, repository: Path | None
) -> dict[str, str] | str:
    """SHA-256 of fresh weights by run folder, or why this machine cannot say what they should be."""
    made: dict[str, str] = {}
    digests = {}
    for run in comparison.trained:
        key = repr((run.record["config"], run.seed, comparison.plan.get_arm(run.arm).code))
        if key not in made:
            with make_scratch_folder() as scratch:
                record = _train_again(comparison, run, source, 0, launcher, scratch / "run", repository)
            if isinstance(record, str):
                return record
            other = [
                name for name in ("torch", "cpu_capability") if _describe(record)[name] != _describe(run.record)[name]
            ]
            if other:
                return f"made with another {' and '.join(other)}, which may initialize differently"
            made[key] = record["initial_weights_sha256"]
        digests[run.folder.name] = made[key]
    return digests


def _replay(
    comparison: StoredComparison, source: CorpusSource | None, num_steps: int | None, launcher: Launcher,
    repository: Path | None,
) -> Result:  # fmt: skip
    if not comparison.trained:
        return "NOT CHECKED", "no run is of the training program"
    if num_steps is None:
        return "NOT CHECKED", "asked for with --replay STEPS"
    if source is None:
        return "NOT CHECKED", NO_TITLES
    exact = True
    for run in comparison.trained:
        with make_scratch_folder() as scratch:
            folder = scratch / "run"
            record = _train_again(comparison, run, source, num_steps, launcher, folder, repository)
            if isinstance(record, str):
                return "NOT CHECKED", record
            again = _select_losses(load_journal(folder / JOURNAL_NAME, finished=True), num_steps)
        same_machine = _describe(record) == _describe(run.record) and record["machine"]["device"] == "cpu"
        exact &= same_machine
        tolerance = 0.0 if same_machine else OTHER_MACHINE_TOLERANCE
        difference = _find_loss_difference(_select_losses(run.events, num_steps), again, tolerance)
        if difference and record["source_sha256"] != run.record["source_sha256"]:
            return "NOT CHECKED", f"the training program here is not the one {run.folder.name} was made with"
        if difference:
            return "FAIL", f"{run.folder.name}{difference}"
    how = "bit for bit" if exact else f"within {OTHER_MACHINE_TOLERANCE:g} relative (not the same CPU)"
    return (
        "PASS",
        f"the first {num_steps} steps of {len(comparison.trained)} runs trained again: training, frozen and full "
        f"losses, span sums and gradient norms the same {how}",
    )


Losses = list[tuple[tuple[str, int, str], list[float]]]
"""Event, step and field with its values, in order."""
_REPLAYED = {
    "training_step": ("loss", "grad_norm", "learning_rate"),
    "validation_step": ("loss", "full_loss_nats_per_char", "span_loss_nats"),
}


def _find_loss_difference(stored: Losses, again: Losses, tolerance: float) -> str | None:
    if [key for key, _ in stored] != [key for key, _ in again]:
        return ": the journal's first events are not those of a run trained again"
    for ((event, step, name), found), (_, due) in zip(stored, again, strict=True):
        if len(found) != len(due) or any(not abs(a - b) <= tolerance * abs(b) for a, b in zip(found, due, strict=True)):
            return f", {event} {step}, {name}: stored {found!r}, trained again {due!r}"
    return None


def _select_losses(events: Sequence[dict[str, Any]], num_steps: int) -> Losses:
    selected: Losses = []
    for event in events:
        if event.get("step", 0) <= num_steps:
            for name in _REPLAYED.get(event["event"], ()):
                value = event[name]
                values = value if isinstance(value, list) else [] if value is None else [value]
                selected.append(((event["event"], event["step"], name), values))
    return selected


def _train_again(
    comparison: StoredComparison,
    run: StoredRun,
    source: CorpusSource,
    num_steps: int,
    launcher: Launcher,
    folder: Path,
    repository: Path | None,
) -> dict[str, Any] | str:
    """The record of a run of the same recipe and seed that stops after `num_steps`, or why it cannot be made here."""
    arm = comparison.plan.get_arm(run.arm)
    place = revisions.find_place(arm, repository)
    if isinstance(place, str):
        return place
    # A revision may not know a setting by today's name, by which its record is read.
    machine, settings = run.record["machine"], run.record["config"] if arm.code is None else arm.settings
    arguments = build_arguments(
        arm.recipe, comparison.plan.preset, settings, source, run.seed, machine["device"], machine["precision"], folder
    )
    if arm.code is not None:
        arguments = fit_arguments(arguments, place, arm.name)
    job = build_job(run.folder.name, [*arguments, f"--stop-after={num_steps}"], folder, place)
    outcome = run_alone(launcher, replace(job, num_threads=machine["num_threads"]))  # bits depend on it
    if outcome.exit_code != EXIT_DONE:
        return f"{run.folder.name} cannot be trained again here: {outcome.message}"
    return load_run_record(folder)


def _describe(record: dict[str, Any]) -> dict[str, Any]:
    """What decides whether losses repeat bit for bit."""
    machine = record["machine"]
    keys = ("device", "device_name", "cpu_capability", "num_threads")
    return {"torch": machine["library_versions"]["torch"], **{key: machine[key] for key in keys}}
