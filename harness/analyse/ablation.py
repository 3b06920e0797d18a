"""What each change of a recipe was measured to be worth."""

from collections.abc import Callable, Mapping
from typing import Any


def describe_ablation(
    ablation: Mapping[str, Any], finals: Mapping[str, float], judge: Callable[[str, str], dict[str, Any]]
) -> dict[str, Any]:
    """What every unit was measured to be worth.

    `ablation` is an `Ablation` as stored in a plan, `finals` the full loss of every arm at the last step, and
    `judge(before, after)` the verdict on two arms.
    """
    described: dict[str, Any] = {"recipe": ablation["recipe"]}
    for kind in ("ladder", "leave_one_out"):
        described[kind] = [
            {
                **step,
                "before_full_loss_nats_per_char": finals[step["before"]],
                "after_full_loss_nats_per_char": finals[step["after"]],
                "impact_nats_per_char": finals[step["before"]] - finals[step["after"]],
                "verdict": judge(step["before"], step["after"]),
            }
            for step in ablation[kind]
        ]
        described[f"{kind}_sum_nats_per_char"] = sum(step["impact_nats_per_char"] for step in described[kind])
    described["whole_nats_per_char"] = finals["baseline"] - finals[ablation["recipe"]]
    return described
