"""What a reader must know before believing a pair: where its arms are not on equal terms."""

from harness.analyse.pairs import COVERAGE_TOLERANCE_POINTS
from harness.claims.sentence import Sentence

COST_WARNING_RATIO = 1.1
"""An arm that costs more than so many times the baseline's is warned of."""
_IS_HIGH = f"ratio > {COST_WARNING_RATIO}"
_EFFECT = "their times do not compare, and a part of their difference in loss may be rounding."

OF_PAIRS = (
    Sentence(
        "changed-code",
        {
            "len(files) > 0": "{candidate} has other code than {baseline}: {value:count} files of the training program "
            "differ, and changes.patch holds the difference."
        },
        {"files": "code_changes"},
        "len(files)",
    ),
    Sentence(
        "changed-code",
        {"other == 1": "{candidate} has other code than {baseline}: files of the training program differ."},
        {"other": "has_other_code"},
    ),
    Sentence(
        "equal-arms",
        {
            "len(changes) == 0 and b_seed == seed": "{baseline} and {candidate} have the same configuration and the "
            "same seeds: their difference measures reproducibility only and is no noise floor.",
        },
        {"changes": "changes"},
        needs=("b_code", "c_code"),
        unless=("changed-code",),
    ),
    Sentence(
        "unequal-coverage",
        {
            f"max(gap_low, 0 - gap_high) > {COVERAGE_TOLERANCE_POINTS}": "{baseline} and {candidate} "
            "score different shares of the validation tokens; their frozen losses are not on equal terms. Curves and "
            "times use frozen loss / coverage.",
        },
    ),
    Sentence(
        "unequal-steps",
        {
            "same == 0": "{baseline} and {candidate} are evaluated at different steps; the step table sets those "
            "beside each other that are at nearly the same share of the training, and leaves the others out.",
        },
        {"same": "same_steps"},
    ),
    Sentence(
        "per-token",
        {
            'field == "loss_nats_per_token"': "{baseline} and {candidate}: losses per token compare only between equal "
            "tokenizers, which is not shown here."
        },
    ),
    Sentence(
        "unequal-vocabulary",
        {
            "before != after": "{baseline} and {candidate} have different vocabularies ({before:count} and "
            "{after:count} tokens): training loss and perplexity, which are per token, do not compare between them."
        },
        {"before": "b/facts/vocab_size", "after": "c/facts/vocab_size"},
    ),
    Sentence(
        "unequal-machines",
        {
            "name != other_name": f"{{baseline}} was trained on {{name}}, {{candidate}} on {{other_name}}: {_EFFECT}",
            'device == "cpu" and instructions != other_instructions': "{baseline} was trained on a processor with "
            f"{{instructions}}, {{candidate}} on one with {{other_instructions}}: {_EFFECT}",
        },
        {
            "device": "b/machine/device",
            "name": "b/machine/device_name",
            "instructions": "b/machine/cpu_capability",
            "other_name": "c/machine/device_name",
            "other_instructions": "c/machine/cpu_capability",
        },
    ),
    *(
        Sentence(
            f"{key.replace('_', '-')}-warning",
            {f"{_IS_HIGH}{also}": f"{{candidate}} {took} {{ratio:ratio}} the {what} of {{baseline}}."},
            {"ratio": key, "doubts": "time_doubts"},
        )
        for took, what, key, also in (
            ("took", "training time", "time_ratio", " and len(doubts) == 0"),
            ("takes", "floating-point operations", "flops_ratio", ""),
            ("has", "number of parameters", "parameters_ratio", ""),
            ("took", "peak memory", "memory_ratio", ""),
        )
    ),
)
