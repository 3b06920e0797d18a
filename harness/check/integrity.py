"""Is the metric what it says it is? What a run that holds every rule by the letter can still get wrong.

As in `rules`, expected values are literals and nothing is imported from what is checked: titles are counted and
tokenized again by the checker's own code (`encoding`), with the tokenizer the run stored.
"""

import hashlib
import math
from functools import partial

from harness.analyse.coverage import MIN_LOSS
from harness.analyse.examine import examine_run
from harness.check.consistency import find_other_course, find_other_header, find_other_sizes, find_unknown_choice
from harness.check.encoding import SPECIAL_TOKENS, encode_titles, load_encoding
from harness.check.registry import (
    NO_CODE,
    NO_TITLES,
    ROUNDING_TOLERANCE,
    Evidence,
    Registry,
    UnvouchedError,
    register_of_runs,
)
from harness.formats import quote
from harness.store.facts import SEPARATOR_CHARS, AbsentError, find_setting, known
from harness.store.runs import StoredRun

INTEGRITY: Registry = {}
of_runs = partial(register_of_runs, INTEGRITY)


@of_runs("spans-scored", "At least one span is scored", "every evaluation of every run scored at least one whole span")
def check_spans(evidence: Evidence, run: StoredRun) -> str | None:
    """A batch so large that no span fits reports a loss of 0."""
    evaluations = run.select("validation_step")
    counts = [event["num_spans"] for event in evaluations]
    if not counts or any(count is not None and count < 1 for count in counts):
        return "an evaluation scored no span at all"
    lowest = min(event["loss"] for event in evaluations)
    if lowest < MIN_LOSS:
        return f"an evaluation reports a loss of {lowest:g}"
    examined = examine_run(evidence.comparison, run) or {}
    if examined["fit"]["due_high_num_spans"] == 0:
        return "not one whole span fits its validation text"
    if examined["coverage"] is None and None in counts:
        raise AbsentError(f"how many spans it scored is not known: {examined['coverage_problem']}")
    if None in counts:
        spans = examined["coverage"]["num_spans"]
        raise AbsentError(f"{spans} spans follow from its counts; it does not say what was scored")
    return None


@of_runs(
    "losses-by-title",
    "The losses by title add up to the full loss",
    "characters, tokens and losses by title give the last evaluation's totals",
)
def check_title_sums(evidence: Evidence, run: StoredRun) -> str | None:
    """Characters, tokens and losses by title give the totals of the last evaluation."""
    known(run.facts.title_losses_sha256, NO_TITLES)
    last, columns = run.select("validation_step")[-1], run.load_title_losses()
    full = sum(columns["loss_nats"]) / last["num_chars"]
    if sum(columns["num_chars"]) != last["num_chars"] or sum(columns["num_tokens"]) != last["num_tokens"]:
        return "characters or tokens by title do not add up to those of the last evaluation"
    if not math.isclose(full, last["full_loss_nats_per_char"], rel_tol=ROUNDING_TOLERANCE):
        return f"losses by title give {full}, the journal says {last['full_loss_nats_per_char']}"
    return None


@of_runs(
    "journals",
    "Every journal says what its record and the plan say, and does not contradict itself",
    "settings, machine, counts, steps, learning rates and clocks agree",
)
def check_journals(evidence: Evidence, run: StoredRun) -> str | None:
    """Settings, machine, counts, steps, learning rates and clocks of a journal, and the sizes that follow from it."""
    known(run.facts.machine, NO_CODE)
    sizes = evidence.comparison.plan.get_arm(run.arm).sizes
    problem = find_other_header(run, sizes) or find_other_sizes(run, sizes) or find_other_course(run, sizes)
    if problem is None and (unknown := find_unknown_choice(run)):
        raise UnvouchedError(unknown)
    return problem


@of_runs(
    "fingerprints",
    "The titles are those the runs were fingerprinted with",
    "training and validation titles read again have the recorded SHA-256",
)
def check_fingerprints(evidence: Evidence, run: StoredRun) -> str | None:
    """The titles read again from their source have the recorded SHA-256, training and validation apart."""
    corpus, again = known(run.facts.corpus, NO_TITLES), evidence.need_titles()
    for key, titles in {"train_sha256": again.train, "validation_sha256": again.validation}.items():
        found = hashlib.sha256(b"".join(title.encode() + b"\0" for title in titles)).hexdigest()
        if found != corpus[key]:
            return f"{key} is {corpus[key]}, the titles give {found}"
    return None


