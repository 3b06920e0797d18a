from typing import Any

import pytest

from harness.claims.engine import evaluate_formula, fill, holds, resolve_pointer
from harness.claims.sentence import Sentence, make, say

DOCUMENT: dict[str, Any] = {
    "arms": [{"final": {"loss": 2.0}}, {"final": {"loss": 1.5}}],
    "gains": [3.0, 1.0, 2.0],
    "count": 4,
    "a/b": 5,
    "name": "text",
}


@pytest.mark.parametrize(
    ("formula", "inputs", "value"),
    [
        ("100 * (b - c) / b", {"b": "/arms/0/final/loss", "c": "/arms/1/final/loss"}, 25.0),
        ("min(gains)", {"gains": "/gains"}, 1.0),
        ("max(gains) + count", {"gains": "/gains", "count": "/count"}, 7.0),
        ("2 - 3 * 4", {}, -10.0),
        ("last", {"last": "/gains/2"}, 2.0),
        ("len(gains)", {"gains": "/gains"}, 3.0),
    ],
)
def test_a_formula_has_the_value_of_its_arithmetic(formula: str, inputs: dict[str, str], value: float) -> None:
    assert evaluate_formula(formula, inputs, DOCUMENT) == value


@pytest.mark.parametrize(
    "formula",
    [
        "2 ** 1000",
        "7 // 2",
        "7 % 2",
        "-1",
        "True",
        "'text'",
        "None",
        "1j",
        "[1, 2]",
        "gains[0]",
        "(1).real",
        "abs(1)",
        "open('x')",
        "__import__('os')",
        "min(gains, key=len)",
        "min(*gains)",
        "(lambda: 1)()",
        "1 if 2 else 3",
        "1 < 2",
        "1 and 2",
        "f'{1}'",
        "(a := 1)",
        "",
        "1 +",
        "1; 2",
        "a = 1",
        "import os",
    ],
)
def test_what_is_no_arithmetic_is_refused(formula: str) -> None:
    with pytest.raises(ValueError):
        evaluate_formula(formula, {"gains": "/gains"}, DOCUMENT)


@pytest.mark.parametrize(
    "pointer",
    ["/absent", "/arms/2/final/loss", "/arms/0/absent", "/arms/-1/final/loss", "/name/0", "arms/0/final/loss"],
)
def test_a_pointer_that_finds_nothing_is_a_lookup_error(pointer: str) -> None:
    with pytest.raises(LookupError):
        resolve_pointer(DOCUMENT, pointer)


def test_an_unknown_name_is_a_lookup_error() -> None:
    with pytest.raises(LookupError):
        evaluate_formula("unknown + 1", {}, DOCUMENT)


def test_a_pointer_finds_what_rfc_6901_says() -> None:
    assert resolve_pointer(DOCUMENT, "") == DOCUMENT
    assert resolve_pointer(DOCUMENT, "/gains/1") == 1.0
    assert resolve_pointer(DOCUMENT, "/a~1b") == 5


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("count == 4", True),
        ("count != 4", False),
        ("count > max(gains) and max(gains) > min(gains)", True),
        ("count > 3 and count < 3", False),
        ("1 < count <= 4", True),
        ("1 < count < 4", False),
        ("name == 'text'", True),
        ('name == "other"', False),
        ("len(name) == count", True),
    ],
)
def test_a_condition_compares(condition: str, true: bool) -> None:
    assert holds(condition, {"count": "/count", "gains": "/gains", "name": "/name"}, DOCUMENT) is true


@pytest.mark.parametrize(
    "condition",
    ["count", "count == 4 or 1 == 1", "not count == 3", "count in gains", "count is 4", "print(count) == 1"],
)
def test_what_is_no_comparison_is_refused(condition: str) -> None:
    with pytest.raises(ValueError):
        holds(condition, {"count": "/count", "gains": "/gains"}, DOCUMENT)


def test_of_several_sentences_the_first_true_one_is_made_and_a_false_one_never() -> None:
    sentences = {
        "count > 4": "more",
        "count > 3": "{count:count} is more than {value:percent}",
        "count > 2": "much more",
    }
    claim = make(DOCUMENT, Sentence("id", sentences, {"count": "/count"}, "count - 1", on="comparison"))
    assert claim is not None
    assert (claim.text, claim.condition, claim.value) == ("4 is more than 3.0 %", "count > 3", 3.0)
    assert make(DOCUMENT, Sentence("id", {"count > 4": "more"}, {"count": "/count"}, on="comparison")) is None


@pytest.mark.parametrize("path", ["/absent", "/nothing", "/arms/*/final/absent"])
def test_a_sentence_that_names_what_is_not_there_is_not_made(path: str) -> None:
    document = DOCUMENT | {"nothing": None}
    assert make(document, Sentence("id", "{x}", {"x": path}, on="comparison")) is None
    claim = make(document, Sentence("id", {"x > 1": "{x}", "": "none"}, {"x": path}, on="comparison"))
    assert claim is not None
    assert (claim.text, claim.inputs) == ("none", {})


def test_a_star_stands_for_every_item() -> None:
    sentence = Sentence("id", {"min(x) < max(x)": "{x:list}"}, {"x": "/arms/*/final/loss"}, on="comparison")
    claim = make(DOCUMENT, sentence)
    assert claim is not None and claim.text == "2, 1.5"


def test_of_sentences_with_one_id_one_is_made_and_none_that_stands_in_the_place_of_a_made_one() -> None:
    sentences = (
        Sentence("id", {"count > 4": "first"}, {"count": "/count"}, on="comparison"),
        Sentence("id", "second", on="comparison"),
        Sentence("id", "third", on="comparison"),
        Sentence("other", "fourth", unless=("id",), on="comparison"),
        Sentence("last", "fifth", unless=("other",), on="comparison"),
    )
    assert [claim["text"] for claim in say(DOCUMENT, sentences, "comparison")] == ["second", "fifth"]


def test_a_name_that_looks_like_a_slot_is_not_filled_again() -> None:
    assert fill("{name} {count}", None, {"name": "/n", "count": "/c"}, {"n": "{count}", "c": 4}) == "{count} 4"
