"""The sentences around the findings on a pair: headline, verdict, coverage; how sure; by title; the last line."""

from itertools import product

from harness.claims.engine import GAIN
from harness.claims.sentence import Sentence

VERDICT_RULES = {
    "IMPROVED": "low > margin",
    "REGRESSED": "high < 0 - margin",
    "EQUIVALENT": "0 - margin < narrow_low and narrow_high < margin",
    "INCONCLUSIVE": "low <= margin and high >= 0 - margin and max(0 - narrow_low, narrow_high) >= margin",
}
"""What must hold of the 95 % and the (narrow) 90 % interval for a verdict's word to be the right one."""
SEEDED = (("==", ""), (">", ", seed {seed}"))
"""How the number of seed pairs compares with 1 → what a sentence on one seed adds."""
CERTAINTY = "robustness/"
_BOUNDS = {
    f"{prefix}{bound}": f"verdict/interval_{level}/{bound}_percent"
    for prefix, level in (("", 95), ("narrow_", 90))
    for bound in ("low", "high")
}
_VERDICT = {
    "word": "verdict/word",
    "margin": "verdict/margin_percent",
    "interval": "verdict/interval_95",
    "gain": "verdict/gain_percent",
    "pairs": "verdict/num_seed_pairs",
    "reason": "verdict/reason",
    "doubts": "doubts",
    "differs": "coverage_differs",
    **_BOUNDS,
}
_DIFFERS = "; the arms' coverage differs, so their frozen losses are not on equal terms"
_ON_BASIS = "Decided on the {basis} with a margin of {margin:percent}: "


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
                f"{{gain:gain}} ({{interval:span}}), {seeds}."
                for symbol, seeds in (("==", "one seed"), (">", "mean of {pairs:count} seeds"))
            },
            "len(doubts) == 0": "{verdict_label}: {candidate} against {baseline}, {basis} {gain:gain}; {reason}.",
            "len(doubts) > 0": "{verdict_label}: {candidate} against {baseline}, {basis} {gain:gain}; "
            "{doubts:clauses}.",
        },
        _VERDICT,
        section="conclusion",
    ),
)
HEADLINE = tuple(
    Sentence(section="headline", **fields)  # type: ignore[arg-type]  # the fields of a Sentence by name
    for fields in (
        {
            "id": "final-loss",
            "text": "Final validation loss ({candidate}): {c:loss} nats per character, frozen evaluate(), last step, "
            "seed {seed} (vs {baseline}: {b:loss})",
            "inputs": {"b": "b/final/loss_nats_per_char", "c": "c/final/loss_nats_per_char"},
            "needs": ("b_code", "c_code"),
        },
        {
            "id": "reported-loss",
            "text": "Validation loss as reported ({candidate}): {c:loss} nats per character (vs {baseline}: {b:loss}), "
            "{value:gain}",
            "inputs": {"b": "b/final/loss_nats_per_char", "c": "c/final/loss_nats_per_char"},
            "formula": GAIN,
            "unless": ("final-loss",),
        },
        {
            "id": "improvement",
            "text": {
                f"{condition} and pairs {symbol} 1": f"{sentence} ({{b:loss}} → {{c:loss}}){tail}"
                for condition, sentence in (
                    (
                        "reported > 0 and c < b",
                        "Improvement: {reported:percent} in the frozen loss, {value:percent} in the full loss",
                    ),
                    ("b > 0", "Change: frozen loss {reported:gain}, full loss {value:gain}"),
                )
                for symbol, tail in SEEDED
            },
            "inputs": {
                "b": "b/final/full_loss_nats_per_char",
                "c": "c/final/full_loss_nats_per_char",
                "reported": "reported_gain_percent",
                "pairs": "verdict/num_seed_pairs",
            },
            "formula": GAIN,
            "needs": ("b_code", "c_code"),
        },
        {
            "id": "compared-loss",
            "text": {
                "low < high": "Compared on: {basis}: {before:loss} → {after:loss}, {gain:gain}; by the range of the "
                "estimate the gain is between {low:percent} and {high:percent}",
                "": "Compared on: {basis}: {before:loss} → {after:loss}, {gain:gain}",
            },
            "inputs": {
                "before": "basis/baseline",
                "after": "basis/candidate",
                "gain": "basis_gain_percent",
                "low": "basis_gain_bounds_percent/low",
                "high": "basis_gain_bounds_percent/high",
            },
            "unless": ("improvement",),
        },
        {
            "id": "coverage",
            "text": _write_coverage(),
            "inputs": {
                "b": "b/final/coverage_percent",
                "c": "c/final/coverage_percent",
                **{
                    f"{side}_{bound}": f"{side}/final/coverage_{bound}_percent"
                    for side in "bc"
                    for bound in ("low", "high")
                },
            },
        },
        {
            "id": "verdict",
            "text": {
                'word == "INCONCLUSIVE" and len(doubts) > 0': "Verdict: {verdict_label}",
                **{
                    f'word == "{word}" and len(doubts) == 0 and {rule}': "Verdict: {verdict_label}"
                    for word, rule in VERDICT_RULES.items()
                },
                'word == "INCONCLUSIVE"': "Verdict: {verdict_label}",
            },
            "inputs": _VERDICT,
        },
        {
            "id": "decision",
            "text": {
                **{
                    f"len(doubts) == 0 and pairs {symbol} 1 and differs == {flag}": f"Decided on the {what} with a "
                    f"margin of {{margin:percent}}: {{interval:interval}}{tail}"
                    for symbol, what in (("==", "{basis}"), (">", "mean gain in {basis}, {gain:fine_percent},"))
                    for flag, tail in ((0, ""), (1, _DIFFERS))
                },
                "len(doubts) == 0": _ON_BASIS + "{reason}",
                "len(doubts) > 0 and pairs > 1": _ON_BASIS + "{doubts:clauses}; {interval:interval}",
                "len(doubts) > 0": _ON_BASIS + "{doubts:clauses}",
            },
            "inputs": _VERDICT,
        },
    )
)
CERTAIN = (
    Sentence(
        "evaluation-sampling",
        "Evaluation sampling, seed {seed}: {interval:interval}",
        {"interval": "evaluation_sampling/interval_95"},
        section="certainty",
    ),
    Sentence(
        "training-noise",
        {
            "n > 1": "Training noise: mean gain {mean:fine_percent}, {interval:interval}",
            "n == 1": "Training noise: not measured with one seed pair",
        },
        {name: CERTAINTY + path for name, path in
         (("n", "num_seed_pairs"), ("mean", "mean_gain_percent"), ("interval", "interval_95"))},
        section="certainty",
    ),
    Sentence(
        "sign-flip",
        "Sign-flip test over {n} seed pairs: p = {p:value}",
        {"n": CERTAINTY + "num_seed_pairs", "p": CERTAINTY + "sign_flip_p"},
        section="certainty",
    ),
    Sentence(
        "noise-floor",
        {"floor >= 0": "Noise floor: {floor:fine_percent} ({source})", "": "Noise floor: {source}"},
        {"floor": CERTAINTY + "noise_floor_percent", "source": CERTAINTY + "noise_floor_source"},
        section="certainty",
    ),
    Sentence(
        "detectable-gain",
        "Smallest gain that {n} seed pairs can detect ({confidence:whole_percent}, power {power:whole_percent}): "
        "{gain:fine_percent}",
        {
            "n": CERTAINTY + "num_seed_pairs",
            "confidence": CERTAINTY + "confidence_percent",
            "power": CERTAINTY + "power_percent",
            "gain": CERTAINTY + "detectable_gain_percent",
        },
        section="certainty",
    ),
    Sentence(
        "needed-pairs",
        "Seed pairs that a gain of {mean:fine_percent} needs ({confidence:whole_percent}, power "
        "{power:whole_percent}): {needed:count}",
        {
            "mean": CERTAINTY + "mean_gain_percent",
            "confidence": CERTAINTY + "confidence_percent",
            "power": CERTAINTY + "power_percent",
            "needed": CERTAINTY + "needed_pairs",
        },
        section="certainty",
    ),
)  # fmt: skip
BY_TITLE = (
    Sentence(
        "titles-lower",
        "{candidate} has the lower loss on {lower:count} of {n:count} validation titles, {value:percent} (full loss, "
        "last step, seed {seed}).",
        {"lower": "titles/num_lower", "n": "titles/num_titles"},
        "100 * lower / n",
        section="titles",
    ),
    Sentence(
        "slice-intervals",
        "Intervals: {method} of the slice; they cover {covers}, not the noise of training, and are not adjusted for "
        "their number.",
        {"method": "titles/slices/0/interval_95/method", "covers": "titles/slices/0/interval_95/covers"},
        section="titles",
    ),
)
LAST_LINE = (
    Sentence(
        "final-result",
        {
            f"pairs {symbol} 1 and len(num_arms) {many} 2": f"Final result{of}: frozen validation loss {{value:gain}} "
            f"({{b:loss}} → {{c:loss}}), full loss {{full:gain}}{tail}; {{verdict_label}}"
            for symbol, tail in (("==", ""), (">", ", both of seed {seed}"))
            for many, of in (("<=", ""), (">", " of {candidate}"))
        },
        {
            "b": "b/final/loss_nats_per_char",
            "c": "c/final/loss_nats_per_char",
            "full": "full_gain_percent",
            "pairs": "verdict/num_seed_pairs",
        },
        GAIN,
        needs=("b_code", "c_code"),
        section="final",
    ),
    Sentence(
        "final-result",
        {
            f"{other}len(num_arms) {many} 2": f"Final result{of}: {{basis}} {{gain:gain}} ({{before:loss}} → "
            f"{{after:loss}}); {{verdict_label}}{mismatch}"
            for other, mismatch in (('mismatch != "" and ', "; {mismatch}"), ("", ""))
            for many, of in (("<=", ""), (">", " of {candidate}"))
        },
        {
            "before": "basis/baseline",
            "after": "basis/candidate",
            "gain": "basis_gain_percent",
            "mismatch": "mismatch",
        },
        unless=("final-result",),
        section="final",
    ),
)
