"""The sentences around the findings on a pair: conclusion, headline, verdict, coverage; the last line."""

from itertools import product

from harness.analyse.pairs import COVERAGE_DIFFERS
from harness.claims.engine import GAIN
from harness.claims.sentence import Sentence, both

VERDICT_RULES = {
    "IMPROVED": "low > margin",
    "REGRESSED": "high < 0 - margin",
    "EQUIVALENT": "0 - margin < narrow_low and narrow_high < margin",
    "INCONCLUSIVE": "low <= margin and high >= 0 - margin and max(0 - narrow_low, narrow_high) >= margin",
}
"""What must hold of the 95 % and the (narrow) 90 % interval for a verdict's word to be the right one."""
NOTHING_DIFFERS = {"EQUIVALENT": "low == 0 and high == 0"}
"""Or this, at any margin."""
SINGLE_SEED_RULES = {
    "IMPROVED": "low - margin >= needed * noise",
    "REGRESSED": "0 - margin - high >= needed * noise",
    **NOTHING_DIFFERS,
    "INCONCLUSIVE": "max(low - margin, 0 - margin - high) < needed * noise",
}
"""The same with one seed, whose interval covers titles only, where noise of training is known."""
SINGLE_SEED_RULES_WITHOUT_NOISE = {**NOTHING_DIFFERS, "INCONCLUSIVE": "max(high, 0 - low) > 0"}
VERDICT = {
    "word": "verdict/word",
    "margin": "verdict/margin_percent",
    "interval": "verdict/interval_95",
    "gain": "verdict/gain_percent",
    "reason": "verdict/reason",
    "doubts": "doubts",
    "noise": "verdict/known_noise/high_percent",
    "needed": "verdict/known_noise/needed_multiple",
    "multiple": "verdict/noise_multiple",
    "runs_word": "verdict/runs_word",
    **{
        f"{prefix}{bound}": f"verdict/interval_{level}/{bound}_percent"
        for prefix, level in (("", 95), ("narrow_", 90))
        for bound in ("low", "high")
    },
}
_BASIS = {
    "before": "basis/baseline",
    "after": "basis/candidate",
    "gain": "basis_gain_percent",
    "low": "basis_gain_bounds_percent/low",
    "high": "basis_gain_bounds_percent/high",
    "mismatch": "mismatch",
}
_HELD_TO = (
    "; this is about one pair of runs, {multiple:decimals} times the known noise of training ({noise:fine_percent}) "
    "beyond the margin, of {needed} times that a single seed needs"
)
_UNKNOWN = "; this is about one pair of runs, and of other seeds nothing is known"
_ON_BASIS = "Decided on the {basis} with a margin of {margin:value} %: "


def _write_coverage() -> dict[str, str]:
    """Both shares, each with its range where it is estimated."""
    patterns = {}
    for estimated in product((True, False), repeat=2):
        conditions, shares = [], []
        for side, name, is_estimated in zip("bc", ("baseline", "candidate"), estimated, strict=True):
            conditions.append(f"{side}_low {'<' if is_estimated else '=='} {side}_high")
            among = f" (estimated: {{{side}_low:percent}} to {{{side}_high:percent}})" if is_estimated else ""
            shares.append(f"{{{name}}} {{{side}:percent}}{among}")
        patterns[" and ".join(conditions)] = (
            f"Coverage, the share of validation tokens that the frozen loss scores: {', '.join(shares)}"
        )
    return patterns


