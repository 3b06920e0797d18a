"""What each change of a recipe was measured to be worth."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.analyse.verdict import judge_together
from harness.store.pair_fields import Verdict

KINDS = ("ladder", "leave_one_out")


def describe_ablation(
    ablation: Mapping[str, Any],
    finals: Mapping[str, float],
    judge: Callable[[str, str, int], Verdict],
    doubt: Callable[[str, str], Sequence[str]] = lambda before, after: (),
) -> dict[str, Any]:
    """What every unit was measured to be worth, alone and with all impacts judged at once.

    `ablation` is an `Ablation` as stored in a plan, whose `recipe` is the name of the whole, `finals` the full loss
    of every arm at the last step, `judge(before, after, num_pairs)` the verdict on two arms of so many pairs that
    are compared at once, and `doubt(before, after)` why nothing can be concluded of them. Steps between the same
    two arms are one impact, and one between equal arms is none. `ladder_nothing` and `leave_one_out_nothing` name
    the units whose interval at once holds 0; None where there is no such interval, or an impact is in doubt.
    `lower` names the arms that end below the whole, the lowest first. `in_doubt` names the units of impacts in
    doubt, where there are any.
    """
    steps = [step for kind in KINDS for step in ablation[kind]]
    pairs = list(dict.fromkeys((step["before"], step["after"]) for step in steps))
    impacts = [pair for pair in pairs if pair[0] != pair[1]]
    verdicts: dict[tuple[str, str], Verdict] = {
        pair: {**judge(*pair, len(impacts) if pair in impacts else 1), "adjusted": None} for pair in pairs
    }
    judge_together([verdicts[pair] for pair in impacts])
    described: dict[str, Any] = {"recipe": ablation["recipe"], "num_impacts": len(impacts)}
    for kind in KINDS:
        described[kind] = [
            {
                **step,
                "before_full_loss_nats_per_char": finals[step["before"]],
                "after_full_loss_nats_per_char": finals[step["after"]],
                "impact_nats_per_char": finals[step["before"]] - finals[step["after"]],
                "verdict": verdicts[step["before"], step["after"]],
            }
            for step in ablation[kind]
        ]
        described[f"{kind}_sum_nats_per_char"] = sum(step["impact_nats_per_char"] for step in described[kind])
        is_in_doubt = any(doubt(step["before"], step["after"]) for step in described[kind])
        described[f"{kind}_nothing"] = None if is_in_doubt else _find_nothing(described[kind])
    if doubted := {step["unit"]: doubts for step in steps if (doubts := doubt(step["before"], step["after"]))}:
        said = dict.fromkeys(reason for doubts in doubted.values() for reason in doubts)
        described["in_doubt"] = {"units": [*doubted], "doubts": [*said]}
    lower = sorted(
        (name for name in finals if finals[name] < finals[ablation["recipe"]]), key=lambda name: finals[name]
    )
    described["lower"] = lower
    described["lowest_nats_per_char"] = finals[lower[0]] if lower else None
    described["recipe_nats_per_char"] = finals[ablation["recipe"]]
    described["whole_nats_per_char"] = finals["baseline"] - finals[ablation["recipe"]]
    return described


def _find_nothing(steps: Sequence[Mapping[str, Any]]) -> list[str] | None:
    intervals = {step["unit"]: step["verdict"]["interval_joint"] for step in steps if step["before"] != step["after"]}
    if None in intervals.values():
        return None
    return [unit for unit, interval in intervals.items() if interval["low_percent"] <= 0 <= interval["high_percent"]]
