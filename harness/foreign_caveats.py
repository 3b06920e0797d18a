"""What a reader must know before believing a comparison with logs of other programs; nothing is left unsaid."""

from collections.abc import Callable, Iterator
from typing import Any

from harness.forensics import OFFICIAL_NUM_TRAIN_TOKENS, OFFICIAL_VOCAB_SIZE
from harness.formats import format_count, format_duration, format_loss, format_percent

Document = dict[str, Any]
MAX_STEPS_NAMED = 6


def build_foreign_caveats(document: Document) -> list[str]:
    """All caveats that apply, the gravest first."""
    return [text for make in CAVEATS for text in make(document)]


def warn_of_mismatch(document: Document) -> Iterator[str]:
    """Arms that did not train on one and the same stream."""
    for pair in document["pairs"]:
        if pair["mismatch"]:
            yield f"{pair['baseline_label']} and {pair['candidate_label']}: {pair['mismatch']}."


def warn_of_unusable(document: Document) -> Iterator[str]:
    """Arms that are not compared."""
    for run in document["runs"]:
        if run["status"] not in ("complete", "imported"):
            reason = f" ({run['reason']})" if run["reason"] else ""
            yield f"{run['arm']} with seed {run['seed']} is not compared: {run['status']}{reason}."
    for arm in document["arms"]:
        if arm["status"] in ("complete", "imported") and arm["final"] is None:
            yield f"{arm['label']} cannot be compared: {arm['reason']}."


def warn_of_fit(document: Document) -> Iterator[str]:
    """First losses that do not fit, or that say nothing."""
    for arm in _list_examined(document):
        fit = arm["forensics"]["fit"]
        if fit["status"] == "does not fit":
            yield f"{arm['label']}: {fit['reason']}."
        elif fit["status"] == "not decidable":
            yield f"{arm['label']}: whether its first validation loss fits is not decidable: {fit['reason']}."
        if arm["forensics"]["start"]:
            yield f"{arm['label']}: {arm['forensics']['start']}."


def warn_of_foreign_coverage(document: Document) -> Iterator[str]:
    """Unequal, estimated and unknown coverage."""
    for pair in document["pairs"]:
        if pair["coverage_differs"]:
            yield (
                f"{pair['baseline_label']} and {pair['candidate_label']} score different shares of the validation "
                "text; their frozen losses are not on equal terms. Curves use frozen loss / coverage."
            )
    for arm in _list_examined(document):
        forensics, final = arm["forensics"], arm["final"]
        if forensics["coverage"] is None:
            yield f"{arm['label']}: its coverage is not known: {forensics['coverage_problem']}."
        elif forensics["validation"]["origin"] == "estimated" and final is not None:
            validation = forensics["validation"]
            yield (
                f"{arm['label']}: its validation tokens are estimated from its training tokens, "
                f"{format_count(validation['num_tokens'])} ± 2 %: coverage "
                f"{format_percent(final['coverage_low_percent'])} to {format_percent(final['coverage_high_percent'])}, "
                f"on equal terms {format_loss(final['matched_low_nats_per_char'])} to "
                f"{format_loss(final['matched_high_nats_per_char'])}."
            )


def warn_of_origin(document: Document) -> Iterator[str]:
    """What logs of other programs cannot show."""
    labels = [arm["label"] for arm in document["arms"] if arm["is_foreign"]]
    yield (
        f"{', '.join(labels)}: of {'this arm' if len(labels) == 1 else 'these arms'} only what a log says is known; "
        "code, titles, machine and weights are not. What a log cannot prove is NOT CHECKED below."
    )
    recognised = [arm["label"] for arm in _list_examined(document) if arm["forensics"]["is_official"]]
    if recognised:
        yield (
            f"{', '.join(recognised)}: {OFFICIAL_NUM_TRAIN_TOKENS:,} training tokens with a vocabulary of "
            f"{OFFICIAL_VOCAB_SIZE:,} are those of the task's own data before June 2026; its published size is used, "
            "533,366 characters and about 121,150 validation tokens. That the titles are the task's is not proven."
        )


def warn_of_seeds(document: Document) -> Iterator[str]:
    """How little one run says, and seeds that differ."""
    seeds = {arm["label"]: arm["seed"] for arm in document["arms"]}
    if len(set(seeds.values())) > 1:
        listed = ", ".join(f"{name} {seed}" for name, seed in seeds.items())
        yield f"The arms are filed under different seeds: {listed}."
    if all(pair["verdict"]["num_seed_pairs"] < 2 for pair in document["pairs"]):
        yield "One run an arm: how much the result varies from seed to seed was not measured."


def warn_of_notes(document: Document) -> Iterator[str]:
    """All that the importer ignored, left out or read otherwise than it is written."""
    for arm in document["arms"]:
        for note in arm["notes"]:
            yield f"{arm['label']}: {note}."


def warn_of_clock(document: Document) -> Iterator[str]:
    """Pauses and setbacks of a log's clock, and evaluations at other steps than the task's."""
    for arm in _list_examined(document):
        clock, missing = arm["forensics"]["clock"], arm["forensics"]["missing_evaluations"]
        if clock["num_gaps"]:
            yield (
                f"{arm['label']}: its clock has {clock['num_gaps']} gap(s), {format_duration(clock['gap_s'])} "
                "together; they are not counted as training time."
            )
        if clock["num_setbacks"]:
            yield f"{arm['label']}: its clock goes back {clock['num_setbacks']} time(s), as after a restart."
        if missing:
            named = ", ".join(map(str, missing[:MAX_STEPS_NAMED]))
            more = f" and {len(missing) - MAX_STEPS_NAMED} more" if len(missing) > MAX_STEPS_NAMED else ""
            yield (
                f"{arm['label']}: it has {arm['forensics']['num_evaluations']} evaluations; the task's steps {named}"
                f"{more} are not among them."
            )


def warn_of_pairs(document: Document) -> Iterator[str]:
    """Rows of unequal steps, and losses that compare within one tokenizer only."""
    for pair in document["pairs"]:
        names = f"{pair['baseline_label']} and {pair['candidate_label']}"
        if not pair["same_steps"]:
            yield (
                f"{names} are evaluated at different steps; the step table sets each evaluation of the baseline beside "
                "the nearest one of the candidate by share of training done."
            )
        if pair["basis"]["field"] == "loss_nats_per_token":
            yield f"{names}: losses per token compare only between equal tokenizers, which is not shown here."


CAVEATS: tuple[Callable[[Document], Iterator[str]], ...] = (
    warn_of_mismatch,
    warn_of_unusable,
    warn_of_fit,
    warn_of_foreign_coverage,
    warn_of_origin,
    warn_of_seeds,
    warn_of_pairs,
    warn_of_clock,
    warn_of_notes,
)


def _list_examined(document: Document) -> list[Document]:
    return [arm for arm in document["arms"] if arm["forensics"] is not None]
