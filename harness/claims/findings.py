"""The numbered findings on a pair of arms. A sentence that is not true of the numbers is not made."""

from itertools import pairwise

from harness.analyse.pairs import COVERAGE_TOLERANCE_POINTS, FROZEN, FULL, MATCHED, PER_TOKEN
from harness.claims.engine import GAIN
from harness.claims.sentence import Sentence, both

FRACTIONS = {
    **{10: "a tenth", 20: "a fifth", 25: "a quarter", 33: "a third", 40: "two fifths", 50: "half"},
    **{60: "three fifths", 67: "two thirds", 75: "three quarters", 80: "four fifths", 90: "nine tenths"},
}
"""Percent → words; the nearest one is used, within four points."""
_FRACTION_REACH = 4
SHARE = "100 * (1 - fair / reported)"
_OUTCOMES = {
    "c < target": "beaten by {value:percent_size}",
    "c > target": "missed by {value:percent_size}",
    "c == target": "met exactly",
}
"""Condition → what became of a target."""
_WHERE = "{b:loss} → {c:loss} nats per character, {value:gain}."


def write_share_sentences() -> dict[str, str]:
    """Condition → the share of a reported gain that is coverage, in plain words."""
    sentences = {
        "fair > reported": "Coverage hides part of the gain: on equal terms the gain is larger than the reported one.",
        "fair <= 0": "The whole reported gain is coverage: on equal terms {candidate} is no better.",
    }
    middles = [(one + other) / 2 for one, other in pairwise(FRACTIONS)]
    for percent, low, high in zip(FRACTIONS, [0, *middles], [*middles, 100], strict=True):
        low, high = max(low, percent - _FRACTION_REACH), min(high, percent + _FRACTION_REACH)
        sentences[f"{low} <= {SHARE} <= {high}"] = (
            f"{{value:percent}}, about {FRACTIONS[percent]}, of the reported gain is coverage, not a better model."
        )
    sentences["fair <= reported"] = "{value:percent} of the reported gain is coverage, not a better model."
    return {f"reported > 0 and differs == 1 and {condition}": text for condition, text in sentences.items()}


SHARE_SENTENCES = write_share_sentences()
_LESS, _MORE = f"gap_low > {COVERAGE_TOLERANCE_POINTS}", f"0 - gap_high > {COVERAGE_TOLERANCE_POINTS}"

GAINS = (
    *(
        Sentence(
            claim_id,
            {"b_last == 1 and c_last == 1 and b_seed == seed": f"{name} at the last step, seed {{seed}}: {_WHERE}"},
            both(f"final/{field}"),
            GAIN,
            needs=("b_code", "c_code"),
        )
        for claim_id, field, name in (("full-gain", FULL, "Full loss"), ("reported-gain", FROZEN, "Frozen loss"))
    ),
    Sentence(
        "full-gain",
        {f'field == "{FULL}"': f"Full loss, at the last evaluation: {_WHERE}"},
        both(f"final/{FULL}"),
        GAIN,
    ),
    Sentence(
        "matched-gain",
        {
            f'field == "{MATCHED}" and {condition}': f"On equal terms (frozen loss / coverage){note}, at the last "
            f"evaluation: {_WHERE}"
            for condition, note in (
                *(
                    (f'{side}_origin == "{origin}"', ", with an estimated coverage")
                    for side in "bc"
                    for origin in ("estimated", "scaled")
                ),
                ('b_origin != "estimated"', ""),
            )
        },
        both(f"final/{MATCHED}"),
        GAIN,
    ),
    Sentence(
        "token-gain",
        {
            f'field == "{PER_TOKEN}"': "Validation loss as reported, at the last evaluation: {b:loss} → {c:loss} nats "
            "per token, {value:gain}."
        },
        both(f"final/{PER_TOKEN}"),
        GAIN,
    ),
    Sentence(
        "reported-gain",
        f"Frozen loss as reported, at the last evaluation: {_WHERE}",
        both(f"final/{FROZEN}"),
        GAIN,
    ),
    Sentence(
        "coverage-difference",
        {
            condition: f"The frozen evaluation scores {{value:points}} points {word} of the validation tokens for "
            "{candidate}, so the two frozen losses are not on equal terms."
            for condition, word in ((_LESS, "less"), (_MORE, "more"))
        },
        both("final/coverage_percent"),
        "b - c",
    ),
    Sentence(
        "matched-gain",
        {
            f'field != "{MATCHED}" and {differs}': "On equal terms (frozen loss / coverage) the loss of {candidate} is "
            "{value:gain}."
            for differs in (_LESS, _MORE)
        },
        both(f"final/{MATCHED}"),
        GAIN,
    ),
    Sentence(
        "coverage-share",
        {
            f"{_MORE} and reported > 0 and full > reported": "Coverage hides part of the gain: the gain in full loss "
            "is larger than the reported one.",
            f"{_LESS} and reported > 0 and full <= 0": "The whole reported gain is coverage: in full loss {candidate} "
            "is no better.",
            f"{_LESS} and reported > 0 and full <= reported": "{value:percent} of the reported gain is coverage, not a "
            "better model.",
        },
        {"full": "full_gain_percent"},
        "100 * (1 - full / reported)",
    ),
    Sentence(
        "coverage-share",
        {f'field != "{FULL}" and shared == 1 and {condition}': text for condition, text in SHARE_SENTENCES.items()},
        {"fair": "basis_gain_percent"},
        SHARE,
    ),
    Sentence(
        "target-margin",
        {
            f"official == 1 and max(c_coverage - due, due - c_coverage) {size} {COVERAGE_TOLERANCE_POINTS} and "
            f"{condition}": f"The task's target of {{target:loss}} is {outcome}{tail}."
            for size, tail in (
                ("<=", ""),
                (">", ", which is not on equal terms: coverage {c_coverage:percent} against its {due:percent}"),
            )
            for condition, outcome in _OUTCOMES.items()
        }
        | {
            f"official == 0 and differs == {differs} and {condition}": "The final frozen loss of {baseline}, "
            f"{{target:loss}} (the bar here), is {outcome}{tail}."
            for differs, tail in (
                (0, ""),
                (1, ", which is not on equal terms: coverage {c_coverage:percent} against {b_coverage:percent}"),
            )
            for condition, outcome in _OUTCOMES.items()
        },
        {
            "target": "target/loss_nats_per_char",
            "c": "c/final/loss_nats_per_char",
            "official": "target/is_official",
            "due": "target/coverage_percent",
            "b_coverage": "b/final/coverage_percent",
            "c_coverage": "c/final/coverage_percent",
        },
        "100 * (target - c) / target",
        needs=("b_code", "c_code"),
    ),
    Sentence(
        "target-margin",
        {
            f"b_official == 1 and c_official == 1 and {condition}": "The task's target of {stated:value}, "
            f"{{target:loss}} at full coverage, is {outcome} on equal terms; that the data is the task's is told "
            "from its token counts."
            for condition, outcome in _OUTCOMES.items()
        },
        {
            "stated": "target/loss_nats_per_char",
            "target": "target/matched_loss_nats_per_char",
            "c": "c/final/matched_loss_nats_per_char",
            "b_official": "b/forensics/is_official",
            "c_official": "c/forensics/is_official",
        },
        "100 * (target - c) / target",
    ),
)
