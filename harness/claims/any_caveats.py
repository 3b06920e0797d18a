"""What a reader must know before believing a comparison with logs of other programs; each a claim with its proof."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from harness.analyse.pairs import COVERAGE_TOLERANCE_POINTS
from harness.claims.caveats import (
    warn_of_many_intervals,
    warn_of_settings,
    warn_of_steps,
)
from harness.claims.engine import Claim, PairView, prove
from harness.claims.first_losses import point_at, warn_of_fit, warn_of_start, warn_of_task_text
from harness.claims.left_out import warn_of_left_out_seeds
from harness.claims.run_caveats import warn_of_clocks, warn_of_taken_over_runs

Document = dict[str, Any]
MAX_STEPS_NAMED = 6


def build_foreign_caveats(document: Document) -> list[dict[str, Any]]:
    """All caveats that apply, the gravest first."""
    views = [PairView(document, index) for index in range(len(document["pairs"]))]
    arms = range(len(document["arms"]))
    return [
        asdict(claim)
        for claims in (
            *(warn(view) for warn in (warn_of_mismatch,) for view in views),
            *(warn(document) for warn in (warn_of_unusable_runs, warn_of_unusable_arms)),
            *(warn(document, place) for warn in (warn_of_fit, warn_of_task_text, warn_of_start) for place in arms),
            *(warn(view) for warn in (warn_of_unequal_coverage,) for view in views),
            *(warn(document, place) for warn in (warn_of_coverage_range,) for place in arms),
            warn_of_logs(document),
            *(warn_of_official_size(document, place) for place in arms),
            *(warn(document) for warn in DOCUMENT_CAVEATS),
            *(warn(view) for warn in (warn_of_steps, warn_of_unit) for view in views),
            *(warn(document, place) for warn in (warn_of_clock, warn_of_evaluations, repeat_notes) for place in arms),
        )
        for claim in claims
    ]


def warn_of_mismatch(view: PairView) -> Iterator[Claim]:
    """Arms that did not train on one and the same stream."""
    if view.pair["mismatch"]:
        yield from view.prove(
            "mismatch",
            {
                "b != c and b_vocab == c_vocab": "{baseline} and {candidate}: {mismatch}: {b:count} training tokens "
                "against {c:count}, with {b_vocab:count} tokens of vocabulary.",
                "b_titles != c_titles": "{baseline} and {candidate}: {mismatch}: {b_titles:count} titles against "
                "{c_titles:count}.",
            },
            mismatch=view.here("mismatch"),
            **{
                side[0] + suffix: view.arm(side, f"facts/{field}")
                for side in ("baseline", "candidate")
                for suffix, field in (("", "num_train_tokens"), ("_vocab", "vocab_size"), ("_titles", "num_titles"))
            },
        )


def warn_of_unusable_runs(document: Document) -> Iterator[Claim]:
    """Runs that failed, were stopped or never started."""
    for place, run in enumerate(document["runs"]):
        inputs = {
            name: f"/runs/{place}/{name}" for name in ("label", "seed", "status", "reason") if run[name] is not None
        }
        sentence = f"{{label}} with seed {{seed}} is not compared: {{status}}{' ({reason})' if run['reason'] else ''}."
        condition = 'status != "complete" and status != "imported"'
        yield from prove(document, "missing-run", {condition: sentence}, inputs=inputs)


def warn_of_unusable_arms(document: Document) -> Iterator[Claim]:
    """Whole runs whose measurements do not allow a comparison."""
    for place, arm in enumerate(document["arms"]):
        if arm["final"] is None and arm["reason"] is not None:
            sentence = "{label} cannot be compared: {reason}."
            sentences = {f'status == "{status}"': sentence for status in ("complete", "imported")}
            yield from prove(
                document,
                "unusable-arm",
                sentences,
                inputs=point_at(place, label="label", status="status", reason="reason"),
            )


def warn_of_unequal_coverage(view: PairView) -> Iterator[Claim]:
    """Frozen losses that are not on equal terms, wherever in its range an estimated coverage lies."""
    if not view.pair["coverage_differs"]:
        return
    yield from view.prove(
        "unequal-coverage",
        {
            f"max(b_low, c_low) - min(b_high, c_high) > {COVERAGE_TOLERANCE_POINTS}": "{baseline} and {candidate} "
            "score different shares of the validation text; their frozen losses are not on equal terms. Curves use "
            "frozen loss / coverage."
        },
        **{
            f"{side[0]}_{bound}": view.arm(side, f"final/coverage_{bound}_percent")
            for side in ("baseline", "candidate")
            for bound in ("low", "high")
        },
    )


def warn_of_coverage_range(document: Document, place: int) -> Iterator[Claim]:
    """Coverage that is not known, or only estimated."""
    arm = document["arms"][place]
    if arm["forensics"] is None:
        return
    if arm["forensics"]["coverage"] is None:
        sentence = "{label}: its coverage is not known: {problem}."
        inputs = point_at(place, label="label", problem="forensics/coverage_problem")
        yield from prove(document, "unknown-coverage", sentence, inputs=inputs)
    elif arm["final"] is not None and arm["final"]["matched_low_nats_per_char"] is not None:
        yield from prove(
            document,
            "estimated-coverage",
            {
                'origin == "estimated"': "{label}: its validation tokens are estimated from its training tokens, "
                "{tokens:count}, give or take {value:percent}: coverage {low:percent} to {high:percent}, on equal "
                "terms {low_loss:loss} to {high_loss:loss}."
            },
            "100 * (most - tokens) / tokens",
            point_at(
                place,
                label="label",
                origin="forensics/validation/origin",
                tokens="forensics/validation/num_tokens",
                most="forensics/validation/high_num_tokens",
                low="final/coverage_low_percent",
                high="final/coverage_high_percent",
                low_loss="final/matched_low_nats_per_char",
                high_loss="final/matched_high_nats_per_char",
            ),
        )


def warn_of_logs(document: Document) -> Iterator[Claim]:
    """What logs of other programs cannot show."""
    places = [place for place, arm in enumerate(document["arms"]) if arm["is_foreign"]]
    if not places:
        return
    labels = {f"arm{place}": f"/arms/{place}/label" for place in places}
    flags = {f"foreign{place}": f"/arms/{place}/is_foreign" for place in places}
    which = "this arm" if len(places) == 1 else "these arms"
    yield from prove(
        document,
        "logs",
        {
            " and ".join(f"{flag} == 1" for flag in flags): f"{', '.join(f'{{{label}}}' for label in labels)}: of "
            f"{which} only what a log says is known; code, titles, machine and weights are not. What a log cannot "
            "prove is NOT CHECKED below."
        },
        inputs=labels | flags,
    )


def warn_of_official_size(document: Document, place: int) -> Iterator[Claim]:
    """Whose validation text has the published size because its training tokens are the published ones."""
    forensics = document["arms"][place]["forensics"]
    if forensics is not None and forensics["is_official"] and forensics["validation"]["origin"] == "official":
        yield from prove(
            document,
            "official-size",
            {
                'official == 1 and origin == "official"': "{label}: {trained:count} training tokens with a vocabulary "
                "of {vocab:count} are those of the task's own data as it was first published; its size is used, "
                "{chars:count} characters and about {tokens:count} validation tokens. That the titles are the task's "
                "is not proven."
            },
            inputs=point_at(
                place,
                label="label",
                official="forensics/is_official",
                origin="forensics/validation/origin",
                trained="facts/num_train_tokens",
                vocab="facts/vocab_size",
                chars="forensics/validation/num_chars",
                tokens="forensics/validation/num_tokens",
            ),
        )


def warn_of_seeds(document: Document) -> Iterator[Claim]:
    """How little one run says, and seeds that differ."""
    places = range(len(document["arms"]))
    seeds = {f"seed{place}": f"/arms/{place}/seed" for place in places}
    labels = {f"arm{place}": f"/arms/{place}/label" for place in places}
    listed = ", ".join(f"{{arm{place}}} {{seed{place}}}" for place in places)
    yield from prove(
        document,
        "unequal-seeds",
        {f"min({', '.join(seeds)}) < max({', '.join(seeds)})": f"The arms are filed under different seeds: {listed}."},
        inputs=seeds | labels,
    )
    counts = {f"n{place}": f"/pairs/{place}/verdict/num_seed_pairs" for place in range(len(document["pairs"]))}
    if counts:
        condition = " and ".join(f"{count} < 2" for count in counts)
        sentence = "One run an arm: how much the result varies from seed to seed was not measured."
        yield from prove(document, "single-seed", {condition: sentence}, inputs=counts)


def warn_of_unit(view: PairView) -> Iterator[Claim]:
    """Losses that compare within one tokenizer only."""
    yield from view.prove(
        "per-token",
        {
            'basis == "loss_nats_per_token"': "{baseline} and {candidate}: losses per token compare only between equal "
            "tokenizers, which is not shown here."
        },
        basis=view.here("basis/field"),
    )


def warn_of_clock(document: Document, place: int) -> Iterator[Claim]:
    """Pauses and setbacks of a log's clock."""
    if document["arms"][place]["forensics"] is None:
        return
    inputs = point_at(
        place,
        label="label",
        gaps="forensics/clock/num_gaps",
        gap="forensics/clock/gap_s",
        setbacks="forensics/clock/num_setbacks",
    )
    yield from prove(
        document,
        "clock-gaps",
        {
            "gaps > 0": "{label}: its clock has {gaps:count} gap(s), {gap:duration} together; they are not counted as "
            "training time."
        },
        inputs=inputs,
    )
    sentence = "{label}: its clock goes back {setbacks:count} time(s), as after a restart."
    yield from prove(document, "clock-setbacks", {"setbacks > 0": sentence}, inputs=inputs)


