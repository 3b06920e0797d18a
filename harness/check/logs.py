"""What the named checks can say of logs of other programs, and the checks that only such logs need.

A log is believed against itself, never for itself: what it states against a rule is a FAIL, what it cannot prove is
NOT CHECKED. Of the runs of our own in the same comparison every check says what it always does.
"""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from harness.analyse.any_arms import examine
from harness.analyse.coverage import MIN_LOSS, is_later_data
from harness.check.registry import Evidence, Finding, Registry, Result, Status, register, run_checks
from harness.check.rules import EPOCHS, OFFICIAL_DATASET, SEED, VAL_FRACTION
from harness.sources.find import read_stored
from harness.sources.lines import quote
from harness.sources.source_log import NOTE
from harness.store.facts import LogFacts, read_facts
from harness.store.rows import find_tokens_per_step
from harness.store.runs import StoredComparison, StoredRun

NO_CODE = "a log does not hold the code, machine or weights"
NO_TITLES = "a log does not hold the titles, their tokens or losses by title"
NOT_PLANNED = "the runs were taken in after they were made: which others there were is not known"

FORENSICS: Registry = {}
forensic = partial(register, FORENSICS)
_DONE_BY_FILES = frozenset({"hashes", "measurements", "numbers", "claims", "reports", "pdf-attachments"})
"""Checks of what is stored, which need no other answer for imported runs."""
_RANK: dict[Status, int] = {"FAIL": 0, "NOT CHECKED": 1, "PASS": 2}


def run_mixed_checks(registry: Registry, evidence: Evidence) -> list[Finding]:
    """`run_checks` where runs may be imported ones."""
    comparison = evidence.comparison
    foreign = [run for run in comparison.runs.values() if run.is_foreign]
    if comparison.plan.sources is None:
        return run_checks(registry, evidence)
    stored = {name: entry for name, entry in registry.items() if registry is FORENSICS or name in _DONE_BY_FILES}
    others = {name: entry for name, entry in registry.items() if name not in stored}
    own = select_own(comparison)
    own_findings = {finding.name: finding for finding in run_checks(others, replace(evidence, comparison=own))}
    whole_findings = {finding.name: finding for finding in run_checks(stored, evidence)}
    findings = []
    for name, (title, _) in registry.items():
        if name in whole_findings:
            findings.append(whole_findings[name])
            continue
        results = [_judge_foreign(name, run) for run in foreign]
        if name == "same-data":
            results += _find_other_titles(comparison)
        if own.runs and name == "planned-runs" and any("source" in run.record for run in own.runs.values()):
            results.append(("NOT CHECKED", NOT_PLANNED))
        if own.runs:
            results.append((own_findings[name].status, own_findings[name].evidence))
        findings.append(Finding(name, title, *_join(results)))
    return findings


def select_own(comparison: StoredComparison) -> StoredComparison:
    """The comparison with nothing in it but the runs of the training program."""
    runs = {planned: run for planned, run in comparison.runs.items() if not run.is_foreign}
    names = {run.arm for run in runs.values()}
    foreign = {source["arm"] for source in comparison.plan.sources or [] if source["kind"] != "run"} - names
    plan = replace(
        comparison.plan,
        arms=tuple(arm for arm in comparison.plan.arms if arm.name not in foreign),
        runs=tuple(run for run in comparison.plan.runs if run.arm not in foreign),
    )
    return StoredComparison(comparison.folder, plan, runs)


def _join(results: list[Result]) -> Result:
    """The gravest status, with everything said; what is said twice is said once."""
    found_statuses: list[Status] = [status for status, _ in results]
    status = min(found_statuses, key=_RANK.__getitem__) if found_statuses else "NOT CHECKED"
    texts = dict.fromkeys(text for found, text in results if found == status)
    return status, "; ".join(texts) or "there is no run"


def _find_other_titles(comparison: StoredComparison) -> list[Result]:
    """A FAIL for every run whose fingerprints are not those of the first run that has any."""
    known = []
    for run in comparison.runs.values():
        facts = read_facts(run.events)
        if facts.train_sha256 and facts.validation_sha256:
            known.append((run.folder.name, (facts.train_sha256, facts.validation_sha256)))
    return [
        ("FAIL", f"{name} has other titles than {known[0][0]}, by their fingerprints")
        for name, fingerprints in known
        if fingerprints != known[0][1]
    ]


