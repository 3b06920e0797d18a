"""A run begun again by the checker against what its record says it began with: weights, settings and data."""

from functools import partial
from typing import Any

from harness.check.corpus import OF_THE_TITLES
from harness.check.known_code import is_known_elsewhere
from harness.check.registry import NO_CODE, Evidence, Registry, UnvouchedError, register_of_runs
from harness.store.facts import known
from harness.store.runs import StoredRun

FRESH_START: Registry = {}
of_runs = partial(register_of_runs, FRESH_START)
_HASHES = {
    "tokenizer_sha256": "tokenizer",
    "train_ids_sha256": "training tokens",
    "validation_ids_sha256": "validation tokens",
}


@of_runs(
    "pre-trained-weights",
    "No pre-trained weights",
    "the weights at step 0 have the SHA-256 of a fresh initialization, run by run",
)
def check_fresh_weights(evidence: Evidence, run: StoredRun) -> str | None:
    """The parameters at step 0 are those of a fresh initialization, and every seed has its own."""
    digest = known(run.facts.initial_weights_sha256, NO_CODE)
    for other in evidence.comparison.runs.values():
        if other.facts.initial_weights_sha256 == digest and other.seed != run.seed:
            return f"it begins with the weights of {other.folder.name}, which has another seed"
    fresh = evidence.need_fresh_start(run)
    if digest == fresh["initial_weights_sha256"]:
        return None
    here, there = _describe_initializer(fresh), _describe_initializer(run.record)
    differing = [name for name, value in there.items() if value != here[name]]
    if differing:
        raise UnvouchedError(
            f"its weights at step 0 are not those of a fresh initialization here, and its record names another "
            f"{' and '.join(differing)}, which may initialize differently"
        )
    return "its weights at step 0 are not those of a fresh initialization"


@of_runs(
    "fresh-start",
    "Begun again, every run is the one that is recorded",
    "configuration, titles, tokenizer, tokens and sizes are those of a run of no steps, made again from recipe, preset "
    "and settings",
)
def check_fresh_start(evidence: Evidence, run: StoredRun) -> str | None:
    """A setting, a tokenizer or a stream that recipe, preset and stated settings do not give."""
    known(run.facts.source_sha256, NO_CODE)
    fresh = evidence.need_fresh_start(run)
    problem = _find_difference(run.record, fresh)
    if problem and is_known_elsewhere(run):
        raise UnvouchedError(f"{problem}; it was made by another release, with which this one cannot begin it again")
    return problem


def _describe_initializer(record: dict[str, Any]) -> dict[str, Any]:
    """What decides the bits of fresh weights besides code, settings and seed."""
    machine = record["machine"]
    return {"torch": machine["library_versions"]["torch"], "cpu_capability": machine["cpu_capability"]}


def _find_difference(record: dict[str, Any], fresh: dict[str, Any]) -> str | None:
    for group, name in (("config", "setting"), ("corpus", "corpus"), ("sizes", "size")):
        stored, due = record[group], fresh[group]
        for key in OF_THE_TITLES if group == "corpus" else sorted(stored.keys() | due.keys()):
            if stored.get(key) != due.get(key):
                return f"its {name} {key} is {stored.get(key)!r}, begun again it is {due.get(key)!r}"
    for key, name in _HASHES.items():
        if record[key] != fresh[key]:
            return f"its {name} are not those that a run begun again has"
    return None
