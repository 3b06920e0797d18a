"""The sentences on how sure a gain is: what seeds and titles say, and the view by title."""

from harness.claims.sentence import Sentence

CERTAINTY = "robustness/"
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
        "median-interval",
        "Median gain, whatever the shape of the noise: {interval:interval}",
        {"interval": CERTAINTY + "median_interval"},
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
        {
            "low <= floor and floor <= high": "Noise floor: {floor:fine_percent}, by its own interval "
            "{low:fine_percent} to {high:fine_percent} ({source})",
            "floor >= 0": "Noise floor: {floor:fine_percent} ({source})",
            "n > 1": "Noise floor: {source}",
        },
        {name: CERTAINTY + path for name, path in
         (("n", "num_seed_pairs"), ("floor", "noise_floor_percent"), ("low", "noise_floor_low_percent"),
          ("high", "noise_floor_high_percent"), ("source", "noise_floor_source"))},
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
    Sentence(
        "further-seeds",
        {
            "n < needed": "The seed pairs that are missing to that, by the noise of {source}, cost about "
            "{value:duration} of training",
        },
        {
            "n": CERTAINTY + "num_seed_pairs",
            "needed": CERTAINTY + "needed_pairs",
            "source": CERTAINTY + "needed_pairs_source",
            "b_s": "b/cost/train_elapsed_s",
            "c_s": "c/cost/train_elapsed_s",
        },
        "(needed - n) * (b_s + c_s)",
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
