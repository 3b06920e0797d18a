"""Which arms a request comes to: named ones, those of an arms file and of sweeps, and whom each setting is for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from harness.plan.arm_syntax import ArmRequest, expand_sweep, name_arms, parse_arm
from harness.plan.plan import AGAINST, Arm
from harness.plan.request import CompareRequest
from mainrun.config import Config, shorten_key
from mainrun.record.errors import RequestError

SECTIONS = frozenset(field.name for field in fields(Config))
"""With what the full name of a setting begins; so no arm is called that where `--set` names it."""
Settings = dict[str, dict[str, str]]
"""Values by arm and key."""


def resolve_arms(
    request: CompareRequest, from_file: Mapping[str, ArmRequest], external: Sequence[str]
) -> CompareRequest:
    """The request with its sweeps among `recipes`, and all that `--set` gives in `settings`.

    `from_file` are the arms file's arms of ours, which stand as recipes in what is typed; `external` the names of its
    commands, which `--set` for all arms leaves alone. Raises `RequestError` as `name_arms` and `split_settings`.
    """
    swept = [arm for sweep in request.sweeps for arm in expand_sweep(sweep)]
    texts = [_look_up(text, from_file) for text in (*request.recipes, *swept)]
    arms = name_arms(texts, {})
    shared, settings = split_settings(request.set_texts, [arm.name for arm in arms])
    for arm, text in zip(arms, texts, strict=True):
        if arm.name in external:
            continue
        given = settings.get(arm.name, {})
        own = _give_way(shared, [*given, *parse_arm(text).settings])
        if own or given:
            settings[arm.name] = {**own, **given}
    return replace(request, recipes=tuple(texts), sweeps=(), set_texts=(), settings={**request.settings, **settings})


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
        if key in values:
            raise RequestError(f"--set names '{target}' twice.")
        values[key] = value
    return shared, settings


def check_against(against: str, names: Sequence[str]) -> None:
    """`RequestError` for a `--against` that is no arm and no way of choosing one."""
    if against not in (*AGAINST, *names):
        raise RequestError(f"--against takes {', '.join(AGAINST)} or an arm ({', '.join(names)}), not '{against}'.")


def format_arm(name: str, recipe: str, settings: Mapping[str, Any], revision: str | None = None) -> str:
    """An arm as it is typed, with its name."""
    changes = ",".join(f"{key}={value}" for key, value in settings.items())
    return f"{name}={recipe}{f'@{revision}' if revision else ''}{f':{changes}' if changes else ''}"


def type_arm(arm: Arm) -> str:
    """A planned arm as it is typed, without its settings; a name with a revision in it is never given."""
    revision = arm.code.revision if arm.code else None
    if revision is not None and arm.name.startswith(f"{arm.recipe}@"):
        return f"{arm.recipe}@{revision}"
    return format_arm(arm.name, arm.recipe, {}, revision)


def type_whole(arm: Arm) -> str:
    """The arm that an ablation takes apart, as it is typed, with its settings."""
    typed = arm.recipe if arm.name == arm.recipe else f"{arm.name}={arm.recipe}"
    changes = ",".join(f"{key}={value}" for key, value in arm.settings.items())
    return f"{typed}:{changes}" if changes else typed


def _look_up(text: str, from_file: Mapping[str, ArmRequest]) -> str:
    """The text of an arm, where its recipe is an arm of the file that one with what is typed on top."""
    arm = parse_arm(text)
    found = from_file.get(arm.recipe)
    if found is None:
        return text
    settings = {**_give_way(found.settings, arm.settings), **arm.settings}
    # A revision may be typed behind the name of the file's arm, and is then part of its name.
    return format_arm(arm.givable_name, found.recipe, settings, arm.revision or found.revision)


def _give_way(settings: Mapping[str, str], others: Iterable[str]) -> dict[str, str]:
    """The settings that no key of `others` is about, by its full or its short name."""
    names = {shorten_key(key) for key in others}
    return {key: value for key, value in settings.items() if shorten_key(key) not in names}