def _count_chars(evidence: Evidence) -> list[int]:
    """Of every validation title, with its separator."""
    return [len(title) + SEPARATOR_CHARS for title in evidence.need_titles().validation]


@of_runs(
    "denominator",
    "The denominator is the characters of the titles",
    lambda evidence: f"{sum(_count_chars(evidence)):,} characters, counted again from the validation titles",
)
def check_denominator(evidence: Evidence, run: StoredRun) -> str | None:
    """A longer separator, or markers put into the text, would make the loss per character smaller."""
    known(run.facts.title_losses_sha256, NO_TITLES)
    expected = _count_chars(evidence)
    stored = {event["num_chars"] for event in run.select("validation_step")}
    if stored != {sum(expected)}:
        return f"divides by {sorted(stored)} characters; the validation titles have {sum(expected):,}"
    return None if run.load_title_losses()["num_chars"] == expected else "characters by title are not the titles'"


@of_runs(
    "tokens",
    "No data augmentation: the tokens are those of the titles, each once, and nothing else",
    "training and validation streams made again from the titles have the same SHA-256",
)
def check_tokens(evidence: Evidence, run: StoredRun) -> str | None:
    """Both streams are the tokenized titles: no augmentation, no text changed before it is tokenized."""
    known(run.facts.corpus, NO_TITLES)
    again = evidence.need_titles()
    for key, titles in {"train_ids_sha256": again.train, "validation_ids_sha256": again.validation}.items():
        stream = encode_titles(run.tokenizer_path, titles)
        if hashlib.sha256(stream.tobytes()).hexdigest() != run.record[key]:
            return f"{key.removesuffix('_sha256')} are not those of the {len(titles):,} titles"
        if key == "train_ids_sha256" and run.select("dataset_info")[0]["tokens_per_epoch"] != len(stream):
            return f"tokens_per_epoch is not the {len(stream):,} ids of the training titles"
    return None


@of_runs(
    "round-trip",
    "The tokenizer gives every validation title back, and none is unknown",
    lambda evidence: (
        f"the stored stream gives {len(evidence.need_titles().validation):,} titles back; share of <unk> is 0 %"
    ),
)
def check_round_trip(evidence: Evidence, run: StoredRun) -> str | None:
    """A tokenizer that loses text makes the text that is left easier to predict."""
    normalizer = find_setting(run.facts.config, "normalizer")
    if normalizer:
        raise AbsentError(f"its log names a normalizer, {quote(normalizer)}, which may not give every title back")
    known(run.facts.corpus, NO_TITLES)
    titles = evidence.need_titles().validation
    encoding = load_encoding(run.tokenizer_path)
    stream = encode_titles(run.tokenizer_path, titles)
    if hashlib.sha256(stream.tobytes()).hexdigest() != run.record["validation_ids_sha256"]:
        return "its validation stream is not what its tokenizer makes of the titles"
    for place, title in enumerate(titles):
        ids = encoding.encode_ordinary(f" {title}") if title else []
        if min(ids, default=len(SPECIAL_TOKENS)) < len(SPECIAL_TOKENS):
            return f"validation title {place} holds a special token"
        if title and encoding.decode_bytes(ids) != f" {title}".encode():
            return f"validation title {place} does not come back from its tokens"
    return None


@of_runs(
    "facts-by-title",
    "Length, kind and origin of each validation title are as stored",
    lambda evidence: (
        f"tokens, kind, digits and membership in training of {len(evidence.need_titles().validation):,} titles"
    ),
)
def check_facts_by_title(evidence: Evidence, run: StoredRun) -> str | None:
    """Tokens, kind, digits and membership in training, which the view by title is cut by."""
    known(run.facts.title_losses_sha256, NO_TITLES)
    again = evidence.need_titles()
    titles, in_training = again.validation, set(again.train)
    encoding, columns = load_encoding(run.tokenizer_path), run.load_title_losses()
    expected = {
        "title_index": list(range(len(titles))),
        "in_train": [title in in_training for title in titles],
        "kind": [next((kind for kind in ("ask", "show") if title.lower().startswith(f"{kind} hn")), "other")
                 for title in titles],
        "has_digit": [any(character.isdigit() for character in title) for title in titles],
        "num_tokens": [len(encoding.encode_ordinary(f" {title}") if title else []) + 1 for title in titles],
    }  # fmt: skip
    for name, values in expected.items():
        if columns[name] != values:
            return f"{name} in title_losses.parquet is not that of the titles"
    return None
