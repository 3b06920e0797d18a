"""The plan that runs make which were not trained here: read, told apart, and refused where they cannot be compared."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from harness.plan.noise import KnownNoise, find_known_noise
from harness.plan.plan import Arm, Plan, PlannedRun
from harness.plan.planning import UNKNOWN_CORPUS
from harness.sources.find import Source, find_excess, find_sources, list_files, read_source
from harness.sources.given import NOTHING_GIVEN, Given
from harness.sources.names import name_arms
from harness.sources.source_log import LossUnit, SourceLog
from harness.store.facts import RunFacts, read_facts
from harness.store.records import COMPLETE, OWN_KIND, TRAINED_UNDER, WAS_EXTERNAL, find_command
from harness.store.runs import StoredRun, check_run_hashes, load_run
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.files import compute_file_sha256
from mainrun.rules import SEED

PRESET = "imported"
"""Where no arm says at what scale it was run."""


@dataclass(frozen=True)
class ImportedRun:
    """A source that was read."""

    source: Source
    content: SourceLog | StoredRun
    """A log, or a run of our own."""
    files: Sequence[tuple[int, str]]
    """Size and SHA-256 of each of its files, from before it was read."""

    @property
    def own(self) -> StoredRun | None:
        """The run of our own, None where it is a log."""
        return self.content if isinstance(self.content, StoredRun) else None

    @cached_property
    def facts(self) -> RunFacts:
        """What it states of itself."""
        return self.content.facts if isinstance(self.content, StoredRun) else read_facts(self.content.events)

    @property
    def seed(self) -> int:
        """Of a run of a comparison the one that it was filed under there: so its runs stay as many."""
        if self.source.stored is not None:
            return self.source.stored.seed
        return SEED if self.facts.seed is None else self.facts.seed

    @property
    def is_readable(self) -> bool:
        """Whether anything of it was read, a run that stopped or diverged included."""
        return isinstance(self.content, StoredRun) or bool(self.content.events)

    @property
    def failure(self) -> str | None:
        """Why it cannot be compared, or None."""
        if isinstance(self.content, StoredRun):
            record = self.content.record
            return None if self.content.is_complete else record["reason"] or record["status"]
        return None if self.content.status == "imported" else self.content.reason or self.content.status

    def get_fingerprint(self, part: str) -> str | None:
        """That of its `train` or `validation` titles, where it is known."""
        return (self.facts.corpus or vars(self.facts)).get(f"{part}_sha256")


def read_runs(
    texts: Sequence[str], loss_unit: LossUnit | None, given: Given = NOTHING_GIVEN
) -> list[ImportedRun]:  # fmt: skip
    """Reads all sources, each `PATH` or `NAME=PATH`; those that can be compared come first.

    One that cannot be read is a run that failed. Raises `RequestError` where fewer than two can be read,
    `StoredResultsError` where a stored run was changed or the runs cannot be compared.
    """
    runs = [_read(source) for source in find_sources(texts, loss_unit, given)]
    unreadable = [_name_failure(run) for run in runs if not run.is_readable]
    if unreadable and len(runs) - len(unreadable) < 2:
        raise RequestError(" ".join(unreadable))
    readable = [run for run in runs if run.is_readable]
    _check_comparable(readable)
    _refuse_copies(readable)
    # The first arm is what all others are compared with, which no run can be that was not finished.
    return sorted(runs, key=lambda run: run.failure is not None)


def plan_import(name: str, runs: Sequence[ImportedRun], margin_percent: float) -> Plan:
    """The plan that imported runs make, its runs in the order of `runs`.

    Runs of one arm of one comparison stay one arm; any other run is an arm of its own.
    """
    keys = [(stored.runs, stored.arm, run.source.arm) if (stored := run.source.stored) else id(run) for run in runs]
    groups: dict[object, list[ImportedRun]] = {}
    for key, run in zip(keys, runs, strict=True):
        groups.setdefault(key, []).append(run)
    names = dict(zip(groups, name_arms([members[0].source.arm for members in groups.values()]), strict=True))
    if len(names) < 2:
        raise RequestError("--from needs two arms or more; the first is the baseline.")
    planned = tuple(PlannedRun(names[key], run.seed) for key, run in zip(keys, runs, strict=True))
    if len(set(planned)) < len(planned):
        raise RequestError("--from names the same run twice; a run against itself shows nothing.")
    own = [run.own for run in runs if run.own is not None]
    return Plan(
        name=name,
        preset=own[0].record["request"]["preset"] if own else PRESET,
        corpus=own[0].record["corpus"] if own else UNKNOWN_CORPUS,
        arms=tuple(_plan_arm(names[key], members[0]) for key, members in groups.items()),
        seeds=tuple(_choose_seeds([[run.seed for run in members] for members in groups.values()])),
        runs=planned,
        margin_percent=margin_percent,
        known_noise=_find_noise_of([run.record for run in own]),
        sources=[_describe(*pair) for pair in zip(planned, runs, strict=True)],
    )


def _read(source: Source) -> ImportedRun:
    files = _hash_files(source)
    if source.kind != OWN_KIND:
        return ImportedRun(source, _keep_failure(source, read_source(source)), files)
    run = load_run(source.path)
    check_run_hashes(run)
    return ImportedRun(source, run, files)


def _keep_failure(source: Source, log: SourceLog) -> SourceLog:
    """The log of a command that failed has failed with it, for the command's reason: it may look whole."""
    record = source.record or {}
    if not find_command(record) or record["status"] in COMPLETE:
        return log
    return replace(log, status=record["status"], reason=record["reason"])