CONCLUSION = (
    Sentence(
        "conclusion",
        {
            **{
                f"len(doubts) == 0 and pairs {symbol} 1": "{verdict_label}: {candidate} against {baseline}, {basis} "
                f"{{gain:fine_gain}} ({{interval:gain_span}}), {seeds}."
                for symbol, seeds in (("==", "one seed"), (">", "mean of {pairs:count} seeds"))
            },
            "len(doubts) == 0": "{verdict_label}: {candidate} against {baseline}, {basis} {gain:gain}; {reason}.",
            "len(doubts) > 0 and shared == 1": "{verdict_label}: {candidate} against {baseline}, {basis} {gain:gain}; "
            "{doubts:clauses}.",
            "len(doubts) > 0": "{verdict_label}: {candidate} against {baseline}; {doubts:clauses}.",
        },
        VERDICT,
    ),
)
HEADLINE = (
    Sentence(
        "final-loss",
        "Final validation loss ({candidate}): {c:loss} nats per character, frozen evaluate(), last step, "
        "seed {seed} (vs {baseline}: {b:loss})",
        both("final/loss_nats_per_char"),
        needs=("b_code", "c_code"),
    ),
    Sentence(
        "reported-loss",
        {
            "shared == 1": "Validation loss as reported ({candidate}): {c:loss} nats per character (vs {baseline}: "
            "{b:loss}), {value:gain}",
            "": "Validation loss as reported ({candidate}): {c:loss} nats per character (vs {baseline}: {b:loss})",
        },
        both("final/loss_nats_per_char"),
        GAIN,
        unless=("final-loss",),
    ),
    Sentence(
        "improvement",
        {
            "reported > 0 and c < b and pairs == 1": "Improvement: {reported:percent} in the frozen loss, "
            "{value:percent} in the full loss ({b:loss} → {c:loss})",
            "b > 0 and pairs == 1": "Change: frozen loss {reported:gain}, full loss {value:gain} ({b:loss} → {c:loss})",
        },
        both("final/full_loss_nats_per_char"),
        GAIN,
        needs=("b_code", "c_code"),
    ),
    Sentence(
        "compared-loss",
        {
            "low < high and shared == 1": "Compared on: {basis}: {before:loss} → {after:loss}, {gain:gain}; by the "
            "range of the estimate the gain is between {low:percent} and {high:percent}",
            "shared == 1": "Compared on: {basis}: {before:loss} → {after:loss}, {gain:gain}",
            "": "Compared on: {basis}: {before:loss} → {after:loss}",
        },
        _BASIS,
        unless=("improvement", "final-loss"),
    ),
    Sentence(
        "coverage",
        _write_coverage(),
        {
            **both("final/coverage_percent"),
            **{
                f"{side}_{bound}": f"{side}/final/coverage_{bound}_percent"
                for side in "bc"
                for bound in ("low", "high")
            },
        },
    ),
    Sentence(
        "verdict",
        {
            'word == "INCONCLUSIVE" and len(doubts) > 0': "Verdict: {verdict_label}",
            **{
                f'word == "{word}" and len(doubts) == 0 and pairs {symbol} 1 and {rule}': "Verdict: {verdict_label}"
                for symbol, rules in (
                    (">", VERDICT_RULES),
                    (">", NOTHING_DIFFERS),
                    ("==", SINGLE_SEED_RULES),
                    ("==", SINGLE_SEED_RULES_WITHOUT_NOISE),
                )
                for word, rule in rules.items()
            },
            'word == "INCONCLUSIVE"': "Verdict: {verdict_label}",
        },
        VERDICT,
    ),
    Sentence(
        "decision",
        {
            **{
                f"len(doubts) == 0 and {pairs} and differs == {flag}": f"Decided on the {what} with a margin of "
                f"{{margin:value}} %: {{interval:interval}}{single}{tail}"
                for pairs, what, single in (
                    ('pairs == 1 and word == "INCONCLUSIVE" and multiple >= 0', "{basis}", _HELD_TO),
                    ('pairs == 1 and word == "INCONCLUSIVE"', "{basis}", _UNKNOWN),
                    ("pairs == 1", "{basis}", ""),
                    ("pairs > 1", "mean gain in {basis}, {gain:fine_percent},", ""),
                )
                for flag, tail in ((0, ""), (1, COVERAGE_DIFFERS))
            },
            "len(doubts) == 0": _ON_BASIS + "{reason}",
            "len(doubts) > 0 and pairs > 1": _ON_BASIS + "{doubts:clauses}; {interval:interval}",
            "len(doubts) > 0": _ON_BASIS + "{doubts:clauses}",
        },
        VERDICT,
    ),
)
_OF_ONE_SEED = "frozen validation loss {value:gain} ({b:loss} → {c:loss}), full loss {full:gain}; {verdict_label}"
_OF_SEEDS = "{basis} {gain:gain}, mean of {pairs:count} seeds; {verdict_label}"
_AS_GAIN = "{basis} {gain:gain} ({before:loss} → {after:loss}); {verdict_label}"
_AS_LOSSES = "{basis} {before:loss} → {after:loss}; {verdict_label}"
LAST_LINE = (
    Sentence(
        "final-result",
        {
            "pairs == 1 and len(num_arms) <= 2": f"Final result: {_OF_ONE_SEED}",
            "pairs == 1 and len(num_arms) > 2": f"Final result of {{candidate}}: {_OF_ONE_SEED}",
            "pairs > 1 and len(num_arms) <= 2": f"Final result: {_OF_SEEDS}",
            "pairs > 1 and len(num_arms) > 2": f"Final result of {{candidate}}: {_OF_SEEDS}",
        },
        {**both("final/loss_nats_per_char"), "full": "full_gain_percent", "gain": "verdict/gain_percent"},
        GAIN,
        needs=("b_code", "c_code"),
    ),
    Sentence(
        "final-result",
        {
            'mismatch != "" and len(num_arms) <= 2 and shared == 1': f"Final result: {_AS_GAIN}; {{mismatch}}",
            'mismatch != "" and len(num_arms) <= 2': f"Final result: {_AS_LOSSES}; {{mismatch}}",
            'mismatch != "" and len(num_arms) > 2 and shared == 1': f"Final result of {{candidate}}: {_AS_GAIN}; "
            "{mismatch}",
            'mismatch != "" and len(num_arms) > 2': f"Final result of {{candidate}}: {_AS_LOSSES}; {{mismatch}}",
            "len(num_arms) <= 2 and shared == 1": f"Final result: {_AS_GAIN}",
            "len(num_arms) <= 2": f"Final result: {_AS_LOSSES}",
            "len(num_arms) > 2 and shared == 1": f"Final result of {{candidate}}: {_AS_GAIN}",
            "len(num_arms) > 2": f"Final result of {{candidate}}: {_AS_LOSSES}",
        },
        _BASIS,
    ),
)
