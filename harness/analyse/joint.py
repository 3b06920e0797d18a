"""What two arms of one validation text come to together: of a size that neither knows, what is the same cancels."""

from collections.abc import Iterator
from typing import Any

from harness.analyse.coverage import Validation
from harness.analyse.curves import compute_gain
from harness.analyse.first_losses import FirstLosses
from harness.analyse.texts import bound_chars, split_at_spans
from harness.store.arm_fields import Arm


def compute_gap(baseline: Arm, candidate: Arm) -> dict[str, float] | None:
    """`low` and `high` of the baseline's coverage less the candidate's, in points; None where one is not known."""
    first, last = baseline["final"], candidate["final"]
    assert first is not None and last is not None
    shares = [
        100 * (spans[0] * scored[0] - spans[1] * scored[1]) / size
        for piece, scored, spans in _list_pieces(baseline, candidate)
        for size in piece
    ]
    if shares:
        return {"low": min(shares), "high": max(shares)}
    lows = first["coverage_low_percent"], last["coverage_low_percent"]
    highs = first["coverage_high_percent"], last["coverage_high_percent"]
    if lows[0] is None or lows[1] is None or highs[0] is None or highs[1] is None:
        return None
    return {"low": lows[0] - highs[1], "high": highs[0] - lows[1]}


def bound_matched_gain(baseline: Arm, candidate: Arm) -> dict[str, float] | None:
    """`low` and `high` of the gain on equal terms by what is not known of the texts; None where it is one number."""
    first, last = baseline["final"], candidate["final"]
    assert first is not None and last is not None
    before, after = first["loss_nats_per_char"], last["loss_nats_per_char"]
    lows = first["matched_low_nats_per_char"], last["matched_low_nats_per_char"]
    highs = first["matched_high_nats_per_char"], last["matched_high_nats_per_char"]
    if before is None or after is None:
        return None
    gains = [
        compute_gain(before / (spans[0] * scored[0]), after / (spans[1] * scored[1]))
        for _, scored, spans in _list_pieces(baseline, candidate)
        if min(spans) > 0
    ]
    if not gains:
        if lows == highs or lows[0] is None or lows[1] is None or highs[0] is None or highs[1] is None:
            return None
        gains = [compute_gain(lows[0], highs[1]), compute_gain(highs[0], lows[1])]
    low, high = min(gains), max(gains)
    return None if low == high else {"low": low, "high": high}


def has_two_denominators(baseline: Arm, candidate: Arm) -> bool:
    """Whether no number of characters explains the first losses of both, though their text is the same."""
    pieces = [*_list_pieces(baseline, candidate)]
    found = []
    for _, scored, spans in pieces:
        bounds = [
            bound_chars(FirstLosses(**(arm["forensics"] or {})["first_losses"]), arm["facts"]["vocab_size"],
                        num_spans * tokens)
            for arm, num_spans, tokens in zip((baseline, candidate), spans, scored, strict=True)
        ]  # fmt: skip
        if bounds[0] is None or bounds[1] is None:
            return False
        found.append(max(bounds[0][0], bounds[1][0]) > min(bounds[0][1], bounds[1][1]))
    return bool(found) and all(found)


def _list_pieces(baseline: Arm, candidate: Arm) -> Iterator[tuple[tuple[int, int], tuple[int, int], tuple[int, int]]]:
    """Of one text that both arms share its possible sizes, each arm's tokens a span, and its whole spans there."""
    found = [arm["forensics"] for arm in (baseline, candidate)]
    if found[0] is None or found[1] is None or found[0]["text"] != found[1]["text"]:
        return
    scored = _count_span_tokens(baseline), _count_span_tokens(candidate)
    if None in (found[0]["coverage"], found[1]["coverage"], found[0]["validation"]) or scored[0] * scored[1] == 0:
        return
    validation = load_validation(found[0])
    for piece in split_at_spans(validation, sorted({*scored})):
        yield piece, scored, (piece[0] // (scored[0] + 1), piece[0] // (scored[1] + 1))


def load_validation(forensics: dict[str, Any]) -> Validation:
    """The validation text as it stands in a document."""
    stored = forensics["validation"]
    return Validation(**stored | {"pieces": tuple((low, high) for low, high in stored["pieces"])})


def _count_span_tokens(arm: Arm) -> int:
    return (arm["facts"]["block_size"] or 0) * (arm["facts"]["evaluation_batch_size"] or 0)
