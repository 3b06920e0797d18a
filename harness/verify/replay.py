"""Runs trained again, from the start, to the end, or over a stretch drawn at random, and compared with the journals."""

import json
import random
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.check.known_code import Code, hash_working_tree
from harness.check.registry import NOT_VOUCHED, Result, join_results
from harness.comparison import NO_TITLES_HERE
from harness.formats import format_number_of, quote
from harness.launch.again import Again
from harness.launch.arrivals import CHECKPOINT_FOLDER
from harness.plan.code import compute_sources_sha256
from harness.store.journals import load_journal
from harness.store.runs import StoredComparison, StoredRun
from mainrun.record.errors import StoredResultsError
from mainrun.record.files import compute_file_sha256, make_folder, make_scratch_folder, save_json
from mainrun.record.parquet import load_table
from mainrun.record.run_record import FILE_NAME, JOURNAL_NAME, TITLE_LOSSES_NAME
from mainrun.record.title_losses import COLUMNS, SCHEMA_VERSION

NAME = "replay"
TITLE = "Trained again, every run gives the same losses"
OTHER_MACHINE_TOLERANCE = 1e-3
"""Relative difference of a loss that another machine, torch version or thread count may cause."""
Steps = int | Literal["all"] | None
"""How many steps are trained again; None: none."""
Losses = list[tuple[tuple[str, int, str], list[float]]]
"""Event, step and field with its values, in order."""
_REPLAYED = {
    "training_step": ("loss", "grad_norm", "learning_rate"),
    "validation_step": ("loss", "full_loss_nats_per_char", "span_loss_nats"),
}


@dataclass(frozen=True)
class _Stretch:
    """Steps of a run that came out the same when they were trained again."""

    run: str
    first: int
    """They follow this step; 0 is the start."""
    num_steps: int
    is_exact: bool
    """Bit for bit."""


def replay(comparison: StoredComparison, steps: Steps, again: Again | None) -> Result:
    """The gravest answer over all runs of the training program; None is for titles that are not here."""
    runs = [run for run in comparison.trained if run.is_complete]
    if not runs:
        return "NOT CHECKED", "no whole run is of the training program"
    if steps is None:
        return "NOT CHECKED", "asked for with --replay STEPS or --replay all"
    if again is None:
        return "NOT CHECKED", NO_TITLES_HERE
    stretches: list[_Stretch] = []
    refusals: list[Result] = []
    for run in runs:
        found = _replay_run(run, steps, again)
        if isinstance(found, _Stretch):
            stretches.append(found)
            continue
        status, text = found
        if status == "FAIL":
            return status, f"{run.folder.name}{text}"  # no other run could be graver
        refusals.append((status, f"{run.folder.name}{text}"))
    return join_results(refusals) if refusals else ("PASS", _describe_stretches(stretches, is_whole=steps == "all"))


def _describe_stretches(stretches: Sequence[_Stretch], *, is_whole: bool) -> str:
    counts = [stretch.num_steps for stretch in stretches]
    least, most = min(counts), max(counts)
    what = "all steps" if is_whole else format_number_of(most, "step") if least == most else f"{least} to {most} steps"
    is_exact = all(stretch.is_exact for stretch in stretches)
    elsewhere = f"within {OTHER_MACHINE_TOLERANCE:g} relative (another CPU, device, torch or number of threads)"
    how = "bit for bit" if is_exact else elsewhere
    also = ", losses by title" * is_whole + " and final weights" * (is_whole and is_exact)
    drawn = [f"{stretch.run} from its checkpoint after step {stretch.first}" for stretch in stretches if stretch.first]
    where = f" ({'; '.join(drawn)})" if drawn else ""
    return (
        f"{what} of {len(stretches)} runs trained again{where}: training, frozen and full losses, span sums, gradient "
        f"norms{also} the same {how}"
    )


def find_other_title(run: StoredRun, again: Sequence[float], tolerance: float) -> str | None:
    """The first validation title whose stored loss in nats is not the one measured `again`, within `tolerance`.

    The tolerance is relative, and of losses below one nat absolute; 0 asks for the same bits.
    """
    stored = run.load_title_losses()["loss_nats"]
    if len(stored) != len(again):
        return f"it has {len(stored):,} losses by title, measured again {len(again):,}"
    for place, (found, due) in enumerate(zip(stored, again, strict=True)):
        if not abs(found - due) <= tolerance * max(1.0, abs(due)):
            return f"validation title {place} is stored with {found!r} nats, measured again {due!r}"
    return None


