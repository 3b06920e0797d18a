"""Which seeds a comparison is run with: as typed, and as they were added after it had begun."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from harness.plan.plan import Plan, check_rule, order_runs, plan_to_json
from mainrun.record.errors import RequestError
from mainrun.record.files import compute_sha256

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


def add_seeds(plan: Plan, seeds: Sequence[int]) -> Plan:
    """The plan with the further seeds of `seeds`, marked as added; the same plan where there are none.

    Runs go on in the order in which they would have been planned. Raises `RequestError` where `seeds` does not begin
    with the plan's own, and as `check_rule`.
    """
    planned = len(plan.seeds)
    if tuple(seeds[:planned]) != plan.seeds:
        raise RequestError(
            f"This comparison was begun with the seeds {_list(plan.seeds)}, and --seeds gives {_list(seeds)}. Give "
            "those first and the further ones after them: a seed that was planned is not left out."
        )
    check_rule(seeds, plan.margin_percent)
    if len(seeds) == planned:
        return plan
    return replace(
        plan,
        seeds=tuple(seeds),
        runs=order_runs([arm.name for arm in plan.arms], seeds),
        seeds_added=[*(plan.seeds_added or []), list(seeds[planned:])],
    )


def list_plan_hashes(plan: Plan) -> dict[tuple[int, ...], str]:
    """SHA-256 of `plan.json` as it stood with each set of seeds, the first plan's first.

    A run belongs to a plan whose seeds hold its own: one trained before an addition carries the hash of that time.
    """
    hashes: dict[tuple[int, ...], str] = {}
    num_added = len(plan.seeds_added or [])
    for kept in range(num_added + 1):
        earlier = _undo_additions(plan, kept)
        text = json.dumps(plan_to_json(earlier), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        hashes[earlier.seeds] = compute_sha256(text.encode())
    return hashes


def _undo_additions(plan: Plan, kept: int) -> Plan:
    """The plan with the first `kept` additions only."""
    added = plan.seeds_added or []
    num_seeds = len(plan.seeds) - sum(map(len, added[kept:]))
    seeds = plan.seeds[:num_seeds]
    runs = tuple(run for run in plan.runs if run.seed in seeds)
    return replace(plan, seeds=seeds, runs=runs, seeds_added=added[:kept] or None)


def _list(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
