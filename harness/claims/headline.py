"""The sentences around the findings: the headline and its verdict, how sure it is, the view by title, the last line."""

from collections.abc import Iterator

from harness.claims.engine import GAIN, Claim, PairView

VERDICT_RULES = {
    "IMPROVED": "low > margin",
    "REGRESSED": "high < 0 - margin",
    "EQUIVALENT": "0 - margin < narrow_low and narrow_high < margin",
    "INCONCLUSIVE": "low <= margin and high >= 0 - margin and max(0 - narrow_low, narrow_high) >= margin",
}
"""What must hold of the 95 % and the (narrow) 90 % interval for a verdict's word to be the right one."""
SINGLE_SEED_RULES = {
    "IMPROVED": "low - margin >= needed * noise",
    "REGRESSED": "0 - margin - high >= needed * noise",
    "EQUIVALENT": "low == 0 and high == 0",
    "INCONCLUSIVE": "max(low - margin, 0 - margin - high) < needed * noise",
}
"""The same with one seed, whose interval covers titles only, where noise of training is known."""
SINGLE_SEED_RULES_WITHOUT_NOISE = {"EQUIVALENT": "low == 0 and high == 0", "INCONCLUSIVE": "max(high, 0 - low) > 0"}


def point_at_intervals(view: PairView) -> dict[str, str]:
    """Pointers to the bounds of the verdict's 95 % and (narrow) 90 % interval, by their names in `VERDICT_RULES`."""
    return {
        f"{prefix}{bound}": view.here(f"verdict/interval_{level}/{bound}_percent")
        for prefix, level in (("", 95), ("narrow_", 90))
        for bound in ("low", "high")
    }


def claim_headline(view: PairView) -> Iterator[Claim]:
    """The two losses and what they gained."""
    yield from view.prove(
        "final-loss",
        "Final validation loss ({candidate}): {c:loss} nats per character, frozen evaluate(), last step, seed {seed} "
        "(vs {baseline}: {b:loss})",
        b=view.arm("baseline", "final/loss_nats_per_char"),
        c=view.arm("candidate", "final/loss_nats_per_char"),
    )
    yield from view.prove(
        "improvement",
        {
            f"{condition} and pairs {symbol} 1": f"{sentence} ({{b:loss}} → {{c:loss}}){tail}"
            for condition, sentence in (
                (
                    "reported > 0 and c < b",
                    "Improvement: {reported:percent} in the frozen loss, {value:percent} in the full loss",
                ),
                ("b > 0", "Change: frozen loss {reported:gain}, full loss {value:gain}"),
            )
            for symbol, tail in (("==", ""), (">", ", seed {seed}"))
        },
        GAIN,
        b=view.arm("baseline", "final/full_loss_nats_per_char"),
        c=view.arm("candidate", "final/full_loss_nats_per_char"),
        reported=view.here("reported_gain_percent"),
        pairs=view.here("verdict/num_seed_pairs"),
    )


def claim_verdict(view: PairView) -> Iterator[Claim]:
    """The verdict's word, by its rule, and what it was decided on."""
    verdict = view.pair["verdict"]
    inputs = {name: view.here(f"verdict/{name}") for name in ("word", "label")}
    margin, reason = view.here("verdict/margin_percent"), view.here("verdict/reason")
    if verdict["interval_95"] is None:
        yield from view.prove("verdict", {'word == "INCONCLUSIVE"': "Verdict: {label}"}, **inputs)
        yield from view.prove("decision", "Decided on the full loss: {reason}", reason=reason)
        return
    rules = VERDICT_RULES
    if verdict["num_seed_pairs"] == 1:
        rules = SINGLE_SEED_RULES if verdict["known_noise"] else SINGLE_SEED_RULES_WITHOUT_NOISE
        if verdict["known_noise"]:
            inputs["noise"] = view.here("verdict/known_noise/high_percent")
            inputs["needed"] = view.here("verdict/known_noise/needed_multiple")
    yield from view.prove(
        "verdict",
        {f'word == "{word}" and {rule}': "Verdict: {label}" for word, rule in rules.items()},
        margin=margin,
        **inputs,
        **point_at_intervals(view),
    )
    differs = "; the arms' coverage differs, so their frozen losses are not on equal terms"
    single, held_to = "", {}
    if verdict["num_seed_pairs"] == 1 and verdict["word"] == "INCONCLUSIVE":
        single = "; this is about one pair of runs, and of other seeds nothing is known"
        if verdict["known_noise"]:
            single = (
                "; this is about one pair of runs, {multiple:decimals} times the known noise of training "
                "({noise:fine_percent}) beyond the margin, of {needed} times that a single seed needs"
            )
            held_to = {"multiple": view.here("verdict/noise_multiple"), "noise": inputs["noise"]}
            held_to["needed"] = inputs["needed"]
    yield from view.prove(
        "decision",
        {
            f"pairs {symbol} 1 and differs == {flag}": f"Decided on the {what} with a margin of {{margin:percent}}: "
            f"{{interval:interval}}{single}{tail}"
            for symbol, what in (("==", "full loss"), (">", "mean gain in full loss, {gain:fine_percent},"))
            for flag, tail in ((0, ""), (1, differs))
        },
        margin=margin,
        interval=view.here("verdict/interval_95"),
        gain=view.here("verdict/gain_percent"),
        pairs=view.here("verdict/num_seed_pairs"),
        differs=view.here("coverage_differs"),
        **held_to,
    )


