"""How sure a pair's gain is: what its seeds and its titles say, and the verdict that follows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.analyse.curves import compute_gain
from harness.analyse.pairs import FULL
from harness.analyse.seeds import describe_robustness, pair_seeds
from harness.analyse.titles import describe_titles
from harness.analyse.uncertainty import bootstrap_gains, compute_bootstrap_interval
from harness.analyse.verdict import decide_verdict
from harness.plan.plan import PlannedRun
from harness.store.arm_fields import Final
from harness.store.runs import StoredComparison

Finals = Mapping[tuple[str, int], Final | None]
"""Final measurements by arm and seed."""


def describe_certainty(
    comparison: StoredComparison,
    baseline: PlannedRun,
    candidate: PlannedRun,
    finals: Finals,
    basis: Mapping[str, str],
    doubts: Sequence[str] = (),
) -> dict[str, Any]:
    """`verdict`, `evaluation_sampling`, `robustness` and `titles` of two headline runs, decided on their `basis`.

    With one pair and no losses by title nothing is concluded, nor where there are doubts.
    """
    plan, field = comparison.plan, basis["field"]
    seeds = plan.seeds if baseline.seed == candidate.seed else ()
    gains = _compute_seed_gains(seeds, baseline, candidate, finals, field)
    titles = _load_titles(comparison, baseline, candidate) if field == FULL else None
    sampling = intervals = None
    if titles:
        resampled = bootstrap_gains(np.array(titles[0]["loss_nats"]), np.array(titles[1]["loss_nats"]))
        num_titles = len(titles[0]["loss_nats"])
        wide, narrow = (compute_bootstrap_interval(resampled, level, num_titles) for level in (0.95, 0.90))
        intervals = wide, narrow
        sampling = {"interval_95": asdict(wide), "interval_90": asdict(narrow)}
    verdict = decide_verdict(gains, intervals, plan.margin_percent) | {"basis": basis["name"]}
    if doubts:
        said = [*doubts, *([verdict["reason"]] if verdict["interval_95"] else [])]
        verdict |= {"reason": "; ".join(said)}
        if verdict["word"] != "INCONCLUSIVE":
            verdict |= {"word": "INCONCLUSIVE", "label": "INCONCLUSIVE"}
    return {
        "verdict": verdict,
        "evaluation_sampling": sampling,
        "robustness": _describe_seeds(comparison, baseline, candidate, finals) if field == FULL else None,
        "titles": describe_titles(*titles) if titles else None,
    }


def _compute_seed_gains(
    seeds: Sequence[int], baseline: PlannedRun, candidate: PlannedRun, finals: Finals, field: str
) -> list[float]:
    """The gain for each seed that both arms have, or of the two headline runs where they share none."""
    both = [(finals.get((baseline.arm, seed)), finals.get((candidate.arm, seed))) for seed in seeds]
    headline = finals[baseline.arm, baseline.seed], finals[candidate.arm, candidate.seed]
    found = [(one[field], other[field]) for one, other in both if one and other]  # type: ignore[literal-required]  # a field of Final
    usable = [pair for pair in found if None not in pair]
    if not usable:
        assert headline[0] is not None and headline[1] is not None
        usable = [(headline[0][field], headline[1][field])]  # type: ignore[literal-required]
    return [compute_gain(before, after) for before, after in usable]


def _describe_seeds(
    comparison: StoredComparison, baseline: PlannedRun, candidate: PlannedRun, finals: Finals
) -> dict[str, Any] | None:
    losses: list[dict[int, float]] = [
        {
            seed: final["full_loss_nats_per_char"]
            for (arm, seed), final in finals.items()
            if arm == run.arm and final and final["full_loss_nats_per_char"]
        }
        for run in (baseline, candidate)
    ]
    pairs = pair_seeds(comparison.plan.seeds, losses[0], losses[1])
    configs = [comparison.plan.get_arm(run.arm).config for run in (baseline, candidate)]
    return describe_robustness(pairs, equal_arms=configs[0] == configs[1] and configs[0] != {}) if pairs else None


def _load_titles(
    comparison: StoredComparison, baseline: PlannedRun, candidate: PlannedRun
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]] | None:
    """Losses of the same validation titles in both runs; None where either has none, or they are of other titles."""
    runs = [comparison.runs[run] for run in (baseline, candidate)]
    if not all(run.has_title_losses for run in runs) or len({run.facts.validation_sha256 for run in runs}) > 1:
        return None
    first, last = (run.load_title_losses() for run in runs)
    return (first, last) if len(first["loss_nats"]) == len(last["loss_nats"]) else None
