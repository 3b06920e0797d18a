"""Kept weights: whether they give the stored losses, and whether a loss knows what comes after it."""

from pathlib import Path
from typing import Any

from harness.check.registry import NOT_VOUCHED, Result, join_results
from harness.comparison import NO_TITLES_HERE
from harness.launch.again import NAME_END, Again
from harness.launch.job import Job, run_alone
from harness.processes import build_command
from harness.store.runs import StoredComparison, StoredRun
from harness.verify.replay import find_other_title
from mainrun.record.errors import EXIT_DONE
from mainrun.record.files import load_json, make_scratch_folder
from mainrun.record.run_record import WEIGHTS_NAME

NAME = "kept-weights"
TITLE = "The kept weights give the losses, and no loss knows what comes after it"
MODULE = "mainrun.probe"
RESULT_NAME, RESULT_VERSION = "probe.json", 1
TOLERANCE = 1e-3
"""Relative difference of a title's loss that another machine or precision may cause."""
MAX_MOVED_NATS = 1e-3
"""By which rounding moves a loss when other rows or later tokens of a batch change."""


def probe_all(comparison: StoredComparison, again: Again | None) -> Result:
    """The gravest answer over the runs that kept their weights; None is for titles that are not here."""
    whole = [run for run in comparison.trained if run.is_complete]
    runs = [run for run in whole if (run.folder / WEIGHTS_NAME).is_file()]
    if not runs:
        return "NOT CHECKED", "no run kept its weights; compare --keep-weights does"
    if again is None:
        return "NOT CHECKED", NO_TITLES_HERE
    status, text = join_results([_probe(run, again) for run in runs])
    absent = len(whole) - len(runs)
    return status, f"{text}; {absent} of {len(whole)} runs kept none" if absent else text


def _probe(run: StoredRun, again: Again) -> Result:
    name = run.folder.name
    with make_scratch_folder() as scratch:
        folder = scratch / "probe"
        job = _build_job(run, folder, again)
        if isinstance(job, str):
            return NOT_VOUCHED, f"{name}: its weights cannot be measured with here: {job}"
        outcome = run_alone(again.launcher, job)
        if outcome.exit_code != EXIT_DONE:
            return NOT_VOUCHED, f"{name}: its weights cannot be measured with here: {outcome.message}"
        measured = load_json(folder / RESULT_NAME, RESULT_VERSION)
    problem = find_problem(run, measured)
    return ("FAIL", f"{name}: {problem}") if problem else ("PASS", "losses by title measured again; none looks ahead")


def find_problem(run: StoredRun, measured: dict[str, Any]) -> str | None:
    """What the weights give away; `measured` is what the probe wrote."""
    if measured["weights_sha256"] != run.record["final_weights_sha256"]:
        return f"{WEIGHTS_NAME} does not hold the final weights that its record names"
    if measured["moved_nats"] > MAX_MOVED_NATS:
        return f"the loss of a token moves by {measured['moved_nats']:.3g} nats with tokens that come after it"
    problem = find_other_title(run, measured["title_loss_nats"], TOLERANCE)
    return f"{problem} by its weights" if problem else None


def _build_job(run: StoredRun, folder: Path, again: Again) -> Job | str:
    """The job, or why the program of the run's arm cannot do it."""
    place = again.locate_program(run)
    if isinstance(place, str):
        return place
    arguments = again.build_arguments(run, folder, place)
    if isinstance(arguments, str):
        return arguments
    weights = f"--weights={(run.folder / WEIGHTS_NAME).resolve()}"
    argv = tuple(build_command(MODULE, *arguments, weights, place=place))
    name, num_threads = f"{run.folder.name}{NAME_END}", run.record["machine"]["num_threads"]
    return Job(name, argv, folder, folder / RESULT_NAME, num_threads=num_threads, own_gpu=run.had_gpu)