def _name_failure(run: ImportedRun) -> str:
    reason = run.failure or ""
    return reason if run.source.name in reason else f"{run.source.name}: {reason}."


def _check_comparable(runs: Sequence[ImportedRun]) -> None:
    """Fingerprints that both exist and differ, and losses in different units, are not compared."""
    for part, what in (("train", "training"), ("validation", "validation")):
        known = [(run.source.name, digest) for run in runs if (digest := run.get_fingerprint(part))]
        for name, digest in known[1:]:
            if digest != known[0][1]:
                raise StoredResultsError(
                    f"{known[0][0]} and {name} have other {what} titles: their fingerprints are {known[0][1]} and "
                    f"{digest}. Runs on different titles are not compared."
                )
    units = [(run.source.name, unit) for run in runs if (unit := _find_unit(run))]
    if len({unit for _, unit in units}) > 1:
        listed = ", ".join(f"{name}: {unit}" for name, unit in units)
        raise StoredResultsError(f"The validation losses have different units ({listed}) and are not compared.")


def _refuse_copies(runs: Sequence[ImportedRun]) -> None:
    """Raises `RequestError` where two sources say the same: what they have in common would be no finding."""
    names: dict[str, str] = {}
    for run in runs:
        if run.failure is not None:
            said: str | None = json.dumps(run.files)  # what it measured before it failed may be no run's alone
        elif isinstance(run.content, StoredRun):
            said = run.content.record.get("mainrun_log_sha256")
        else:
            events = run.content.events
            told = [{**event, "line": None} for event in events if event["event"] != "training_step"]
            said = json.dumps([len(events), *told])
        if said is None:
            continue  # a run that was cut off has no hash
        if said in names:
            raise RequestError(
                f"--from: {names[said]} and {run.source.name} hold the same run; a run against itself shows nothing."
            )
        names[said] = run.source.name


def _find_unit(run: ImportedRun) -> str | None:
    """That of its validation losses; None where it has none, as one that diverged before its first evaluation."""
    if isinstance(run.content, StoredRun):
        return "nats_per_char"
    units = [event.get("loss_unit") for event in run.content.events if event["event"] == "validation_step"]
    return next((unit for unit in units if unit), "nats_per_char") if units else None


def _choose_seeds(seeds: Sequence[Sequence[int]]) -> list[int]:
    """The first arm's seeds that some other arm has, those that all have before the rest; without any, its first."""
    baseline, *others = seeds
    shared = [seed for seed in baseline if any(seed in other for other in others)]
    return sorted(shared, key=lambda seed: not all(seed in other for other in others)) or [baseline[0]]


def _plan_arm(name: str, run: ImportedRun) -> Arm:
    if run.own is None:
        return Arm(name, PRESET, {}, {}, {})
    record, request = run.own.record, run.own.record["request"]
    counted = ("num_train_tokens", "num_validation_tokens", "num_validation_chars")
    tokens = {count: getattr(run.facts, count) for count in counted}
    return Arm(name, request["recipe"], request["settings"], record["config"], {**record["sizes"], **tokens})


def _describe(planned: PlannedRun, run: ImportedRun) -> dict[str, Any]:
    given = run.source.given.to_json()
    return {
        "arm": planned.arm,
        "seed": planned.seed,
        "kind": run.source.kind,
        "name": run.source.name,
        "loss_unit": run.source.loss_unit,
        **({"given": given} if given else {}),
        **_describe_command(run.source),
        **({} if run.own is None else {TRAINED_UNDER: run.own.trained_under}),
        "num_bytes": sum(num_bytes for num_bytes, _ in run.files),
        "sha256": [digest for _, digest in run.files],
    }


def _describe_command(source: Source) -> dict[str, Any]:
    """What the harness observed of the command that wrote a log, which the log does not say; nothing of other logs."""
    record = source.record or {}
    command = find_command(record)
    return {WAS_EXTERNAL: command, "observed_s": record["source"].get("observed_s")} if command else {}


def _hash_files(source: Source) -> list[tuple[int, str]]:
    """Size and SHA-256 of each file of a source; none of one that is not read or stored, as its run's reason says."""
    try:
        if find_excess(source):
            return []
        return [(path.stat().st_size, compute_file_sha256(path)) for path, _ in list_files(source.kind, source.path)]
    except (OSError, StoredResultsError):
        return []


def _find_noise_of(records: Sequence[dict[str, Any]]) -> KnownNoise | None:
    """What is known of the noise of runs of our own, where they are all of one preset."""
    presets = {record["request"]["preset"] for record in records}
    configs = [record["config"] for record in records]
    return find_known_noise(presets.pop(), configs, records[0]["corpus"]["source"]) if len(presets) == 1 else None
