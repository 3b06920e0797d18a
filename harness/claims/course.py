"""The findings on how two trainings went: when a loss was reached, how steadily, and what it cost."""

from harness.claims.sentence import Sentence, both

SHOWN_RISE, SHOWN_RATIO = 0.00005, 0.005
"""A smaller rise is shown as nought, and a ratio nearer to one as one: neither says anything."""
_FOUND = {
    "final": "baseline_last_loss_nats_per_char",
    "found": "reached/loss_nats_per_char",
    "share": "reached/share_done",
    "step": "reached/step",
    "tokens": "reached/tokens_seen",
    "elapsed": "reached/elapsed_s",
    "lowest": "lowest_candidate_loss_nats_per_char",
}


def _write_speed(word: str, cost: str, also: str = "", needs: tuple[str, ...] = ()) -> tuple[Sentence, Sentence]:
    """Where the candidate is first at or below the baseline's `word` loss, and that it never is."""
    found = {
        f"{also}found <= final": f"{{candidate}} is first measured at or below the {word} loss of {{baseline}}, "
        f"{{final:loss}} ({{metric}}), at step {{step:count}}: after {{value:percent}} {cost}."
    }
    missing = {
        f"{also}lowest > final": f"{{candidate}} is at no evaluation at or below the {word} loss of {{baseline}}, "
        "{final:loss} ({metric}); its lowest is {value:loss}."
    }
    return (
        Sentence("reaches-baseline", found, _FOUND, "100 * share", needs=needs),
        Sentence("never-reaches-baseline", missing, _FOUND, "lowest", needs=needs),
    )


SPEED = (
    *_write_speed(
        "final",
        "of its training, {tokens:count} tokens, {elapsed:duration} of training time",
        also="b_last == 1 and ",
        needs=("b_code",),
    ),
    *_write_speed("last", "of its steps"),
)
CONSISTENCY = (
    Sentence(
        "evaluations-lower",
        {
            f"len(gains) > 0 and same == {same}": "{candidate} is lower at {lower:count} of the {value:count} "
            f"evaluations after the first{which} ({{metric}})."
            for same, which in ((1, ""), (0, " that stand beside one of {baseline}"))
        },
        {"same": "same_steps", "lower": "num_evaluations_lower", "gains": "gains_after_first_percent"},
        "len(gains)",
    ),
    *(
        Sentence(
            f"{extreme.lower()}-gain",
            {"len(gains) > 0": f"{extreme} gain at an evaluation after the first: {{value:percent}} ({{metric}})."},
            {"gains": "gains_after_first_percent"},
            formula,
        )
        for extreme, formula in (("Smallest", "min(gains)"), ("Largest", "max(gains)"))
    ),
)


def _find_inputs(side: str) -> dict[str, str]:
    """What the sentences on the steadiness of one side name."""
    letter = side[0]
    return {
        "label": f"{side}_label",
        "code": f"{letter}/evaluate_sha256",
        "rise": f"{letter}/stability/largest_rise_nats_per_char",
        "count": f"{letter}/stability/num_non_finite",
        "spikes": f"{letter}/stability/num_gradient_spikes",
        "steps": f"{letter}/stability/num_steps",
        "factor": f"{letter}/stability/gradient_spike_factor",
        "last": f"{letter}/final/loss_nats_per_char",
        "last_per_token": f"{letter}/final/loss_nats_per_token",
        "lowest": f"{letter}/min_frozen/loss_nats_per_char",
        "step": f"{letter}/min_frozen/step",
    }


def _write_stability(side: str) -> tuple[Sentence, ...]:
    inputs = _find_inputs(side)
    steady, rise = f"steady-{side}", f"largest-rise-{side}"

    def write_rise(which: str) -> dict[str, str]:
        return {
            "rise == 0": f"{{label}}: the {which} loss never rose between two evaluations.",
            f"rise >= {SHOWN_RISE}": f"{{label}}: the largest rise of the {which} loss between two evaluations is "
            "{value:loss}.",
        }

    return (
        Sentence(
            steady,
            {
                "rise == 0 and count == 0 and spikes == 0 and last == lowest": "{label}: steady. All losses and "
                "gradient norms of {steps:count} steps are finite, no norm is above {factor} times the median, the "
                "frozen loss never rose, and the last evaluation is the best one."
            },
            inputs,
            needs=("code",),
        ),
        Sentence(rise, write_rise("frozen"), inputs, "rise", needs=("code",), unless=(steady,)),
        Sentence(rise, write_rise("reported"), inputs, "rise", unless=(steady,)),
        Sentence(
            f"non-finite-{side}",
            {
                "count == 0": "{label}: the training losses and gradient norms of all {steps:count} steps are finite.",
                "count > 0": "{label}: {value:count} training losses and gradient norms of {steps:count} steps are not "
                "finite.",
            },
            inputs,
            "count",
            unless=(steady,),
        ),
        Sentence(
            f"gradient-spikes-{side}",
            "{label}: {value:count} of {steps:count} gradient norms are above {factor} times the median.",
            inputs,
            "spikes",
            unless=(steady,),
        ),
    )


def _write_last(side: str) -> tuple[Sentence, ...]:
    """How far the last loss lies above the lowest one, per character and else per token."""
    return tuple(
        Sentence(
            f"last-against-best-{side}",
            {
                f"{last} == lowest": "{label}: the last evaluation is the best one.",
                f"{last} > lowest": "{label}: the last reported loss lies {value:loss} above the lowest one, "
                "{lowest:loss} at step {step:count}; the last one is judged.",
            },
            _find_inputs(side),
            f"{last} - lowest",
            unless=(f"steady-{side}", "last-against-best"),
        )
        for last in ("last", "last_per_token")
    )


STEADINESS = (
    *_write_stability("baseline"),
    *_write_stability("candidate"),
    Sentence(
        "last-against-best",
        {
            "last == lowest": "{candidate}: the last evaluation is the best one.",
            f"last - lowest < {SHOWN_RISE}": "{candidate}: the last frozen loss is the lowest one to the digits shown.",
            "last > lowest": "{candidate}: the last frozen loss lies {value:loss} above the lowest one, {lowest:loss} "
            "at step {step:count}; the last one is reported.",
        },
        _find_inputs("candidate"),
        "last - lowest",
        needs=("b_code", "c_code"),
        unless=("steady-candidate",),
    ),
    *_write_last("baseline"),
    *_write_last("candidate"),
)
_IS_SHOWN = f"max(c / b, 2 - c / b) - 1 >= {SHOWN_RATIO}"
COST = (
    *(
        Sentence(
            claim_id,
            {f"{_IS_SHOWN}{also}": f"{{candidate}} {took} {{value:ratio}} the {what} of {{baseline}}."},
            {**both(f"cost/{field}"), "doubts": "time_doubts"},
            "c / b",
        )
        for claim_id, field, took, what, also in (
            ("time-ratio", "train_elapsed_s", "took", "training time", " and len(doubts) == 0"),
            ("flops-ratio", "training_flops", "takes", "floating-point operations (counted from the sizes)", ""),
            ("memory-ratio", "peak_memory_bytes", "took", "peak memory", ""),
        )
    ),
    Sentence(
        "parameters-ratio",
        {_IS_SHOWN: "{candidate} has {value:ratio} the parameters of {baseline}."},
        both("cost/num_parameters"),
        "c / b",
    ),
)