def _judge_foreign(name: str, run: StoredRun) -> Result:
    if name == "planned-runs" and "external" in run.record["source"]:
        return ("PASS", "its plan was fixed before it") if run.is_complete else ("FAIL", f"{run.folder.name} failed")
    if name == "planned-runs":
        return "NOT CHECKED", NOT_PLANNED
    normalizer = read_facts(run.events).config.get("normalizer")
    if name == "round-trip" and normalizer:
        return "NOT CHECKED", (
            f"{run.folder.name}: its log names a normalizer, {quote(normalizer)}, which may not give every title back"
        )
    judge = _FOREIGN.get(name)
    if judge is None:
        return "NOT CHECKED", NO_TITLES if name in _NEED_TITLES else NO_CODE
    result: Result = judge(run, read_facts(run.events))
    return result[0], f"{run.folder.name}: {result[1]}"


def _judge_epochs(run: StoredRun, facts: LogFacts) -> Result:
    steps = [event["step"] for event in run.select("training_step")]
    if facts.epochs is not None and facts.epochs != EPOCHS:
        return "FAIL", f"its log says {facts.epochs} epochs"
    if facts.steps_per_epoch is None or not steps:
        return "NOT CHECKED", "its log does not give the steps of an epoch, or no training step"
    due, last = EPOCHS * facts.steps_per_epoch, run.events and max(steps)
    planned = run.select("training_step")[-1]["max_steps"]
    if max(planned, last) > due:
        return "FAIL", f"its log plans {planned:,} steps where 7 × {facts.steps_per_epoch} = {due:,} are due"
    if facts.block_size and facts.training_batch_size and facts.num_train_tokens and not find_tokens_per_step(facts):
        return "NOT CHECKED", (
            f"its log says {facts.steps_per_epoch:,} steps an epoch, but its {facts.num_train_tokens:,} training "
            f"tokens in steps of {facts.block_size:,} × {facts.training_batch_size:,} do not give so many"
        )
    if steps == list(range(1, due + 1)):
        return "PASS", f"its log holds the steps 1 to {due:,}, each once"
    return "NOT CHECKED", f"its log holds {len(steps):,} of {due:,} training steps"


def _judge_seed(run: StoredRun, facts: LogFacts) -> Result:
    if facts.seed is None:
        return "NOT CHECKED", "its log does not give the seed"
    status: Status = "PASS" if facts.seed == SEED else "FAIL"
    return status, f"its log says seed {facts.seed}"


def _judge_fraction(run: StoredRun, facts: LogFacts) -> Result:
    if facts.val_fraction is not None and facts.val_fraction != VAL_FRACTION:
        return "FAIL", f"its log says a validation fraction of {facts.val_fraction}"
    if facts.num_titles and facts.num_train_titles and facts.val_fraction:
        held_out = facts.num_titles - facts.num_train_titles
        status: Status = "PASS" if held_out == round(VAL_FRACTION * facts.num_titles) else "FAIL"
        return status, f"its log says {held_out:,} of {facts.num_titles:,} titles are held out"
    return "NOT CHECKED", "its log does not count the titles that are held out"


def _judge_data(run: StoredRun, facts: LogFacts) -> Result:
    if facts.train_sha256 and facts.validation_sha256:
        return "PASS", f"its log gives the fingerprints {facts.train_sha256[:16]}… and {facts.validation_sha256[:16]}…"
    return "NOT CHECKED", f"its log has no fingerprints; training tokens: {facts.num_train_tokens or 'not given'}"


def _judge_official(run: StoredRun, facts: LogFacts) -> Result:
    if examine(run.events, facts)["is_official"]:
        return (
            "NOT CHECKED",
            f"its token counts are those of {OFFICIAL_DATASET} before June 2026; no fingerprint proves it",
        )
    if is_later_data(facts.num_train_tokens, facts.vocab_size):
        return (
            "NOT CHECKED",
            f"its token counts are those of {OFFICIAL_DATASET} since June 2026; no fingerprint proves it",
        )
    return "NOT CHECKED", f"nothing in its log shows that the titles are {OFFICIAL_DATASET}"


def _judge_last_step(run: StoredRun, facts: LogFacts) -> Result:
    evaluations = run.select("validation_step")
    if not evaluations:
        return "FAIL", "it has no evaluation"
    last, planned = evaluations[-1]["step"], evaluations[-1]["max_steps"]
    if last == planned:
        return "PASS", f"its last evaluation is at step {last:,}, the last one planned"
    return "NOT CHECKED", f"its last evaluation is at step {last:,} of {planned:,}"


