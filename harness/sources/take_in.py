"""Taking runs in that were not trained here: the plan they make, and their folders with raw bytes and journal."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.plan.external import UNKNOWN_CORPUS
from harness.plan.noise import KnownNoise, find_known_noise
from harness.plan.plan import Arm, Plan, PlannedRun
from harness.sources.find import (
    DEFAULT_SEED,
    STORED_NAMES,
    Source,
    find_sources,
    list_files,
    name_arms,
    read_source,
)
from harness.sources.log import ForeignLog
from harness.sources.scalars import LossUnit
from harness.store.facts import read_facts
from harness.store.journals import Event
from harness.store.runs import StoredRun, check_run_hashes, get_run_folder, load_run
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.files import compute_file_sha256, make_folder, save_json, save_text
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import JOURNAL_NAME, SCHEMA_VERSION

ORIGINAL_RECORD = "source.json"
"""The record of a stored run as it was, beside the one that names its new arm and plan."""
PRESET = "imported"
"""Where no arm says at what scale it was run."""


@dataclass(frozen=True)
class ImportedRun:
    """A source that was read: either a log, or a run of our own."""

    source: Source
    seed: int
    log: ForeignLog | None
    run: StoredRun | None

    @property
    def fingerprints(self) -> tuple[str | None, str | None]:
        if self.run is not None:
            return self.run.record["corpus"]["train_sha256"], self.run.record["corpus"]["validation_sha256"]
        assert self.log is not None
        facts = read_facts(self.log.events)
        return facts.train_sha256, facts.validation_sha256


def read_runs(paths: Sequence[Path], loss_unit: LossUnit | None) -> list[ImportedRun]:
    """Reads all sources.

    Raises `RequestError` where one cannot be read or there are not two arms, `StoredResultsError` where a stored run
    was changed or the runs cannot be compared.
    """
    runs = [_read(source) for source in find_sources(paths, loss_unit)]
    _check_comparable(runs)
    return runs


def plan_import(name: str, runs: Sequence[ImportedRun], margin_percent: float) -> tuple[Plan, list[PlannedRun]]:
    """The plan that imported runs make, and the planned run of each of them, in the order of `runs`.

    Runs of one arm of one comparison stay one arm; any other run is an arm of its own.
    """
    groups: list[tuple[tuple[Path, str] | None, list[ImportedRun]]] = []
    for run in runs:
        key = (run.source.path.parent.resolve(), run.source.arm) if run.run else None
        group = next((members for other, members in groups if key is not None and other == key), None)
        if group is None:
            groups.append((key, [run]))
        else:
            group.append(run)
    names = name_arms([members[0].source.arm for _, members in groups])
    if len(names) < 2:
        raise RequestError("--from needs two arms or more; the first is the baseline.")
    planned = {
        id(run): PlannedRun(name, run.seed) for name, (_, members) in zip(names, groups, strict=True) for run in members
    }
    seeds = _choose_seeds([[run.seed for run in members] for _, members in groups])
    own = [run.run for run in runs if run.run is not None]
    plan = Plan(
        name=name,
        preset=own[0].record["request"]["preset"] if own else PRESET,
        corpus=own[0].record["corpus"] if own else UNKNOWN_CORPUS,
        arms=tuple(_plan_arm(name, members[0]) for name, (_, members) in zip(names, groups, strict=True)),
        seeds=tuple(seeds),
        runs=tuple(planned[id(run)] for run in runs),
        margin_percent=margin_percent,
        known_noise=_find_noise_of([run.record for run in own]),
        sources=[_describe(planned[id(run)], run) for run in runs],
    )
    _refuse_copies(runs)
    if len(set(plan.runs)) < len(plan.runs):
        raise RequestError("--from names the same run twice; a run against itself shows nothing.")
    return plan, [planned[id(run)] for run in runs]


def store_runs(folder: Path, plan: Plan, plan_sha256: str, runs: Sequence[ImportedRun]) -> None:
    """Copies the bytes of every source into its run's folder, and writes journal and record from them."""
    for run, planned, described in zip(runs, plan.runs, plan.sources or [], strict=True):
        run_folder = get_run_folder(folder, planned)
        make_folder(run_folder)
        if run.run is not None:
            _store_own(run_folder, run, planned, plan_sha256, described)
        else:
            store_raw(run_folder, run.source.kind, run.source.path)
            store_log(run_folder, planned, plan_sha256, described)


def store_raw(run_folder: Path, kind: str, path: Path) -> None:
    """Copies the bytes of a foreign source."""
    place = run_folder / STORED_NAMES[kind]
    if kind == "tensorboard":
        make_folder(place)
        for file in list_files(kind, path):
            shutil.copyfile(file, place / file.name)
    else:
        shutil.copyfile(path, place)


