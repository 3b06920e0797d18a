"""What counts and first losses give away, and whether what was read from a log still follows from it."""

import json
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest

from harness.analyse.examine import examine_run
from harness.analyse.same_text import Word, judge_texts
from harness.check.registry import NOT_VOUCHED, Evidence, Registry, Result, join_results, register, register_of_runs
from harness.formats import format_few
from harness.sources.find import read_stored
from harness.store.facts import AbsentError
from harness.store.journals import NOTE
from harness.store.runs import StoredRun

FORENSICS: Registry = {}
forensic = partial(register, FORENSICS)
of_runs = partial(register_of_runs, FORENSICS)


@of_runs(
    "first-loss",
    "The first validation loss is that of whole spans over the characters",
    "the first losses of every run come to the whole spans that are due",
)
def check_first_loss(evidence: Evidence, run: StoredRun) -> str | None:
    """Another denominator, tokenizer or evaluation batch than stated gives a loss that no number of spans explains."""
    examined = examine_run(evidence.comparison, run) or {}
    fit, task_fit = examined["fit"], examined["task_fit"]
    is_other = task_fit is not None and task_fit["reason"] != fit["reason"]
    text = fit["reason"] + (f"; on the text of the task, {task_fit['reason']}" if is_other else "")
    if fit["status"] == "not decidable":
        raise AbsentError(text)
    return None if fit["status"] == "fits" else str(text)


@forensic("same-tokens", "Equal vocabularies come to equal numbers of training tokens")
def check_same_tokens(evidence: Evidence) -> Result:
    """Unequal counts mean other data, or another tokenizer on the same titles, which titles and characters show."""
    first: dict[int, StoredRun] = {}
    others: dict[tuple[int, int, Word], list[StoredRun]] = {}
    """By vocabulary, count, and whether the titles are those of the first run with that vocabulary."""
    unknown = []
    for run in evidence.comparison.runs.values():
        facts = run.facts
        if facts.vocab_size is None or facts.num_train_tokens is None:
            unknown.append(run.folder.name)
            continue
        before = first.setdefault(facts.vocab_size, run)
        if facts.num_train_tokens != before.facts.num_train_tokens:
            word = judge_texts(vars(before.facts), vars(facts))
            others.setdefault((facts.vocab_size, facts.num_train_tokens, word), []).append(run)
    results = [_judge_counts(first[size], runs, word) for (size, _, word), runs in others.items()]
    if unknown:
        results.append(("NOT CHECKED", f"{', '.join(unknown)}: training tokens or vocabulary size are not given"))
    if len(first) > 1:
        results.append(("NOT CHECKED", f"the vocabularies differ: {', '.join(f'{size:,}' for size in first)}"))
    if not results:
        counted = {run.facts.num_train_tokens for run in first.values()}
        results += [("PASS", f"{count:,} training tokens in every run") for count in counted]
    return join_results(results)


def _judge_counts(first: StoredRun, runs: Sequence[StoredRun], word: Word) -> Result:
    """Of runs with one count, which is not that of the first run with their vocabulary."""
    listed = ", ".join(f"{run.folder.name} {run.facts.num_train_tokens:,}" for run in (first, runs[0]))
    alike = f" (and {format_few([run.folder.name for run in runs[1:]])})" if len(runs) > 1 else ""
    counts = f"with a vocabulary of {first.facts.vocab_size:,}: {listed}{alike}"
    if word == "other":
        return "FAIL", f"other data or another tokenizer: {counts}"
    if word == "same":
        return "PASS", f"another tokenizer on the same titles: {counts}"
    return (
        "NOT CHECKED",
        f"another tokenizer on the same titles would come to that, and so would other titles: {counts}",
    )


def _has_no_journal(run: StoredRun) -> bool:
    """Whether a command failed, of whose log nothing was taken in."""
    return run.record["status"] == "failed" and "mainrun_log_sha256" not in run.record


@forensic(
    "reimport",
    "The journals of logs follow from the logs",
    applies=lambda comparison: any(run.is_read for run in comparison.runs.values()),
)
def check_reimport(evidence: Evidence) -> Result:
    """Every source, read again from its stored bytes, gives the stored journal, status and notes.

    Where only notes differ, another version read it and says it in other words.
    """
    checked, reworded = 0, []
    for run in evidence.comparison.runs.values():
        source = run.record.get("source")
        if not run.is_read or source is None or _has_no_journal(run):
            continue
        log = read_stored(run.folder, source)
        again = log.to_journal()
        if again != run.events and (again := json.loads(json.dumps(again))) != run.events:
            said, read = ([event for event in events if event["event"] != NOTE] for events in (run.events, again))
            if said == read:
                reworded.append(run.folder.name)
                continue
            number = next(n for n, (a, b) in enumerate(zip_longest(again, run.events), 1) if a != b)
            return "FAIL", f"{run.folder.name}/mainrun.log, line {number}: its source does not give this"
        if run.record["status"] == "imported" and log.status != "imported":
            return "FAIL", f"{run.folder.name}: its source is {log.status}: {log.reason}"
        checked += 1
    if reworded:
        return NOT_VOUCHED, f"{format_few(reworded)}: read again they give the same journal with other notes"
    num_notes = sum(len(run.select(NOTE)) for run in evidence.comparison.runs.values())
    return "PASS", f"{checked} sources read again give the same journals, with {num_notes} notes"
