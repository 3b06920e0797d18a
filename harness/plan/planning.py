"""From arms, titles and seeds to a plan: what each arm comes to, by this program, by its own or by a command."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.plan.ablation import Ablation
from harness.plan.arm_syntax import ArmRequest
from harness.plan.arms import check_against
from harness.plan.arms_file import ExternalArm
from harness.plan.code import Code
from harness.plan.noise import find_known_noise
from harness.plan.plan import Arm, Plan, check_rule, order_runs
from harness.plan.request import CompareRequest
from harness.plan.resolver import Resolver
from harness.processes import PLACE
from mainrun.config import Config
from mainrun.data.corpus import CorpusSource
from mainrun.data.streams import prepare_data
from mainrun.recipes import build_named_config
from mainrun.record.errors import RequestError

RECIPE = "external"
UNKNOWN_CORPUS: dict[str, Any] = {
    "source": "imported",
    "name": "titles that the logs do not name",
    **dict.fromkeys(("revision", "num_available", "num_train_titles", "num_validation_titles")),
    **dict.fromkeys(("train_sha256", "validation_sha256")),
}
"""Of a plan none of whose arms is trained by us."""


def is_external(arm: Arm) -> bool:
    """Whether an arm is the command of another program."""
    return arm.recipe == RECIPE


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
        known_noise=find_known_noise(preset, (arm.config for arm, _ in prepared), prepared[0][1]["source"]),
        against=request.against,
    )


def plan_external(
    request: CompareRequest,
    folder: Path,
    begun: Mapping[str, Code],
    arms: Sequence[ArmRequest],
    commands: Mapping[str, ExternalArm],
) -> Plan:
    """A plan of `arms`, some of which are `commands` of the arms file; `begun` as of a `Resolver`.

    Raises `RequestError` as `plan_comparison`, and where several seeds are asked of a command that takes none.
    """
    assert request.arms_file is not None
    if len(arms) < 2:
        raise RequestError("A comparison needs two arms or more; the first is the baseline.")
    chosen = {arm.name: commands[arm.name] for arm in arms if arm.is_command}
    for name, command in chosen.items():
        if len(request.seeds) > 1 and not command.takes_seed:
            raise RequestError(
                f"--seeds names {len(request.seeds)} seeds, but the command of {name} holds no {{seed}}."
            )
    if request.jobs is not None and request.jobs > 1:
        _refuse_shared_journals(list(chosen.values()), request.seeds)
    check_rule(request.seeds, request.margin_percent)
    own = [arm for arm in arms if not arm.is_command]
    name, margin_percent = folder.resolve().name, request.margin_percent
    plan = Plan(name, "imported", UNKNOWN_CORPUS, (), request.seeds, (), margin_percent=margin_percent)
    if own:
        plan = plan_comparison(name, own, request, begun, min_arms=1)
    trained = iter(plan.arms)
    all_arms = tuple(Arm(arm.name, RECIPE, {}, {}, {}) if arm.is_command else next(trained) for arm in arms)
    runs = order_runs([arm.name for arm in all_arms], request.seeds)
    sources = [
        {
            "arm": run.arm,
            "seed": run.seed,
            "kind": "log",
            "name": Path(chosen[run.arm].journal).name,
            "loss_unit": None,
            "external": chosen[run.arm].to_json(request.arms_file.name),
        }
        for run in runs
        if run.arm in chosen
    ]
    check_against(request.against, [arm.name for arm in all_arms])
    return replace(plan, arms=all_arms, runs=runs, sources=sources, against=request.against)


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
    found, begun = resolver.resolve(arm), resolver.begun.get(arm.name)
    # A commit since then that left the program as it was makes no other code.
    is_begun = begun is not None and replace(begun, commit=found.code.commit) == found.code
    code = begun if is_begun else found.code
    return Arm(arm.name, arm.recipe, arm.settings, found.config, found.sizes, code), found.corpus


def _refuse_shared_journals(arms: Sequence[ExternalArm], seeds: Sequence[int]) -> None:
    """Raises `RequestError` where two runs that may go on at once would write one journal."""
    owners: dict[Path, str] = {}
    for arm in arms:
        if arm.commit is not None:
            continue  # each run has a checkout of its own
        for seed in seeds:
            run = f"{arm.name}-s{seed}"
            journal = arm.fill(seed, Path("/", run)).journal_path
            if journal in owners:
                raise RequestError(
                    f"{owners[journal]} and {run} would write one journal, {arm.journal}, at the same time. Put "
                    "{out} or {seed} into its path in the arms file, or give --jobs 1."
                )
            owners[journal] = run