def warn_of_evaluations(document: Document, place: int) -> Iterator[Claim]:
    """Evaluations at other steps than the task's."""
    forensics = document["arms"][place]["forensics"]
    missing = forensics["missing_evaluations"] if forensics else None
    if not missing:
        return
    named = {
        f"step{number}": f"/arms/{place}/forensics/missing_evaluations/{number}"
        for number in range(min(len(missing), MAX_STEPS_NAMED))
    }
    listed = ", ".join(f"{{{name}}}" for name in named)
    yield from prove(
        document,
        "missing-evaluations",
        {
            f"len(missing) {symbol} {MAX_STEPS_NAMED}": "{label}: it has {evaluations:count} evaluations; the task's "
            f"steps {listed}{more} are not among them."
            for symbol, more in (("<=", ""), (">", " and {value:count} more"))
        },
        f"len(missing) - {len(named)}",
        named
        | point_at(
            place,
            label="label",
            missing="forensics/missing_evaluations",
            evaluations="forensics/num_evaluations",
        ),
    )


def repeat_notes(document: Document, place: int) -> Iterator[Claim]:
    """All that the importer ignored, left out or read otherwise than it is written."""
    for number in range(len(document["arms"][place]["notes"])):
        inputs = {"label": f"/arms/{place}/label", "note": f"/arms/{place}/notes/{number}"}
        yield from prove(document, "note", "{label}: {note}.", inputs=inputs)


DOCUMENT_CAVEATS: tuple[Callable[[Document], Iterator[Claim]], ...] = (
    warn_of_taken_over_runs,
    warn_of_clocks,
    warn_of_left_out_seeds,
    warn_of_seeds,
    warn_of_many_intervals,
    warn_of_settings,
)
"""On the whole comparison; most are those of our own runs."""