def store_log(run_folder: Path, planned: PlannedRun, plan_sha256: str, described: dict[str, Any]) -> ForeignLog:
    """Reads the stored source, writes its journal and its record, and returns what was read."""
    kind = described["kind"]
    place = run_folder / STORED_NAMES[kind]
    log = read_source(kind, place, described["name"], described["loss_unit"])
    save_text(run_folder / JOURNAL_NAME, format_journal(log.to_journal()))
    files = {path.relative_to(run_folder).as_posix(): compute_file_sha256(path) for path in list_files(kind, place)}
    record = {
        "schema_version": SCHEMA_VERSION,
        "status": log.status,
        "reason": log.reason,
        "arm": planned.arm,
        "seed": planned.seed,
        "source": {**described, "files": files},
        "mainrun_log_sha256": compute_file_sha256(run_folder / JOURNAL_NAME),
        "plan_sha256": plan_sha256,
    }
    save_json(run_folder / RECORD_NAME, record)
    return log


def format_journal(events: Sequence[Event]) -> str:
    """A journal's text: one JSON object a line."""
    return "".join(f"{json.dumps(event, allow_nan=False)}\n" for event in events)


def _read(source: Source) -> ImportedRun:
    if source.kind == "run":
        run = load_run(source.path)
        check_run_hashes(run)
        return ImportedRun(source, run.seed, None, run)
    log = read_source(source.kind, source.path, source.name, source.loss_unit)
    seed = read_facts(log.events).seed
    return ImportedRun(source, DEFAULT_SEED if seed is None else seed, log, None)


def _check_comparable(runs: Sequence[ImportedRun]) -> None:
    """Fingerprints that both exist and differ, and losses in different units, are not compared."""
    for place, what in enumerate(("training", "validation")):
        known = [(run.source.name, run.fingerprints[place]) for run in runs if run.fingerprints[place]]
        for name, digest in known[1:]:
            if digest != known[0][1]:
                raise StoredResultsError(
                    f"{known[0][0]} and {name} have other {what} titles: their fingerprints are {known[0][1]} and "
                    f"{digest}. Runs on different titles are not compared."
                )
    units = {run.source.name: _find_unit(run) for run in runs}
    if len(set(units.values())) > 1:
        listed = ", ".join(f"{name}: {unit}" for name, unit in units.items())
        raise StoredResultsError(f"The validation losses have different units ({listed}) and are not compared.")


def _refuse_copies(runs: Sequence[ImportedRun]) -> None:
    """Raises `RequestError` where two sources say the same: what they have in common would be no finding."""
    names: dict[str, str] = {}
    for run in runs:
        if run.run is not None:
            said = run.run.record.get("mainrun_log_sha256")
        else:
            assert run.log is not None
            told = [{**event, "line": None} for event in run.log.events if event["event"] != "training_step"]
            said = json.dumps([len(run.log.events), *told])
        if said is None:
            continue  # a run that was cut off has no hash
        if said in names:
            raise RequestError(
                f"--from: {names[said]} and {run.source.name} hold the same run; a run against itself shows nothing."
            )
        names[said] = run.source.name


def _find_unit(run: ImportedRun) -> str:
    if run.log is None:
        return "nats_per_char"
    units = [event.get("loss_unit") for event in run.log.events if event["event"] == "validation_step"]
    return next((unit for unit in units if unit), "nats_per_char")


def _choose_seeds(seeds: Sequence[Sequence[int]]) -> list[int]:
    """The first arm's seeds that some other arm has, those that all have before the rest; without any, its first."""
    baseline, *others = seeds
    shared = [seed for seed in baseline if any(seed in other for other in others)]
    return sorted(shared, key=lambda seed: not all(seed in other for other in others)) or [baseline[0]]


def _plan_arm(name: str, run: ImportedRun) -> Arm:
    if run.run is None:
        return Arm(name, PRESET, {}, {}, {})
    record, data = run.run.record, run.run.select("dataset_info")
    tokens = {
        "num_train_tokens": data[0]["tokens_per_epoch"] if data else None,
        "num_validation_tokens": data[0]["num_validation_tokens"] if data else None,
        "num_validation_chars": data[0]["num_validation_chars"] if data else None,
    }
    request = record["request"]
    return Arm(name, request["recipe"], request["settings"], record["config"], {**record["sizes"], **tokens})


def _find_noise_of(records: Sequence[dict[str, Any]]) -> KnownNoise | None:
    """What is known of the noise of runs of our own, where they are all of one preset."""
    requests = [record["request"] for record in records]
    if len({request["preset"] for request in requests}) != 1:
        return None
    settings = [request["settings"] for request in requests]
    return find_known_noise(requests[0]["preset"], settings, records[0]["corpus"]["source"])


def _describe(planned: PlannedRun, run: ImportedRun) -> dict[str, Any]:
    files = list_files(run.source.kind, run.source.path)
    return {
        "arm": planned.arm,
        "seed": planned.seed,
        "kind": run.source.kind,
        "name": run.source.name,
        "loss_unit": run.source.loss_unit,
        "num_bytes": sum(path.stat().st_size for path in files),
        "sha256": [compute_file_sha256(path) for path in files],
    }


def _store_own(
    run_folder: Path, run: ImportedRun, planned: PlannedRun, plan_sha256: str, described: dict[str, Any]
) -> None:
    assert run.run is not None
    for path in list_files("run", run.source.path):
        shutil.copyfile(path, run_folder / (ORIGINAL_RECORD if path.name == RECORD_NAME else path.name))
    record = {**run.run.record, "arm": planned.arm, "plan_sha256": plan_sha256, "source": described}
    save_json(run_folder / RECORD_NAME, record)
