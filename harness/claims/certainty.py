"""The sentences on how sure a gain is: what seeds and titles say, and the view by title."""

from harness.claims.headline import NOTHING_DIFFERS, VERDICT, VERDICT_RULES
from harness.claims.sentence import Sentence

_SEEDS = {
    "n": "robustness/num_seed_pairs",
    "mean": "robustness/mean_gain_percent",
    "p": "robustness/sign_flip_p",
    "floor": "robustness/noise_floor_percent",
    "low": "robustness/noise_floor_low_percent",
    "high": "robustness/noise_floor_high_percent",
    "source": "robustness/noise_floor_source",
    "gain": "robustness/detectable_gain_percent",
    "needed": "robustness/needed_pairs",
    "confidence": "robustness/confidence_percent",
    "power": "robustness/power_percent",
}
_FOR_POWER = "({confidence:whole_percent}, power {power:whole_percent})"

CERTAIN = (
    Sentence(
        "runs-word",
        {
            f'pairs == 1 and runs_word == "{word}" and {rule}': "Of this pair of runs alone, for other titles of the "
            "same kind: {runs_word}"
            for rules in (VERDICT_RULES, NOTHING_DIFFERS)
            for word, rule in rules.items()
        },
        VERDICT,
    ),
    Sentence(
        "evaluation-sampling",
        "Evaluation sampling, seed {seed}: {interval:interval}",
        {"interval": "evaluation_sampling/interval_95"},
    ),
    Sentence(
        "training-noise",
        {
            "n > 1": "Training noise: mean gain {mean:fine_percent}, {interval:interval}",
            "n == 1": "Training noise: not measured with one seed pair",
        },
        {**_SEEDS, "interval": "robustness/interval_95"},
    ),
    Sentence(
        "median-interval",
        "Median gain, whatever the shape of the noise: {interval:interval}",
        {"interval": "robustness/median_interval"},
    ),
    Sentence("sign-flip", "Sign-flip test over {n} seed pairs: p = {p:value}", _SEEDS),
    Sentence(
        "noise-floor",
        {
            "low <= floor and floor <= high": "Noise floor: {floor:fine_percent}, by its own interval "
            "{low:fine_percent} to {high:fine_percent} ({source})",
            "floor >= 0": "Noise floor: {floor:fine_percent} ({source})",
            "n > 1": "Noise floor: {source}",
        },
        _SEEDS,
    ),
    Sentence(
        "detectable-gain",
        f"Smallest gain that {{n}} seed pairs can tell from the margin of {{margin:value}} % {_FOR_POWER}: "
        "{gain:fine_percent}",
        {**_SEEDS, "margin": "/margin_percent"},
    ),
    Sentence(
        "needed-pairs",
        f"Seed pairs that a gain of {{mean:fine_percent}} needs {_FOR_POWER}: {{needed:count}}",
        _SEEDS,
    ),
    Sentence(
        "further-seeds",
        {
            "n < needed": "The seed pairs that are missing to that, by the noise of {source}, cost about "
            "{value:duration} of training",
        },
        {
            **_SEEDS,
            "source": "robustness/needed_pairs_source",
            "b_s": "b/cost/train_elapsed_s",
            "c_s": "c/cost/train_elapsed_s",
        },
        "(needed - n) * (b_s + c_s)",
    ),
)
BY_TITLE = (
    Sentence(
        "titles-lower",
        "{candidate} has the lower loss on {lower:count} of {n:count} validation titles, {value:percent} (full loss, "
        "last step, seed {seed}).",
        {"lower": "titles/num_lower", "n": "titles/num_titles"},
        "100 * lower / n",
    ),
    Sentence(
        "slice-intervals",
        "Intervals: {method} of the slice; they cover {covers}, not the noise of training, and are not adjusted for "
        "their number.",
        {"method": "titles/slices/0/interval_95/method", "covers": "titles/slices/0/interval_95/covers"},
    ),
)
