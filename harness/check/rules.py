"""The rules of the task, each a named check over what a comparison stored.

The expected values stand here as literals: the checker does not import what it checks. A new rule is a function with
the `of_runs` or `constraint` decorator; it says what is wrong, and never passes on a value that is missing.
"""

import re
from functools import partial

from harness.analyse.coverage import is_later_data, is_official
from harness.check.corpus import find_other_corpus
from harness.check.registry import (
    NO_CODE,
    NOT_VOUCHED,
    ROUNDING_TOLERANCE,
    Evidence,
    Registry,
    Result,
    join_results,
    register,
    register_of_runs,
)
from harness.formats import format_hash
from harness.sources.runs import NO_PLAN
from harness.store.facts import AbsentError, known
from harness.store.journals import NOTE
from harness.store.runs import StoredComparison, StoredRun

EPOCHS = 7
SEED = 1337
VAL_FRACTION = 0.10
OFFICIAL_DATASET = "julien040/hacker-news-posts"
OFFICIAL_NUM_TITLES = 100_000
OFFICIAL_NUM_VALIDATION_CHARS = 533_366
"""Of the task's data before June 2026; nobody has published those of later versions."""
OFFICIAL_FINGERPRINTS: frozenset[str] = frozenset()
"""SHA-256 over the validation titles of known versions of the task's data; to be entered once one was read."""
FROZEN_EVALUATE_SHA256 = frozenset({"1239462dfeef2d712bd2f15b8654244da38a39f7c746f11c46de46aa6267f694"})
"""SHA-256 of every released `mainrun/metric/evaluate.py` whose arithmetic is the task's; older ones are kept."""
EVALS_PER_EPOCH = 3

CONSTRAINTS: Registry = {}
constraint = partial(register, CONSTRAINTS)
of_runs = partial(register_of_runs, CONSTRAINTS)


@of_runs("epochs", "Fixed epochs: 7", f"every run trained {EPOCHS} epochs, each step once")
def check_epochs(evidence: Evidence, run: StoredRun) -> str | None:
    """Every run trains exactly the steps of seven epochs."""
    facts, steps = run.facts, [event["step"] for event in run.select("training_step")]
    if facts.epochs not in (None, EPOCHS):
        return f"{facts.epochs} epochs, {len(steps)} steps"
    per_epoch = known(count_steps_per_epoch(run), "the steps of an epoch are not given")
    if not steps:
        raise AbsentError("no training step is given")
    due = EPOCHS * per_epoch
    if due > 0 and steps == list(range(1, due + 1)):
        return None
    if run.is_read and max(run.select("training_step")[-1]["max_steps"], *steps) <= due:
        raise AbsentError(f"it holds {len(steps):,} of {due:,} training steps")
    return f"{facts.epochs} epochs, {len(steps)} steps where 7 × {per_epoch} = {due} are due"


@of_runs("seed", f"Fixed random seed: {SEED}", f"the headline runs have seed {SEED}, every run the seed of its plan")
def check_seed(evidence: Evidence, run: StoredRun) -> str | None:
    """The headline run of every arm has the task's seed, and every run the seed its plan gave it."""
    stated, headline = known(run.facts.seed, "the seed is not given"), evidence.comparison.find_headline(run.arm)
    if not stated == run.record["seed"] == run.seed:
        return f"it says seed {stated}, and is filed under {run.seed}"
    is_other = run.seed != SEED and headline.seed == run.seed
    return f"the headline seed is {run.seed}, not {SEED}" if is_other else None


def _format_fingerprints(evidence: Evidence) -> str:
    first = _find_fingerprinted(evidence).facts
    train, validation = (format_hash(str(digest)) for digest in (first.train_sha256, first.validation_sha256))
    return f"training fingerprint {train}, validation {validation}"


def _find_fingerprinted(evidence: Evidence) -> StoredRun:
    runs = evidence.comparison.runs.values()
    return next(run for run in runs if run.facts.train_sha256 and run.facts.validation_sha256)


