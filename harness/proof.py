"""Evaluating a claim's formula over a comparison's own numbers, so that a sentence and its proof cannot part.

A formula is arithmetic over named inputs (`+ - * /`, `min`, `max`); an input is a JSON pointer (RFC 6901) into
`comparison.json`.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max}


def evaluate_formula(formula: str, inputs: Mapping[str, str], document: Any) -> float:
    """The value of `formula` with each name in `inputs` replaced by what its pointer finds in `document`.

    Raises `LookupError` for a pointer that finds nothing and `ValueError` for what is no formula of the kind above.
    """
    values = {name: resolve_pointer(document, pointer) for name, pointer in inputs.items()}
    try:
        parsed = ast.parse(formula, mode="eval")
    except SyntaxError:
        raise ValueError(f"'{formula}' is no formula.") from None
    return float(_evaluate(parsed.body, values))


def resolve_pointer(document: Any, pointer: str) -> Any:
    """What a JSON pointer finds; `LookupError` where it finds nothing."""
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
