"""Which arms a request comes to: named ones, those of an arms file and of sweeps, and whom each setting is for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace

from harness.plan.arm_syntax import ArmRequest, describe_repeat, expand_sweep, name_arms, parse_arm
from harness.plan.plan import AGAINST, Arm
from harness.plan.request import CompareRequest
from mainrun.config import Config, is_same_setting
from mainrun.record.errors import RequestError

SECTIONS = frozenset(field.name for field in fields(Config))
"""With what the full name of a setting begins; so no arm is called that where `--set` names it."""
Settings = dict[str, dict[str, str]]
"""Values by arm and key."""


def resolve_arms(
    request: CompareRequest, from_file: Mapping[str, ArmRequest], commands: Collection[str]
) -> list[ArmRequest]:
    """The arms that are asked for, those of sweeps last, each by a name of its own and with all its settings.

    `from_file` are the arms file's arms of ours, which stand as recipes in what is typed; `commands` the names of its
    commands, which `--set` for all arms leaves alone. Raises `RequestError` as `name_arms` and `split_settings`, for
    a setting that an arm and `--set` of that arm give, and for a command that stands twice, shares its name or is given
    settings.
    """
    typed = [*map(parse_arm, request.recipes), *(arm for text in request.sweeps for arm in expand_sweep(text))]
    asked = [_look_up(arm, from_file, commands) for arm in typed]
    own = name_arms([arm for arm in asked if not arm.is_command])
    _check_commands([arm.name for arm in asked if arm.is_command], [arm.name for arm in own])
    trained = iter(own)
    arms = [arm if arm.is_command else next(trained) for arm in asked]
    shared, settings = split_settings(request.set_texts, [arm.name for arm in arms])
    return [_add_settings(arm, shared, settings.get(arm.name, {})) for arm in arms]


def split_settings(texts: Sequence[str], names: Sequence[str]) -> tuple[dict[str, str], Settings]:
    """The values of `--set [ARM.]KEY=VALUE`: those for all arms, and the others by arm.

    Raises `RequestError` for one of another shape, one that is given twice and an arm that is not compared.
    """
    shared: dict[str, str] = {}
    settings: Settings = {}
    for text in texts:
        target, equals, value = text.partition("=")
        arm = max((name for name in names if target.startswith(f"{name}.")), key=len, default=None)
        key = target if arm is None else target[len(arm) + 1 :]
        if not equals or not key or target.startswith("."):
            raise RequestError(f"--set takes [ARM.]KEY=VALUE, not '{text}'.")
        first, dot, _ = target.partition(".")
        if arm is None and dot and first not in SECTIONS:
            raise RequestError(f"--set names the arm '{first}', which is not compared. Arms: {', '.join(names)}.")
        values = shared if arm is None else settings.setdefault(arm, {})
        if (repeat := describe_repeat(key, values)) is not None:
            raise RequestError(f"--set names '{target}' twice{repeat}.")
        values[key] = value
    return shared, settings


def check_against(against: str, names: Sequence[str]) -> None:
    """`RequestError` for a `--against` that is no arm and no way of choosing one."""
    if against not in (*AGAINST, *names):
        raise RequestError(f"--against takes {', '.join(AGAINST)} or an arm ({', '.join(names)}), not '{against}'.")


def type_arm(arm: Arm) -> str:
    """A planned arm as it is typed, without its settings; a name with a revision in it is never given."""
    revision = arm.code.revision if arm.code else None
    typed = arm.recipe if revision is None else f"{arm.recipe}@{revision}"
    is_unnamed = revision is not None and arm.name.startswith(f"{arm.recipe}@")
    return typed if is_unnamed else f"{arm.name}={typed}"


def type_ablated(arm: Arm) -> str:
    """The arm that an ablation takes apart, as it is typed, with its settings."""
    typed = arm.recipe if arm.name == arm.recipe else type_arm(arm)
    changes = ",".join(f"{key}={value}" for key, value in arm.settings.items())
    return f"{typed}:{changes}" if changes else typed


def _look_up(arm: ArmRequest, from_file: Mapping[str, ArmRequest], commands: Collection[str]) -> ArmRequest:
    """The arm, or what stands by its recipe's name in the arms file, with what is typed on top."""
    if arm.recipe in commands and arm == ArmRequest(arm.recipe, arm.recipe):
        return replace(arm, is_command=True)
    found = from_file.get(arm.recipe)
    if found is None:
        return arm
    # A revision may be typed behind the name of the file's arm, and is then part of its name.
    return replace(
        found,
        name=arm.givable_name,
        settings={**_give_way(found.settings, arm.settings), **arm.settings},
        revision=arm.revision or found.revision,
    )


def _check_commands(commands: Sequence[str], own: Sequence[str]) -> None:
    """`RequestError` where a command of the arms file stands twice, or another arm has its name."""
    if len(set(commands)) < len(commands):
        raise RequestError("An external arm stands twice; give it two names in the arms file.")
    if taken := [name for name in own if name in commands]:
        raise RequestError(f"Two arms would be called {taken[0]}; give the external one another name in the arms file.")


def _add_settings(arm: ArmRequest, shared: Mapping[str, str], given: Mapping[str, str]) -> ArmRequest:
    """The arm with what `--set` gives to it alone, and what it gives to all arms and nothing else gives to this one."""
    if arm.is_command:
        if given:
            raise RequestError(
                f"--set names {arm.name}, an external arm: give settings to its command in the arms file."
            )
        return arm
    for key in given:
        if (repeat := describe_repeat(key, arm.settings)) is not None:
            raise RequestError(
                f"The setting '{key}' of {arm.name} is given by the arm and by --set{repeat}. Give it once."
            )
    return replace(arm, settings={**arm.settings, **_give_way(shared, [*given, *arm.settings]), **given})


def _give_way(settings: Mapping[str, str], others: Collection[str]) -> dict[str, str]:
    """The settings that none of `others` is, by whichever of its names."""
    return {key: value for key, value in settings.items() if not any(is_same_setting(key, other) for other in others)}
