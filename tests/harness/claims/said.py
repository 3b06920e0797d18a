"""What would be said of a document that a test has changed."""

import copy
from typing import Any

from harness.claims.report_order import ON_PAIRS, say_all
from harness.claims.sentence import say


def build_claims(document: dict[str, Any], place: int) -> list[dict[str, Any]]:
    """The claims on the pair at `place`."""
    return say(document, ON_PAIRS, "pairs", place)


def build_caveats(document: dict[str, Any]) -> list[dict[str, Any]]:
    """All caveats."""
    caveats: list[dict[str, Any]] = say_all(copy.deepcopy(document))["caveats"]
    return caveats