def _replay_run(run: StoredRun, steps: Steps, again: Again) -> _Stretch | Result:
    place = again.locate_program(run)
    if isinstance(place, str):
        return "NOT CHECKED", f": {place}"
    with make_scratch_folder() as scratch:
        folder, drawn = scratch / "run", _draw_checkpoint(run) if isinstance(steps, int) else None
        if drawn and (problem := _lay_out(run, drawn, folder)):
            return "FAIL", problem
        first = drawn["step"] if drawn else 0
        last = first + steps if isinstance(steps, int) else None
        record = again.train(run, last, folder, place)
        if isinstance(record, str):
            return NOT_VOUCHED, f" cannot be trained again here: {record}"
        events = load_journal(folder / JOURNAL_NAME, finished=True)
        is_same_machine = _describe(record) == _describe(run.record) and record["machine"]["device"] == "cpu"
        tolerance = 0.0 if is_same_machine else OTHER_MACHINE_TOLERANCE
        stored = _select(run.events, first, last)
        difference = _find_loss_difference(stored, _select(events, first, last), tolerance)
        if difference is None and last is None:
            difference = _find_other_end(run, record, folder, tolerance)
    if difference is None:
        trained = {step for (event, step, _), _ in stored if event == "training_step"}
        return _Stretch(run.folder.name, first, len(trained), is_exact=is_same_machine)
    if _is_other_code(again.comparison, run, record["source_sha256"]):
        return NOT_VOUCHED, f": its record names another training program than the one here; trained again{difference}"
    return "FAIL", difference


def _is_other_code(comparison: StoredComparison, run: StoredRun, here: Code) -> bool:
    """Whether the program that was started is not the run's, or says that it is another than stands here."""
    declared = comparison.plan.get_arm(run.arm).code
    due = compute_sources_sha256(hash_working_tree()) if declared is None else declared.sources_sha256
    return dict(run.record["source_sha256"]) != dict(here) or compute_sources_sha256(here) != due


def _draw_checkpoint(run: StoredRun) -> dict[str, Any] | None:
    """A kept checkpoint at random that steps follow, as the record names it; None is the start."""
    last = run.select("training_step")[-1]["step"]
    before_end = [entry for entry in run.record.get("checkpoints", []) if entry["step"] != last]
    kept = [entry for entry in before_end if _find_checkpoint(run.folder, entry).is_file()]
    drawn: dict[str, Any] | None = random.SystemRandom().choice([None, *kept])
    return drawn


def _find_checkpoint(folder: Path, entry: dict[str, Any]) -> Path:
    """By its hash alone: a stored path could lead anywhere."""
    if not re.fullmatch("[0-9a-f]{64}", entry["sha256"]) or not isinstance(entry["step"], int):
        raise StoredResultsError(f"{folder.name} names a checkpoint that is none: {quote(entry)}.")
    return folder / CHECKPOINT_FOLDER / f"{entry['sha256']}.pt"


def _lay_out(run: StoredRun, drawn: dict[str, Any], folder: Path) -> str | None:
    """Puts the checkpoint where it is gone on from, behind a journal of blanks, or says what is wrong with it."""
    kept = _find_checkpoint(run.folder, drawn)
    if compute_file_sha256(kept) != drawn["sha256"]:
        return f": its checkpoint after step {drawn['step']} does not have the SHA-256 that its record names"
    make_folder(folder / CHECKPOINT_FOLDER)
    shutil.copyfile(kept, _find_checkpoint(folder, drawn))
    (folder / JOURNAL_NAME).write_bytes(b" " * (2 * (run.folder / JOURNAL_NAME).stat().st_size))
    record = json.loads((run.folder / FILE_NAME).read_bytes())
    save_json(folder / FILE_NAME, record | {"status": "running"})
    return None


def _find_other_end(run: StoredRun, record: dict[str, Any], folder: Path, tolerance: float) -> str | None:
    """What a whole run ends with: its losses by title and, on the same machine, the bits of its weights."""
    again = load_table(folder / TITLE_LOSSES_NAME, COLUMNS, schema_version=SCHEMA_VERSION)["loss_nats"]
    if problem := find_other_title(run, again, tolerance):
        return f": {problem}"
    if tolerance == 0 and run.record["final_weights_sha256"] != record["final_weights_sha256"]:
        return ": its final weights are not those of the run trained again"
    return None


def _find_loss_difference(stored: Losses, again: Losses, tolerance: float) -> str | None:
    if [key for key, _ in stored] != [key for key, _ in again]:
        return ": the journal's events are not those of a run trained again"
    for ((event, step, name), found), (_, due) in zip(stored, again, strict=True):
        if len(found) != len(due) or any(not abs(a - b) <= tolerance * abs(b) for a, b in zip(found, due, strict=True)):
            return f", {event} {step}, {name}: stored {found!r}, trained again {due!r}"
    return None


def _select(events: Sequence[dict[str, Any]], first: int, last: int | None) -> Losses:
    """What is compared of the steps after `first` up to `last`."""
    selected: Losses = []
    for event in events:
        if first < event.get("step", 0) and (last is None or event["step"] <= last):
            for name in _REPLAYED.get(event["event"], ()):
                value = event[name]
                values = value if isinstance(value, list) else [] if value is None else [value]
                selected.append(((event["event"], event["step"], name), values))
    return selected


def _describe(record: dict[str, Any]) -> dict[str, Any]:
    """What decides whether losses repeat bit for bit."""
    machine = record["machine"]
    keys = ("device", "device_name", "cpu_capability", "num_threads")
    return {"torch": machine["library_versions"]["torch"], **{key: machine[key] for key in keys}}