def claim_coverage(view: PairView) -> Iterator[Claim]:
    """The share of the validation tokens that each frozen loss is made of."""
    yield from view.prove(
        "coverage",
        "Coverage, the share of validation tokens that the frozen loss scores: {baseline} {b:percent}, {candidate} "
        "{c:percent}",
        b=view.arm("baseline", "final/coverage_percent"),
        c=view.arm("candidate", "final/coverage_percent"),
    )


def claim_certainty(view: PairView) -> Iterator[Claim]:
    """What titles and seeds say about the gain, each layer by itself; nothing where it was not measured."""
    robustness = view.pair["robustness"]
    known = {name: view.here(f"robustness/{name}") for name, value in robustness.items() if value is not None}
    count = {"n": known["num_seed_pairs"]}
    yield from view.prove(
        "evaluation-sampling",
        "Evaluation sampling, seed {seed}: {interval:interval}",
        interval=view.here("evaluation_sampling/interval_95"),
    )
    if "interval_95" in known:
        yield from view.prove(
            "training-noise",
            "Training noise: mean gain {mean:fine_percent}, {interval:interval}",
            mean=known["mean_gain_percent"],
            interval=known["interval_95"],
        )
    else:
        yield from view.prove("training-noise", {"n == 1": "Training noise: not measured with one seed pair"}, **count)
    if "sign_flip_p" in known:
        yield from view.prove(
            "sign-flip", "Sign-flip test over {n} seed pairs: p = {p:value}", p=known["sign_flip_p"], **count
        )
    if "noise_floor_percent" not in known:
        yield from view.prove("noise-floor", "Noise floor: {source}", source=known["noise_floor_source"])
        return
    yield from view.prove(
        "noise-floor",
        "Noise floor: {floor:fine_percent} ({source})",
        floor=known["noise_floor_percent"],
        source=known["noise_floor_source"],
    )
    test = "({confidence:whole_percent}, power {power:whole_percent})"
    levels = {"confidence": known["confidence_percent"], "power": known["power_percent"]}
    if "detectable_gain_percent" in known:
        yield from view.prove(
            "detectable-gain",
            f"Smallest gain that {{n}} seed pairs can detect {test}: {{gain:fine_percent}}",
            gain=known["detectable_gain_percent"],
            **levels,
            **count,
        )
    if "needed_pairs" in known:
        yield from view.prove(
            "needed-pairs",
            f"Seed pairs that a gain of {{mean:fine_percent}} needs {test}: {{needed:count}}",
            mean=known["mean_gain_percent"],
            needed=known["needed_pairs"],
            **levels,
        )


def claim_titles(view: PairView) -> Iterator[Claim]:
    """On how many titles the candidate is lower, and what the intervals of the slices are."""
    yield from view.prove(
        "titles-lower",
        "{candidate} has the lower loss on {lower:count} of {n:count} validation titles, {value:percent} (full loss, "
        "last step, seed {seed}).",
        "100 * lower / n",
        lower=view.here("titles/num_lower"),
        n=view.here("titles/num_titles"),
    )
    if view.pair["titles"]["slices"]:
        yield from view.prove(
            "slice-intervals",
            "Intervals: {method} of the slice; they cover {covers}, not the noise of training, and are not adjusted "
            "for their number.",
            method=view.here("titles/slices/0/interval_95/method"),
            covers=view.here("titles/slices/0/interval_95/covers"),
        )


def claim_final_result(view: PairView) -> Iterator[Claim]:
    """The last line of the summary."""
    yield from view.prove(
        "final-result",
        {
            f"pairs {symbol} 1": f"Final result{name_candidate(view)}: frozen validation loss {{value:gain}} "
            f"({{b:loss}} → {{c:loss}}), full loss {{full:gain}}{tail}; {{label}}"
            for symbol, tail in (("==", ""), (">", ", both of seed {seed}"))
        },
        GAIN,
        b=view.arm("baseline", "final/loss_nats_per_char"),
        c=view.arm("candidate", "final/loss_nats_per_char"),
        full=view.here("full_gain_percent"),
        label=view.here("verdict/label"),
        pairs=view.here("verdict/num_seed_pairs"),
    )


def name_candidate(view: PairView) -> str:
    """What a sentence of its own line adds where there are more pairs than one."""
    return " of {candidate}" if len(view.document["arms"]) > 2 else ""