@of_runs("same-data", "Same titles in all arms", _format_fingerprints)
def check_same_data(evidence: Evidence, run: StoredRun) -> str | None:
    """All runs trained and evaluated the same titles, by fingerprint."""
    facts, other = run.facts, find_other_corpus(run, evidence.comparison.plan.corpus)
    if other is not None:
        return f"its {other} is not the plan's"
    absent = f"it has no fingerprints; training tokens: {facts.num_train_tokens or 'not given'}"
    fingerprints = known(facts.train_sha256, absent), known(facts.validation_sha256, absent)
    first = _find_fingerprinted(evidence)
    if fingerprints != (first.facts.train_sha256, first.facts.validation_sha256):
        return f"has other titles than {first.folder.name}, by their fingerprints"
    return None


@constraint("official-data", "Fixed dataset: the task's own Hacker News headlines")
def check_official_data(evidence: Evidence) -> Result:
    """The titles are the task's dataset, at a recorded revision; a log's counts alone prove nothing."""
    comparison = evidence.comparison
    results: list[Result] = [
        ("NOT CHECKED", f"{run.folder.name}: {_describe_counts(run)}")
        for run in comparison.runs.values()
        if run.facts.corpus is None
    ]
    if comparison.plan.corpus["source"] != "imported":
        results.append(judge_official_corpus(comparison))
    return join_results(results)


def judge_official_corpus(comparison: StoredComparison) -> Result:
    """Whether the titles that the plan names are the task's dataset."""
    corpus = comparison.plan.corpus
    if corpus["source"] != "hub" or corpus["name"] != OFFICIAL_DATASET:
        origin = comparison.plan.describe_corpus()
        return "NOT CHECKED", f"the titles are {origin}, not the task's dataset {OFFICIAL_DATASET}"
    for run in comparison.runs.values():
        if find_other_corpus(run, corpus) is not None:
            return "FAIL", f"the plan and {run.folder.name} do not name the same source of titles"
    if not re.fullmatch("[0-9a-f]{40}", corpus["revision"] or ""):
        return "FAIL", f"the titles came from the hub, but the recorded revision is {corpus['revision']}, no commit"
    num_titles = corpus["num_train_titles"] + corpus["num_validation_titles"]
    if num_titles != OFFICIAL_NUM_TITLES:
        return "NOT CHECKED", f"{num_titles:,} titles of the task's dataset; the task has {OFFICIAL_NUM_TITLES:,}"
    if corpus["validation_sha256"] in OFFICIAL_FINGERPRINTS:
        return "PASS", f"{OFFICIAL_DATASET} at revision {corpus['revision']}, by the fingerprint of its titles"
    chars = {run.select("dataset_info")[0].get("num_validation_chars") for run in comparison.trained}
    if chars == {OFFICIAL_NUM_VALIDATION_CHARS}:
        return "PASS", (
            f"{OFFICIAL_DATASET} at revision {corpus['revision']}; its {OFFICIAL_NUM_VALIDATION_CHARS:,} validation "
            "characters are those published of it before June 2026"
        )
    return NOT_VOUCHED, (
        f"the titles are said to be {OFFICIAL_DATASET} at revision {corpus['revision']}, and neither their "
        "fingerprints nor their characters are those of a known version of it"
    )


def _describe_counts(run: StoredRun) -> str:
    counts = run.facts.num_train_tokens, run.facts.vocab_size
    for of_then, when in ((is_official, "before"), (is_later_data, "since")):
        if of_then(*counts):
            return f"its token counts are those of {OFFICIAL_DATASET} {when} June 2026; no fingerprint proves it"
    return f"nothing shows that its titles are {OFFICIAL_DATASET}"


def _format_held_out(evidence: Evidence) -> str:
    count = evidence.comparison.plan.corpus["num_validation_titles"]
    return f"{'one title in ten is' if count is None else f'{count:,} titles are'} held out in every run"


