"""A sweep as it is typed, `ARM:key=v,v,…`, and the arms it comes to."""

from collections import Counter
from itertools import product

from harness.plan.arm_syntax import parse_arm
from mainrun.record.errors import RequestError

FORM = "[NAME=]RECIPE[@REVISION]:key=v,v,…[,key=v,…]"
MAX_ARMS = 100
"""Of one sweep: a slip in a list of lists is found before the training, not after it."""


def expand_sweep(text: str) -> list[str]:
    """The arms of a sweep as texts for `parse_arm`, each named after the arm and the values that vary.

    Where several keys have several values, every combination is an arm; a key with one value is the same in all of
    them. Raises `RequestError` for a text of another form, a value that stands twice and more than 100 arms.
    """
    head, _, changes = text.partition(":")
    arm = parse_arm(head)
    values = _parse_values(text, changes)
    varied = [key for key, choices in values.items() if len(choices) > 1]
    num_arms = 1
    for choices in values.values():
        num_arms *= len(choices)
    if not varied:
        raise RequestError(f"The sweep '{text}' varies nothing. Expected {FORM} with two values of a key or more.")
    if num_arms > MAX_ARMS:
        raise RequestError(f"The sweep '{text}' comes to {num_arms:,} arms; {MAX_ARMS} are the most.")
    base = head.partition("=")[2] or head
    arms = []
    for combination in product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        name = "-".join([arm.name, *(f"{key}-{chosen[key]}" for key in varied)])
        arms.append(f"{name}={base}:{','.join(f'{key}={value}' for key, value in chosen.items())}")
    return arms


def _parse_values(text: str, changes: str) -> dict[str, list[str]]:
    """The values of every key; a part without `=` is one more value of the key before it."""
    values: dict[str, list[str]] = {}
    key = ""
    for part in changes.split(","):
        before, equals, value = part.rpartition("=")
        if equals:
            key = before
            if not key or key in values:
                raise RequestError(f"The sweep '{text}' names '{part}', which is no new key. Expected {FORM}.")
            values[key] = []
        if not key or not value:
            raise RequestError(f"The sweep '{text}': '{part}' is no value of a key. Expected {FORM}.")
        values[key].append(value)
    for key, choices in values.items():
        repeated = [value for value, count in Counter(choices).items() if count > 1]
        if repeated:
            raise RequestError(f"The sweep '{text}' gives the value {repeated[0]} of '{key}' twice.")
    return values
