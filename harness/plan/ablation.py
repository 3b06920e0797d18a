"""What each change of a recipe is worth: the arms that show it, and the steps between them.

The ladder adds one change unit after the other to the baseline; leave-one-out takes each one out of the whole recipe.
Arms that come to the same configuration are one arm.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from mainrun.config import Recipe, find_changes
from mainrun.recipes import BASELINE, CHANGE_UNITS, get_recipe
from mainrun.record.errors import RequestError


@dataclass(frozen=True)
class Unit:
    """Settings that change together because they cannot stand alone."""

    name: str
    settings: dict[str, str]
    """Key → the recipe's value, as `--set` text."""


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
    arms: dict[str, dict[str, str]]
    """Arm → `--set` values on the baseline; the baseline first, the whole recipe, under its own name, last."""
    ladder: tuple[Step, ...]
    leave_one_out: tuple[Step, ...]


def plan_ablation(recipe: str) -> Ablation:
    """The ablation of a named recipe; `RequestError` for an unknown one and for one that changes nothing."""
    units = find_units(get_recipe(recipe))
    if not units:
        raise RequestError(f"The recipe '{recipe}' changes nothing in the baseline: there is nothing to ablate.")
    whole = _join(units)
    arms: dict[str, dict[str, str]] = {"baseline": {}}

    def place_arm(name: str, members: Sequence[Unit]) -> str:
        settings = _join(members)
        known = next((arm for arm, other in {**arms, recipe: whole}.items() if other == settings), None)
        if known is None:
            arms[name] = settings
        return known or name

    ladder, before = [], "baseline"
    for place, unit in enumerate(units, 1):
        after = place_arm(f"with-{place}-{unit.name}", units[:place])
        ladder.append(Step(unit.name, tuple(unit.settings), before, after))
        before = after
    leave_one_out = [
        Step(
            unit.name,
            tuple(unit.settings),
            place_arm(f"without-{unit.name}", [other for other in units if other is not unit]),
            recipe,
        )
        for unit in units
    ]
    return Ablation(recipe, {**arms, recipe: whole}, tuple(ladder), tuple(leave_one_out))


def find_units(recipe: Recipe) -> list[Unit]:
    """The change units between the baseline and `recipe`, from the computed difference of the two."""
    changes = {key: str(after) for key, (_, after) in find_changes(asdict(BASELINE), asdict(recipe)).items()}
    units = []
    for name, keys in CHANGE_UNITS.items():
        settings = {key: changes.pop(key) for key in keys if key in changes}
        if settings:
            units.append(Unit(name, settings))
    return [*units, *(Unit(key, {key: value}) for key, value in changes.items())]


def _join(units: Sequence[Unit]) -> dict[str, str]:
    return {key: value for unit in units for key, value in unit.settings.items()}