@of_runs("validation-fraction", "Fixed validation fraction: 10 %", _format_held_out)
def check_validation_fraction(evidence: Evidence, run: StoredRun) -> str | None:
    """One title in ten is held out in every run."""
    facts, absent = run.facts, "the titles that are held out are not counted"
    if facts.val_fraction not in (None, VAL_FRACTION):
        return f"a validation fraction of {facts.val_fraction}"
    num_train = known(facts.num_train_titles, absent)
    if facts.corpus is not None:
        num_held_out = facts.corpus["num_validation_titles"]
        num_titles = facts.corpus["num_train_titles"] + num_held_out
    else:
        num_titles = known(facts.num_titles, absent)
        num_held_out = num_titles - num_train
    known(facts.val_fraction, "the validation fraction is not given")
    if num_held_out == round(num_titles * VAL_FRACTION):
        return None
    return f"{num_held_out:,} of {num_titles:,} titles are held out"


@of_runs(
    "frozen-evaluate",
    "Fixed evaluate() function",
    "source known by hash; the span sums of every evaluation give its loss again",
)
def check_frozen_evaluate(evidence: Evidence, run: StoredRun) -> str | None:
    """The evaluation's source is a known one, and its stored span sums give the stored losses again."""
    if known(run.facts.evaluate_sha256, NO_CODE) not in FROZEN_EVALUATE_SHA256:
        return "its evaluate.py is none the harness knows"
    evaluations, span = run.select("validation_step"), count_step_tokens(run)
    interval = max(1, (count_steps_per_epoch(run) or 0) // EVALS_PER_EPOCH)
    last_step = run.select("training_step")[-1]["step"]
    due = sorted({1, *range(interval, last_step + 1, interval), last_step})
    if [event["step"] for event in evaluations] != due:
        return "its evaluations are not at the steps the rule gives"
    for event in evaluations:
        num_spans = event["num_tokens"] // (span + 1)
        if num_spans < 1 or event["num_spans"] != num_spans or len(event["span_loss_nats"]) != num_spans:
            return f"step {event['step']} scores {len(event['span_loss_nats'])} spans where {num_spans} fit"
        rebuilt = sum(event["span_loss_nats"]) / event["num_chars"]
        if not abs(rebuilt - event["loss"]) <= ROUNDING_TOLERANCE * abs(event["loss"]):
            return f"step {event['step']} reports {event['loss']}, its span sums give {rebuilt}"
    return None


@of_runs(
    "last-step", "The last step is read, not the best one", "every run's numbers are those after its last training step"
)
def check_last_step(evidence: Evidence, run: StoredRun) -> str | None:
    """Every run was evaluated after its last training step, with the full loss where it measures one."""
    evaluations = run.select("validation_step")
    if not evaluations:
        return "it has no evaluation"
    last, planned = evaluations[-1]["step"], evaluations[-1]["max_steps"]
    if run.facts.source_sha256 is not None:
        trained = run.select("training_step")[-1]["step"]
        if not isinstance(evaluations[-1]["full_loss_nats_per_char"], float):
            return "its full loss was not measured at its last evaluation"
        return (
            None if last == trained else f"its last evaluation is at step {last}, its last training step is {trained}"
        )
    if last != planned:
        raise AbsentError(f"its last evaluation is at step {last:,} of {planned:,}")
    if any(event["text"].startswith(NO_PLAN) for event in run.select(NOTE)):
        raise AbsentError(NO_PLAN)
    return None


def count_step_tokens(run: StoredRun) -> int:
    """Tokens of a step, from the run's settings; `AbsentError` where it does not give them."""
    absent = "block and batch size are not given"
    return known(run.facts.block_size, absent) * known(run.facts.training_batch_size, absent)


def count_steps_per_epoch(run: StoredRun) -> int | None:
    """Whole batches in the training stream, from the run's count of its tokens, else as it states them."""
    facts = run.facts
    if facts.source_sha256 is not None:
        return known(facts.num_train_tokens, "") // count_step_tokens(run)
    if facts.steps_per_epoch and facts.training_batch_size and facts.num_train_tokens and not facts.tokens_per_step:
        raise AbsentError(
            f"it says {facts.steps_per_epoch:,} steps an epoch, but its {facts.num_train_tokens:,} training tokens in "
            f"steps of {facts.block_size or 0:,} × {facts.training_batch_size:,} do not give so many"
        )
    return facts.steps_per_epoch
