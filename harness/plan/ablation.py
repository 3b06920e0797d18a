"""What each change of an arm is worth: the arms that show it, and the steps between them.

The ladder adds one change unit after the other to the baseline; leave-one-out takes each one out of the whole.
Arms that come to the same configuration are one arm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.plan.arm_syntax import ArmRequest
from mainrun.config import find_changes, is_same_setting, shorten_key
from mainrun.recipes import CHANGE_UNITS, build_named_config, get_recipe
from mainrun.record.errors import RequestError


@dataclass(frozen=True)
class Unit:
    """Settings that change together because they cannot stand alone."""

    name: str
    settings: dict[str, str]
    """Key → the whole's value, as `--set` text."""
    keys: tuple[str, ...]
    """All keys in which the configurations differ by them."""


@dataclass(frozen=True)
class Step:
    """One change unit and the two arms it is measured between."""

    unit: str
    keys: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True)
class Ablation:
    """The arms of an ablation, and which two each unit is measured between."""

    recipe: str
    """Name of the arm that is the whole."""
    arms: dict[str, dict[str, str]]
    """Arm → `--set` values on the baseline; the baseline first, the whole, under its own name, last."""
    ladder: tuple[Step, ...]
    leave_one_out: tuple[Step, ...]


def plan_ablation(whole: ArmRequest, preset: str) -> Ablation:
    """The ablation of an arm; `RequestError` for an unknown name and for an arm that changes nothing."""
    units = find_units(whole, preset)
    if not units:
        raise RequestError(f"'{whole.name}' changes nothing in the baseline: there is nothing to ablate.")
    arms: dict[str, dict[str, str]] = {"baseline": {}}
    named = {
        build_named_config("baseline", preset, {}): "baseline",
        build_named_config(whole.recipe, preset, whole.settings): whole.name,
    }

    def place_arm(name: str, members: Sequence[Unit]) -> str:
        settings = _join(preset, members)
        known = named.setdefault(build_named_config("baseline", preset, settings), name)
        if known == name:
            arms[name] = settings
        return known

    ladder, before = [], "baseline"
    for place, unit in enumerate(units, 1):
        after = place_arm(f"with-{place}-{unit.name}", units[:place])
        ladder.append(Step(unit.name, unit.keys, before, after))
        before = after
    leave_one_out = [
        Step(
            unit.name,
            unit.keys,
            place_arm(f"without-{unit.name}", [other for other in units if other is not unit]),
            whole.name,
        )
        for unit in units
    ]
    if whole.name in arms:
        raise RequestError(f"Two arms would be called '{whole.name}'. Give it another name: NAME={whole.recipe}…")
    return Ablation(whole.name, {**arms, whole.name: _join(preset, units)}, tuple(ladder), tuple(leave_one_out))


def find_units(whole: ArmRequest, preset: str) -> list[Unit]:
    """The change units between the baseline and an arm, from the computed difference of the two."""
    baseline = build_named_config("baseline", preset, {}).flatten()
    config = build_named_config(whole.recipe, preset, whole.settings).flatten()
    named = build_named_config(whole.recipe, preset, {}).flatten()
    kinds = {key for key in config if key.endswith(".name") and config[key] != named.get(key)}
    # What the recipe says of a kind that the arm has not is not in the arm.
    texts = {
        key: str(value)
        for key, value in get_recipe(whole.recipe, preset).items()
        if f"{key.partition('.')[0]}.name" not in kinds
    }
    for name, text in whole.settings.items():
        texts[next(key for key in config if is_same_setting(key, name))] = text
    given = {key: text for key, text in texts.items() if baseline.get(key) != config[key]}
    keys: dict[str, list[str]] = {name: [] for name in CHANGE_UNITS}
    for key in find_changes(baseline, config):
        keys.setdefault(_find_unit(key, is_given=key in given and key in baseline), []).append(key)
    return [
        Unit(name, {key: given[key] for key in own if key in given}, tuple(own)) for name, own in keys.items() if own
    ]


def _find_unit(key: str, *, is_given: bool) -> str:
    """The unit of a setting that changes; what the whole does not itself change comes with the kind that it chose."""
    if not is_given:
        key = f"{key.partition('.')[0]}.name"
    return next((name for name, keys in CHANGE_UNITS.items() if key in keys), shorten_key(key))


def _join(preset: str, members: Sequence[Unit]) -> dict[str, str]:
    """Settings on the baseline under which these units are changed, and nothing else is.

    The baseline's values have to be said where a member chooses a kind that has other defaults.
    """
    settings = {key: value for unit in members for key, value in unit.settings.items()}
    baseline, config = (build_named_config("baseline", preset, given).flatten() for given in ({}, settings))
    changed = {key for unit in members for key in unit.keys}
    return settings | {
        key: str(value) for key, value in baseline.items() if key not in changed and config.get(key, value) != value
    }
