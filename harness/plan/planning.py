"""From arms, titles and seeds to a plan: what each arm comes to, by this program or by its own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.plan.ablation import Ablation
from harness.plan.arm_syntax import ArmRequest
from harness.plan.code import Code, Resolver
from harness.plan.noise import find_known_noise
from harness.plan.plan import Arm, Plan, check_rule, order_runs
from harness.plan.request import CompareRequest
from harness.processes import PLACE
from mainrun.config import Config
from mainrun.data.corpus import CorpusSource
from mainrun.data.streams import prepare_data
from mainrun.recipes import build_named_config
from mainrun.record.errors import RequestError


def plan_comparison(
    name: str,
    arms: Sequence[ArmRequest],
    request: CompareRequest,
    begun: Mapping[str, Code],
    ablation: Ablation | None = None,
    min_arms: int = 2,
) -> Plan:
    """Plans a comparison of `arms`, the first being the baseline; `begun` as of a `Resolver`.

    Where one of them has a training program of its own, each arm's program is asked what the recipe is there.

    Loads and tokenizes the titles, so that nothing about them can fail after training has begun. Raises
    `RequestError` for unknown names, values out of range, a repeated seed, a corpus that is too small and arms on
    different titles.
    """
    if len(arms) < min_arms:
        raise RequestError("A comparison needs two recipes or more; the first is the baseline.")
    preset, source, seeds = request.preset, request.source, request.seeds
    check_rule(seeds, request.margin_percent)
    if request.repository is None and not any(arm.revision for arm in arms):
        configs = [build_named_config(arm.recipe, preset, arm.settings) for arm in arms]
        prepared = [_prepare_arm(arm, config, source) for arm, config in zip(arms, configs, strict=True)]
    else:
        resolver = Resolver((request.repository or PLACE).resolve(), preset, source, seeds[0], begun)
        prepared = [_ask_program(arm, resolver) for arm in arms]
    for arm, corpus in prepared:
        if any(corpus[key] != prepared[0][1][key] for key in ("train_sha256", "validation_sha256")):
            raise RequestError(
                f"{arm.name} would be trained on other titles than {arms[0].name}. Arms on different titles are not "
                "compared: give num_titles and val_fraction to all arms alike, or to none."
            )
    return Plan(
        name=name,
        preset=preset,
        corpus=prepared[0][1],
        arms=tuple(arm for arm, _ in prepared),
        seeds=seeds,
        runs=order_runs([arm.name for arm in arms], seeds),
        title_column=source.title_column,
        ablation=asdict(ablation) if ablation else None,
        margin_percent=request.margin_percent,
        known_noise=find_known_noise(preset, (arm.settings for arm in arms), prepared[0][1]["source"]),
        against=request.against,
    )


def _prepare_arm(arm: ArmRequest, config: Config, source: CorpusSource) -> tuple[Arm, dict[str, Any]]:
    data = prepare_data(config, source)
    resolved = {**config.flatten(), "data.vocab_size": data.streams.tokenizer.vocab_size}
    sizes = {
        **asdict(data.sizes),
        "num_train_tokens": len(data.streams.train_ids),
        "num_validation_tokens": len(data.streams.validation_ids),
        "num_validation_chars": data.num_chars,
    }
    return Arm(arm.name, arm.recipe, arm.settings, resolved, sizes), asdict(data.corpus.record)


def _ask_program(arm: ArmRequest, resolver: Resolver) -> tuple[Arm, dict[str, Any]]:
    found = resolver(arm)
    return Arm(arm.name, arm.recipe, arm.settings, found.config, found.sizes, found.code), found.corpus
