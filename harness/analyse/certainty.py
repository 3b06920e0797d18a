"""How sure a pair's gain is: what its seeds and its titles say, and the verdict that follows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.analyse.curves import compute_gain
from harness.analyse.opponents import Finals
from harness.analyse.pairs import FULL
from harness.analyse.seeds import describe_robustness, pair_seeds
from harness.analyse.titles import describe_titles
from harness.analyse.uncertainty import sample_titles
from harness.analyse.verdict import decide_verdict
from harness.plan.plan import PlannedRun
from harness.store.runs import StoredComparison

_INCONCLUSIVE = {"word": "INCONCLUSIVE", "label": "INCONCLUSIVE"}
DRAWN = "each seed has titles of its own, so that pairs are not pairs of one text"


def describe_certainty(
    comparison: StoredComparison,
    baseline: PlannedRun,
    candidate: PlannedRun,
    finals: Finals,
    basis: Mapping[str, str],
    doubts: Sequence[str] = (),
    num_pairs: int = 1,
) -> dict[str, Any]:
    """`verdict`, `evaluation_sampling`, `robustness`, `titles` and `seed_draws_titles` of two headline runs, decided on
    their `basis`; `num_pairs` are compared at once.

    With one pair and no losses by title nothing is concluded, nor where there are doubts, nor where each seed has
    titles of its own.
    """
    plan, field = comparison.plan, basis["field"]
    one, other = (_select_losses(finals, run.arm, field) for run in (baseline, candidate))
    shared = [seed for seed in dict.fromkeys((baseline.seed, *plan.seeds)) if seed in one and seed in other]
    seeds = shared if baseline.seed == candidate.seed else []
    # Of an arm whose headline run was lost another run stands here, of which nothing is concluded.
    gains = [compute_gain(one[seed], other[seed]) for seed in seeds] or [
        compute_gain(_get_loss(one, baseline), _get_loss(other, candidate))
    ]
    drawn = len(seeds) > 1 and draw_titles(comparison, (baseline.arm, candidate.arm), seeds)
    columns = None if drawn or field != FULL else _load_titles(comparison, baseline, candidate, seeds)
    losses = [np.array([run["loss_nats"] for run in runs]) for runs in columns or ()]
    titles = sample_titles(losses[0], losses[1], num_pairs) if losses else None
    verdict = decide_verdict(gains[:1] if drawn else gains, titles, plan.margin_percent, plan.known_noise, num_pairs)
    verdict["basis"] = basis["name"]
    if drawn:
        verdict |= {"gain_percent": sum(gains) / len(gains), "num_seed_pairs": len(gains)}
        verdict |= _leave_open(verdict, [*doubts, DRAWN]) | _INCONCLUSIVE
    elif doubts:
        verdict |= _leave_open(verdict, doubts)
    robustness = None
    if not drawn and field == FULL and (pairs := pair_seeds(plan.seeds, one, other)):
        configs = [plan.get_arm(run.arm).config for run in (baseline, candidate)]
        robustness = describe_robustness(
            pairs,
            equal_arms=configs[0] == configs[1] != {} and not has_other_code(comparison, baseline, candidate),
            titles=titles.variance if titles else None,
            margin_percent=plan.margin_percent,
            known_noise=plan.known_noise,
        )
    sampling = {"interval_95": asdict(titles.wide), "interval_90": asdict(titles.narrow)} if titles else None
    return {
        "verdict": verdict,
        "evaluation_sampling": sampling,
        "robustness": robustness,
        "seed_draws_titles": drawn,
        "titles": describe_titles(*(runs[0] for runs in columns)) if columns else None,
    }


def draw_titles(comparison: StoredComparison, arms: Sequence[str], seeds: Sequence[int]) -> bool:
    """Whether runs of one arm with different seeds have different titles: other fingerprints, or token counts."""
    for arm in arms:
        facts = [comparison.runs[PlannedRun(arm, seed)].facts for seed in seeds]
        for field in ("train_sha256", "validation_sha256", "num_train_tokens"):
            if len({getattr(each, field) for each in facts} - {None}) > 1:
                return True
    return False


def has_other_code(comparison: StoredComparison, baseline: PlannedRun, candidate: PlannedRun) -> bool:
    """Whether two runs state training programs that differ."""
    one, other = (find_code(comparison, planned) for planned in (baseline, candidate))
    return None not in (one, other) and one != other


def find_code(comparison: StoredComparison, planned: PlannedRun) -> dict[str, str] | None:
    """The files of a run's training program by their hashes, as it states them, but for the one of recipes.

    A recipe is a name of settings, and the run's record has these.
    """
    run = comparison.runs.get(planned)
    code = None if run is None else run.facts.source_sha256
    return None if code is None else {name: digest for name, digest in code.items() if name != "recipes.py"}


def _leave_open(verdict: Mapping[str, Any], doubts: Sequence[str]) -> dict[str, Any]:
    """What of a verdict is another where there are doubts: its reason, and a word that concludes something."""
    said = [*doubts, *([verdict["reason"]] if verdict["interval_95"] else [])]
    return {"reason": "; ".join(said)} | (_INCONCLUSIVE if verdict["word"] != "INCONCLUSIVE" else {})


def _select_losses(finals: Finals, arm: str, field: str) -> dict[int, float]:
    """Seed → the arm's last loss of that field, where it has one."""
    return {
        seed: final[field]  # type: ignore[literal-required]  # a field of Final
        for (name, seed), final in finals.items()
        if name == arm and final is not None and final[field] is not None  # type: ignore[literal-required]
    }


def _get_loss(losses: Mapping[int, float], run: PlannedRun) -> float:
    return losses.get(run.seed, next(iter(losses.values())))


def _load_titles(
    comparison: StoredComparison, baseline: PlannedRun, candidate: PlannedRun, seeds: Sequence[int]
) -> list[list[dict[str, list[Any]]]] | None:
    """Losses of the same validation titles in both arms' runs; None where one has none, or they are of other titles."""
    runs = [[comparison.runs[PlannedRun(run.arm, seed)] for seed in seeds] for run in (baseline, candidate)]
    every = [run for arm in runs for run in arm]
    if not every or not all(run.has_title_losses for run in every):
        return None
    columns = [[run.load_title_losses() for run in arm] for arm in runs]
    texts = {(run.facts.validation_sha256, run.facts.corpus and run.facts.corpus["validation_sha256"]) for run in every}
    same = len(texts) == 1 and len({len(run["loss_nats"]) for arm in columns for run in arm}) == 1
    return columns if same else None
