"""What counts and first losses give away, and whether what was read from a log still follows from it."""

import json
from functools import partial

from harness.analyse.examine import examine_run
from harness.check.registry import Evidence, Registry, Result, register, register_of_runs
from harness.sources.find import STORED_NAMES, read_source
from harness.store.facts import AbsentError
from harness.store.journals import NOTE
from harness.store.runs import StoredComparison, StoredRun

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
    examined = examine_run(run) or {}
    fit, task_fit = examined["fit"], examined["task_fit"]
    text = fit["reason"] + (f"; on the text of the task, {task_fit['reason']}" if task_fit else "")
    if fit["status"] == "not decidable":
        raise AbsentError(text)
    return None if fit["status"] == "fits" else str(text)


@forensic("same-tokens", "Equal vocabularies come to equal numbers of training tokens")
def check_same_tokens(evidence: Evidence) -> Result:
    """Unequal counts mean other data or another tokenizer, so that a gain would be of both."""
    counts: dict[int, dict[int, str]] = {}
    unknown = []
    for run in evidence.comparison.runs.values():
        facts = run.facts
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


def _has_logs(comparison: StoredComparison) -> bool:
    return any(run.is_read for run in comparison.runs.values())


@forensic("reimport", "The journals of logs follow from the logs", applies=_has_logs)
def check_reimport(evidence: Evidence) -> Result:
    """Every source, read again from its stored bytes, gives the stored journal, status and notes."""
    checked = 0
    for run in evidence.comparison.runs.values():
        source = run.record.get("source")
        if not run.is_read or source is None or (run.record["status"] == "failed" and not source["files"]):
            continue
        place = run.folder / STORED_NAMES[source["kind"]]
        log = read_source(source["kind"], place, source["name"], source["loss_unit"])
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
