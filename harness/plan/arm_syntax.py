"""Arms and sweeps as they are typed, and what each arm is called."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod

from mainrun.config import is_same_setting
from mainrun.record.errors import RequestError
from mainrun.record.inert import make_inert

FORM = "[NAME=]RECIPE[@REVISION][:key=value,…]"
WHOLE_FORM = "[NAME=]RECIPE[:key=value,…]"
"""Of the arm that an ablation takes apart, by the code that is here."""
SWEEP_FORM = "[NAME=]RECIPE[@REVISION]:key=v,v,…[,key=v,…]"
MAX_ARMS = 100
"""Of one sweep: a slip in a list of lists is found before the training, not after it."""
FORBIDDEN_IN_NAMES = frozenset("/\\")
"""A run's folder is named after its arm."""
_FORBIDDEN_IN_GIVEN_NAMES = FORBIDDEN_IN_NAMES | frozenset("=:@")
"""What stands behind a name begins with one of the others."""
OF_CONTROL = ("Cc", "Zl", "Zp")
"""Unicode categories of what ends a line or moves a terminal, so that a name could say more than a name."""


@dataclass(frozen=True)
class ArmRequest:
    """One arm as asked for."""

    name: str
    """As given; else the recipe, and the revision with `-` for every `/`: `optimized@origin-main`."""
    recipe: str
    settings: dict[str, str] = field(default_factory=dict)
    """Changed settings by key, as text."""
    revision: str | None = None
    """Of the training program's code, as typed; None is the working tree."""
    is_named: bool = False
    """Whether the name was given, and so may not be numbered."""
    is_command: bool = False
    """Whether it is the command of the arms file that has this name there."""

    @property
    def givable_name(self) -> str:
        """The name as one that may be given: that of a revision holds `@`, and may hold `=`."""
        return self.name.replace("@", "-").replace("=", "-")


def parse_arm(text: str) -> ArmRequest:
    """The arm that a text of the command line asks for; `RequestError` where it is of another form.

    A revision may hold `=`, and no `:`, which begins a path in git and not a commit.
    """
    head, colon, changes = text.partition(":")
    before, at, revision = head.partition("@")
    given, equals, recipe = before.rpartition("=")
    problem = None
    if not recipe:
        problem = "names no recipe"
    elif holds_control(head):
        problem = "has a line end or another control character in its name"
    elif equals and not is_givable(given):
        problem = f"gives the name '{given}', and a name is a word without '/', '=' and a '.' in front"
    elif at and (not revision or revision.startswith("-")):
        problem = f"asks for '{revision}', which is no revision"
    elif set(recipe) & FORBIDDEN_IN_NAMES:
        problem = f"asks for '{recipe}', which is no recipe"
    if problem:
        raise RequestError(f"The arm '{make_inert(text)}' {problem}. Expected {FORM}.")
    named = f"{recipe}{at}{revision.replace('/', '-').replace(chr(92), '-')}"
    return ArmRequest(
        name=given or named,
        recipe=recipe,
        settings=_parse_changes(text, changes) if colon else {},
        revision=revision or None,
        is_named=bool(given),
    )


def parse_whole(text: str) -> ArmRequest:
    """The arm that an ablation takes apart, named after its settings where it was given none.

    Raises `RequestError` as `parse_arm`, for a revision, and for settings that no name may hold.
    """
    arm = parse_arm(text)
    if arm.revision is not None:
        raise RequestError(
            f"ablate takes a recipe apart with the code that is here, and '{text}' names a revision. Check that "
            "revision out into a folder of its own (git worktree add), and run ablate there."
        )
    if arm.is_named or not arm.settings:
        return arm
    name = _name_after(arm, arm.settings)
    if not is_givable(name):
        raise RequestError(f"The arm '{make_inert(text)}' needs a name of its own: NAME={make_inert(text)}.")
    return replace(arm, name=name, is_named=True)


def holds_control(name: str) -> bool:
    """Whether a name holds a character that ends a line or controls a terminal."""
    return any(unicodedata.category(character) in OF_CONTROL for character in name)


