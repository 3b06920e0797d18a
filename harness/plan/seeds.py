"""Which seeds a comparison is run with: as typed, and as they were added after it had begun."""

import re
from dataclasses import replace

from harness.plan.plan import Plan, plan_to_json
from mainrun.record.errors import RequestError
from mainrun.record.files import compute_sha256, format_json

MAX_SEEDS = 1_000
_PART = re.compile(r"(\d+)(?:\+(\d+))?", re.ASCII)


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds of `--seeds`: `1337,1338`, or `1337+2` for 1337 and the two after it; `RequestError` for other text."""
    seeds: list[int] = []
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise RequestError(
                f"--seeds takes whole numbers with commas between them, or 1337+2 for 1337 and the two after it, "
                f"not '{text}'."
            )
        first, further = int(found[1]), int(found[2] or 0)
        if len(seeds) + further >= MAX_SEEDS:
            raise RequestError(f"--seeds takes {MAX_SEEDS:,} seeds at most, and '{text}' names more.")
        seeds += range(first, first + further + 1)
    return tuple(seeds)


def list_differences(begun: Plan, asked: Plan) -> list[str]:
    """The fields in which a comparison that was begun is asked for otherwise than it was planned.

    Further seeds after its own are none, nor is a folder's new name, nor what is known of noise by now.
    """
    own = _keep_seeds(asked, len(begun.seeds)) if asked.seeds[: len(begun.seeds)] == begun.seeds else asked
    own = replace(own, name=begun.name, known_noise=begun.known_noise, seeds_added=begun.seeds_added)
    stored, found = plan_to_json(begun), plan_to_json(own)
    return [key for key in stored | found if stored.get(key) != found.get(key)]


def continue_plan(begun: Plan, asked: Plan) -> Plan:
    """The plan by which a comparison goes on: with its own rule, and the further seeds of `asked` marked as added.

    It is `begun` where there are no further seeds. The two must differ in nothing else.
    """
    further = list(asked.seeds[len(begun.seeds) :])
    if not further:
        return begun
    added = [*(begun.seeds_added or []), further]
    return replace(asked, name=begun.name, known_noise=begun.known_noise, seeds_added=added)


def find_plan_hashes(plan: Plan, plan_sha256: str, seed: int) -> set[str]:
    """SHA-256 of the plans that a run with this seed may have been trained under.

    They are the stored plan's, and those of the plan before seeds were added that has the seed already.
    """
    hashes = {plan_sha256}
    added = plan.seeds_added or []
    for kept in range(len(added)):
        num_seeds = len(plan.seeds) - sum(map(len, added[kept:]))
        earlier = replace(_keep_seeds(plan, num_seeds), seeds_added=added[:kept] or None)
        if seed in earlier.seeds:
            hashes.add(compute_sha256(format_json(plan_to_json(earlier)).encode()))
    return hashes


def _keep_seeds(plan: Plan, num_seeds: int) -> Plan:
    """The plan with its first seeds only."""
    seeds = plan.seeds[:num_seeds]
    runs = tuple(run for run in plan.runs if run.seed in seeds)
    sources = None if plan.sources is None else [source for source in plan.sources if source["seed"] in seeds]
    return replace(plan, seeds=seeds, runs=runs, sources=sources)