def _judge_spans(run: StoredRun, facts: LogFacts) -> Result:
    lowest = min((event["loss"] for event in run.select("validation_step")), default=math.inf)
    if lowest < MIN_LOSS:
        return "FAIL", f"an evaluation reports a loss of {lowest:g}"
    examined = examine(run.events, facts)
    coverage = examined["coverage"]
    if examined["fit"]["due_high_num_spans"] == 0:
        return "FAIL", "not one whole span fits its validation text"
    if coverage is None:
        return "NOT CHECKED", f"how many spans it scored is not known: {examined['coverage_problem']}"
    if facts.num_spans is not None:
        return "PASS", f"its log says {facts.num_spans} spans at every evaluation, as its counts do"
    return "NOT CHECKED", f"{coverage['num_spans']} spans follow from its counts; the log does not say what was scored"


_NEED_TITLES = frozenset({"losses-by-title", "fingerprints", "denominator", "tokens", "round-trip", "facts-by-title"})
_FOREIGN: dict[str, Callable[[StoredRun, LogFacts], Result]] = {
    "epochs": _judge_epochs,
    "seed": _judge_seed,
    "same-data": _judge_data,
    "official-data": _judge_official,
    "validation-fraction": _judge_fraction,
    "last-step": _judge_last_step,
    "spans-scored": _judge_spans,
}


@forensic("first-loss", "Imported logs: the first validation loss is that of whole spans over the characters")
def check_first_loss(evidence: Evidence) -> Result:
    """Another denominator, tokenizer or evaluation batch than stated gives a loss that no number of spans explains."""
    results: list[Result] = []
    words: dict[str, Status] = {"fits": "PASS", "does not fit": "FAIL", "not decidable": "NOT CHECKED"}
    for run in evidence.comparison.runs.values():
        if run.is_foreign:
            examined = examine(run.events, read_facts(run.events))
            fit, task_fit = examined["fit"], examined["task_fit"]
            assumed = f"; on the text of the task, {task_fit['reason']}" if task_fit else ""
            results.append((words[fit["status"]], f"{run.folder.name}: {fit['reason']}{assumed}"))
    return _join(results) if results else ("NOT CHECKED", "no run was imported")


@forensic("same-tokens", "Imported logs: equal vocabularies come to equal numbers of training tokens")
def check_same_tokens(evidence: Evidence) -> Result:
    """Unequal counts mean other data or another tokenizer, so that a gain would be of both."""
    counts: dict[int, dict[int, str]] = {}
    unknown = []
    for run in evidence.comparison.runs.values():
        facts = read_facts(run.events)
        if facts.vocab_size is None or facts.num_train_tokens is None:
            unknown.append(run.folder.name)
        else:
            counts.setdefault(facts.vocab_size, {}).setdefault(facts.num_train_tokens, run.folder.name)
    for vocab_size, tokens in counts.items():
        if len(tokens) > 1:
            listed = ", ".join(f"{name} {count:,}" for count, name in tokens.items())
            return "FAIL", f"other data or another tokenizer: with a vocabulary of {vocab_size:,}: {listed}"
    if unknown:
        return "NOT CHECKED", f"{', '.join(unknown)}: training tokens or vocabulary size are not given"
    if len(counts) != 1:
        return "NOT CHECKED", f"the vocabularies differ: {', '.join(f'{size:,}' for size in counts)}"
    return "PASS", f"{next(iter(next(iter(counts.values())))):,} training tokens in every run"


def _has_no_journal(run: StoredRun) -> bool:
    """Whether a command failed, of whose log nothing was taken in."""
    return run.record["status"] == "failed" and "mainrun_log_sha256" not in run.record


@forensic("reimport", "Imported logs: the journals follow from the sources")
def check_reimport(evidence: Evidence) -> Result:
    """Every source, read again from its stored bytes, gives the stored journal, status and notes."""
    checked = 0
    for run in evidence.comparison.runs.values():
        source = run.record.get("source")
        if not run.is_foreign or source is None or _has_no_journal(run):
            continue
        log = read_stored(run.folder, source)
        again = json.loads(json.dumps(log.to_journal()))
        if again != run.events:
            number = next(
                (n for n, (a, b) in enumerate(zip(again, run.events, strict=False), 1) if a != b),
                min(len(again), len(run.events)) + 1,
            )
            return "FAIL", f"{run.folder.name}/mainrun.log, line {number}: its source does not give this"
        if run.record["status"] == "imported" and log.status != "imported":
            return "FAIL", f"{run.folder.name}: its source is {log.status}: {log.reason}"
        checked += 1
    num_notes = sum(len(run.select(NOTE)) for run in evidence.comparison.runs.values())
    return "PASS", f"{checked} sources read again give the same journals, with {num_notes} notes"
