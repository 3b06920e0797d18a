"""Claims: sentences that carry their proof, so that the two cannot part.

A sentence is a pattern whose slots (`{loss:loss}`) are filled from named inputs, or from the value of the claim's
formula (`{value:percent}`), by a named format. An input is a JSON pointer (RFC 6901) into `comparison.json`, in which
`*` stands for every item of a list; a formula is arithmetic over inputs (`+ - * /`, `min`, `max`, `len`); a condition
compares such formulas, and the sentence is made only where it holds. A pattern holds no digit outside its slots.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.formats import FORMATS

GAIN = "100 * (b - c) / b"
"""Formula of a gain in percent, from the baseline's and the candidate's loss."""

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.GtE: operator.ge,
    ast.Gt: operator.gt,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "len": len}
SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
"""A place in a pattern: a name, and the format it is filled by."""


@dataclass(frozen=True)
class Claim:
    """A sentence with its proof."""

    id: str
    text: str
    sentence: str
    """The pattern `text` is made from."""
    value: float | None
    """What the formula gives; None where the sentence only quotes its inputs."""
    formula: str | None
    condition: str | None
    """What must hold for the sentence to be true; None where nothing but the inputs is said."""
    inputs: dict[str, str]
    """Name in formula, condition and slots → JSON pointer into `comparison.json`."""


def find_flaw(claim: Mapping[str, Any], document: Any) -> str | None:
    """What is wrong with a stored claim: words that its inputs, formula and condition do not give. None where nothing.

    A value is judged to nine digits, because a stored one is rounded.
    """
    if re.search(r"\d", SLOT.sub("", claim["sentence"])):
        return f"a number stands in '{claim['sentence']}' itself"
    if claim["condition"] is not None and not holds(claim["condition"], claim["inputs"], document):
        return f"it is not so that {claim['condition']}"
    value = None
    if claim["formula"] is not None:
        value = evaluate_formula(claim["formula"], claim["inputs"], document)
        if not abs(value - claim["value"]) <= 1e-9 * max(1, abs(value)):
            return f"{claim['formula']} is {value}, not {claim['value']}"
    text = fill(claim["sentence"], value, claim["inputs"], document)
    return None if text == claim["text"] else f"found '{claim['text']}', expected '{text}'"


def fill(sentence: str, value: float | None, inputs: Mapping[str, str], document: Any) -> str:
    """The sentence with every slot filled: `{value}` by the formula's value, any other by the input of its name."""

    def fill_slot(slot: re.Match[str]) -> str:
        name, format_name = slot.groups()
        content = value if name == "value" else resolve_pointer(document, inputs[name])
        return str(content) if format_name is None else FORMATS[format_name](content)

    return SLOT.sub(fill_slot, sentence)


def holds(condition: str, inputs: Mapping[str, str], document: Any) -> bool:
    """Whether comparisons, joined by `and`, are true; their sides are formulas, or texts in quotes.

    Raises as `evaluate_formula`.
    """
    values = {name: resolve_pointer(document, pointer) for name, pointer in inputs.items()}
    parsed = _parse(condition)
    comparisons = parsed.values if isinstance(parsed, ast.BoolOp) and isinstance(parsed.op, ast.And) else [parsed]
    return all(_compare(comparison, values) for comparison in comparisons)


def evaluate_formula(formula: str, inputs: Mapping[str, str], document: Any) -> float:
    """The value of `formula` with each name in `inputs` replaced by what its pointer finds in `document`.

    Raises `LookupError` for a pointer that finds nothing and `ValueError` for what is no formula of the kind above.
    """
    values = {name: resolve_pointer(document, pointer) for name, pointer in inputs.items()}
    return float(_evaluate(_parse(formula), values))


def resolve_pointer(document: Any, pointer: str) -> Any:
    """What a JSON pointer finds, of `*` all it finds in a list; `LookupError` where it finds nothing."""
    if "*" in pointer:
        before, _, after = pointer.partition("/*")
        return [resolve_pointer(item, after) for item in resolve_pointer(document, before)]
    for part in pointer.split("/")[1:]:
        if isinstance(document, list):
            if not part.isdecimal():
                raise LookupError(f"'{part}' is no place in a list.")
            document = document[int(part)]
        elif isinstance(document, dict):
            document = document[part.replace("~1", "/").replace("~0", "~")]
        else:
            raise LookupError(f"there is nothing at '{part}'.")
    return document


@lru_cache(maxsize=4096)
def find_names(text: str) -> frozenset[str]:
    """The inputs that a formula or condition names."""
    return frozenset(node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name)) - _FUNCTIONS.keys()


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        raise ValueError(f"'{text}' is no formula.") from None


def _compare(node: ast.expr, values: Mapping[str, Any]) -> bool:
    match node:
        case ast.Compare(left=left, ops=symbols, comparators=others) if all(type(s) in _COMPARISONS for s in symbols):
            sides = [
                side.value
                if isinstance(side, ast.Constant) and isinstance(side.value, str)
                else _evaluate(side, values)
                for side in (left, *others)
            ]
            pairs = zip(symbols, sides, sides[1:], strict=False)
            return all(_COMPARISONS[type(symbol)](before, after) for symbol, before, after in pairs)
    raise ValueError(f"'{ast.unparse(node)}' is no comparison.")


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=symbol, right=right) if type(symbol) in _OPERATORS:
            return _OPERATORS[type(symbol)](_evaluate(left, values), _evaluate(right, values))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_evaluate(argument, values) for argument in arguments))
    raise ValueError(f"'{ast.unparse(node)}' is not allowed in a formula.")