def is_givable(name: str) -> bool:
    """Whether a name is one that may be given."""
    return bool(name) and not (name.startswith(".") or set(name) & _FORBIDDEN_IN_GIVEN_NAMES or holds_control(name))


def name_arms(asked: Sequence[ArmRequest]) -> list[ArmRequest]:
    """The arms, each name once: one that was not given is numbered from the second time on.

    Raises `RequestError` for a given name that stands twice.
    """
    arms: list[ArmRequest] = []
    given = {arm.name for arm in asked if arm.is_named}
    for arm in asked:
        taken = {other.name for other in arms} | (set() if arm.is_named else given)
        if arm.is_named and arm.name in taken:
            raise RequestError(f"Two arms are called '{arm.name}'. Give each a name of its own.")
        count, name = 1, arm.name
        while name in taken:
            count += 1
            name = f"{arm.name}-{count}"
        arms.append(replace(arm, name=name))
    return arms


def expand_sweep(text: str) -> list[ArmRequest]:
    """The arms of a sweep, each named after the arm and the values that vary.

    Where several keys have several values, every combination is an arm; a key with one value is the same in all of
    them. Raises `RequestError` for a text of another form, a value that stands twice or that no name may hold, and more
    than 100 arms.
    """
    head, colon, changes = text.partition(":")
    if not colon:
        raise RequestError(f"The sweep '{text}' has no ':' between an arm and its keys. Expected {SWEEP_FORM}.")
    arm = parse_arm(head)
    values = _parse_values(text, changes)
    varied = [key for key, choices in values.items() if len(choices) > 1]
    num_arms = prod(map(len, values.values()))
    if not varied:
        raise RequestError(
            f"The sweep '{text}' varies nothing. Expected {SWEEP_FORM} with two values of a key or more."
        )
    if num_arms > MAX_ARMS:
        raise RequestError(f"The sweep '{text}' comes to {num_arms:,} arms; {MAX_ARMS} are the most.")
    arms = []
    for combination in product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        name = _name_after(arm, {key: chosen[key] for key in varied})
        if not is_givable(name):
            raise RequestError(
                f"The sweep '{make_inert(text)}' would call an arm '{make_inert(name)}', which is no name. "
                f"Expected {SWEEP_FORM}."
            )
        arms.append(replace(arm, name=name, settings=chosen, is_named=True))
    return arms


def describe_repeat(key: str, others: Iterable[str]) -> str | None:
    """By which other name a setting stands among `others`, "" where by the same; None where it does not."""
    for other in others:
        if is_same_setting(key, other):
            return "" if other == key else f", once as '{other}'"
    return None


def _name_after(arm: ArmRequest, settings: Mapping[str, str]) -> str:
    return "-".join([arm.givable_name, *(f"{key}-{value}" for key, value in settings.items())])


def _parse_changes(text: str, changes: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    for change in changes.split(","):
        key, equals, value = change.partition("=")
        if not equals or not key:
            raise RequestError(f"The arm '{text}': '{change}' is no key=value. Expected {FORM}.")
        if (repeat := describe_repeat(key, settings)) is not None:
            raise RequestError(f"The arm '{text}' gives '{key}' twice{repeat}.")
        settings[key] = value
    return settings


def _parse_values(text: str, changes: str) -> dict[str, list[str]]:
    """The values of every key; a part without `=` is one more value of the key before it."""
    values: dict[str, list[str]] = {}
    key = ""
    for part in changes.split(","):
        before, equals, value = part.rpartition("=")
        if equals:
            key = before
            if not key or describe_repeat(key, values) is not None:
                raise RequestError(f"The sweep '{text}' names '{part}', which is no new key. Expected {SWEEP_FORM}.")
            values[key] = []
        if not key or not value:
            raise RequestError(f"The sweep '{text}': '{part}' is no value of a key. Expected {SWEEP_FORM}.")
        values[key].append(value)
    for key, choices in values.items():
        if repeated := [value for value, count in Counter(choices).items() if count > 1]:
            raise RequestError(f"The sweep '{text}' gives the value {repeated[0]} of '{key}' twice.")
    return values
