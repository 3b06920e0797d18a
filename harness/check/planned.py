"""Rules on the runs of a comparison together: one code, equal terms, and every planned run there, whole, and once."""

import re
from collections.abc import Collection, Mapping
from functools import partial
from itertools import combinations
from typing import Any

from harness.check.known_code import is_guarded
from harness.check.registry import NO_CODE, Evidence, Registry, Result, find_unfinished, join_results, register
from harness.formats import format_hash, format_number_of
from harness.plan.code import compute_sources_sha256
from harness.plan.noise import find_known_noise
from harness.plan.plan import FILE_NAME as PLAN_NAME
from harness.plan.plan import Arm, Plan, order_runs
from harness.plan.seeds import find_plan_hashes
from harness.store.facts import known
from harness.store.records import TAKEN_OVER
from harness.store.runs import StoredRun

REQUIRED_SOURCES = (
    frozenset({"data/batches.py", "metric/evaluate.py", "metric/full_loss.py", "model/attention.py", "model/gpt.py",
               "run.py", "step.py"}),
    frozenset({"corpus.py", "evaluate.py", "full_loss.py", "loop.py", "model.py", "state.py", "tokenizer.py"}),
)  # fmt: skip
"""Today's and those of the first release: source files without whose hashes nothing shows that two arms have one code.
"""
DECIDING_SOURCES = ("metric/", "model/", "optim/", "data/batches.py", "devices.py", "rules.py", "run.py", "sizes.py",
                    "step.py")  # fmt: skip
"""Folders and files of today's program that decide a run's numbers; of the first release's, all files count."""
STORED_FORMATS = frozenset({"record/events.py", "record/journal.py", "record/parquet.py", "record/run_record.py",
                            "record/title_losses.py"})  # fmt: skip
"""Files of the training program that write what is measured; with those of data, tokens and metric all arms have them.
"""
PLANNED: Registry = {}
planned = partial(register, PLANNED)
NOT_PLANNED = "the runs were taken in after they were made: which others there were is not known"


@planned("same-code", "The planned code and one kind of machine in all arms")
def check_same_code(evidence: Evidence) -> Result:
    """All runs have the same training code, torch version, device kind, precision and thread count.

    Code is what decides a run's numbers: a recipe, an importer or an option more makes no other code. Where the plan
    gives arms code of their own, every run has to have the code that it declares, to the last file.
    """
    comparison = evidence.comparison
    results: list[Result] = [("NOT CHECKED", NO_CODE)] if len(comparison.trained) < len(comparison.runs) else []
    if unfinished := find_unfinished(comparison):
        results += unfinished
    elif comparison.trained:
        results.append(_compare_code(comparison.plan, comparison.trained))
    return join_results(results)


def _compare_code(plan: Plan, runs: list[StoredRun]) -> Result:
    is_declared = plan.code_changes is not None
    for run in runs if is_declared else ():
        declared = plan.get_arm(run.arm).code
        if declared is None or compute_sources_sha256(run.record["source_sha256"]) != declared.sources_sha256:
            return "FAIL", f"training code of {run.folder.name} is not the code that the plan declares"
    (first_name, first), *others = [(run.folder.name, _describe_code(run, is_declared=is_declared)) for run in runs]
    for other_name, other in others:
        for name in first:
            if first[name] != other[name] and not (is_declared and name == "training code"):
                return "FAIL", f"{name} differs between {first_name} and {other_name}"
    code, *used, num_threads = first.values()
    threads = format_number_of(num_threads, "thread")
    machine = f"torch {', '.join(used)}, {threads}"
    if plan.code_changes is None:
        return "PASS", f"the same {len(code)} source files that decide numbers, {machine}"
    changed = {file.name for change in plan.code_changes for file in change.files}
    return "PASS", f"every run has the code planned for its arm, {len(changed)} files differ; {machine}"


def _describe_code(run: StoredRun, *, is_declared: bool) -> dict[str, Any]:
    machine, files = run.record["machine"], run.record["source_sha256"]
    is_of_today = REQUIRED_SOURCES[0] <= files.keys()
    code = {name: sha for name, sha in files.items() if not is_of_today or name.startswith(DECIDING_SOURCES)}
    used = {
        "torch version": machine["library_versions"]["torch"],
        "device": machine["device"],
        "precision": machine["precision"],
    }
    whole = is_declared or any(files.keys() >= due for due in REQUIRED_SOURCES)
    if not whole or not all(isinstance(value, str) for value in (*code.values(), *used.values())):
        raise ValueError("source files, torch version, device or precision are missing")
    if isinstance(machine["num_threads"], bool) or not isinstance(machine["num_threads"], int):
        raise ValueError("the thread count is missing")
    return {"training code": code, **used, "thread count": machine["num_threads"]}


@planned("planned-runs", "All planned runs are there")
def check_planned_runs(evidence: Evidence) -> Result:
    """Every planned run is present, complete, of this plan, and there once."""
    comparison, plan = evidence.comparison, evidence.comparison.plan
    logs = {source["arm"] for source in plan.sources or [] if source["kind"] != "run" and not source.get("external")}
    unfinished = [run.folder_name for run in comparison.unfinished if run.arm not in logs]
    if unfinished:
        return "FAIL", f"not complete: {', '.join(unfinished)}"
    results: list[Result] = []
    if plan.sources is None and set(plan.runs) != set(order_runs([arm.name for arm in plan.arms], plan.seeds)):
        return "FAIL", "the plan does not hold a run of every arm with every seed"
    if any("source" in run.record and not run.record["source"].get("external") for run in comparison.runs.values()):
        results.append(("NOT CHECKED", NOT_PLANNED))
    if comparison.trained:
        results.append(_judge_trained(evidence, comparison.trained))
    elif not results:
        results.append(("PASS", "its plan was fixed before it"))
    return join_results(results)


@planned(
    "known-noise",
    "One seed is judged by no other noise than was measured",
    applies=lambda comparison: comparison.plan.known_noise is not None,
)
def check_known_noise(evidence: Evidence) -> Result:
    """A plan that takes less noise of training as known than is known of its arms makes chance a verdict."""
    plan = evidence.comparison.plan
    taken = plan.known_noise
    assert taken is not None
    configs = [arm.config for arm in plan.arms if arm.config]
    known_here = find_known_noise(plan.preset, configs, plan.corpus["source"])
    seeds = evidence.comparison.find_whole_seeds().values()
    if all(len(one & other) > 1 for one, other in combinations(seeds, 2)):
        return "PASS", "every pair has two seeds or more, and is judged by what they show"
    if known_here is None:
        return "FAIL", f"its plan takes a noise of at most {taken.high_percent:g} % as known, of which nothing is known"
    if taken.high_percent < known_here.high_percent:
        known_percent = known_here.high_percent
        return "FAIL", f"its plan takes a noise of at most {taken.high_percent:g} %, known is {known_percent:g} %"
    return "PASS", (
        f"by its plan a gain's standard deviation from seed to seed is at most {taken.high_percent:g} %, and known is "
        f"{known_here.high_percent:g} %"
    )


def _judge_trained(evidence: Evidence, runs: list[StoredRun]) -> Result:
    """The runs of the training program: each by this plan, as planned, and no two of them one training."""
    plan_sha256 = evidence.comparison.compute_hashes()[PLAN_NAME]
    finals: dict[str, str] = {}
    journals: dict[str, str] = {}
    elsewhere: list[str] = []
    for run in runs:
        problem = _find_other_plan(evidence, run, find_plan_hashes(evidence.comparison.plan, plan_sha256, run.seed))
        if problem:
            return "FAIL", f"{run.folder.name} {problem}"
        name, record = run.folder.name, run.record
        twins = {
            "ends with the weights of": finals.setdefault(f"{run.arm} {record['final_weights_sha256']}", name),
            "has the journal of": journals.setdefault(record["mainrun_log_sha256"], name),
        }
        for what, twin in twins.items():
            if twin != name:
                return "FAIL", f"{name} {what} {twin}: one run presented as two"
        if TAKEN_OVER in record:
            origin = record[TAKEN_OVER]
            elsewhere.append(f"{origin['comparison']} (plan {format_hash(origin['plan_sha256'])})")
    text = f"{len(finals)} of {len(runs)} runs complete"
    if not elsewhere:
        return "PASS", f"{text}, all under plan {format_hash(plan_sha256)}"
    here = f"{len(finals) - len(elsewhere)} trained under plan {format_hash(plan_sha256)}"
    return "PASS", f"{text}, {here}, {len(elsewhere)} taken over into it, of {', '.join(dict.fromkeys(elsewhere))}"


def _find_other_plan(evidence: Evidence, run: StoredRun, plan_hashes: Collection[str]) -> str | None:
    """What of a run is not as its plan says, which has one of the hashes."""
    plan, record = evidence.comparison.plan, run.record
    planned = next(key for key, value in evidence.comparison.runs.items() if value is run)
    if (run.arm, run.seed) != (planned.arm, planned.seed) or record["plan_sha256"] not in plan_hashes:
        return "was not trained under this plan"
    arm = plan.get_arm(run.arm)
    if record["config"] != arm.config or any(arm.sizes[key] != value for key, value in record["sizes"].items()):
        return "was trained with another configuration or size than planned"
    asked = {"preset": plan.preset, "recipe": arm.recipe, "settings": arm.settings}
    is_here = TAKEN_OVER not in record and "source" not in record
    if is_here and any(record["request"][key] != value for key, value in asked.items()):
        return "was asked for with another recipe, setting or preset than planned"
    if run.select("model_info")[0]["parameters_count"] != _count_parameters(arm):
        return "trained another number of parameters than planned"
    for key in ("initial_weights_sha256", "final_weights_sha256"):
        if not re.fullmatch("[0-9a-f]{64}", record[key] or ""):
            return f"has no {key}"
    if TAKEN_OVER in record:
        hashes = [record[TAKEN_OVER][key] for key in ("plan_sha256", "run_json_sha256")]
        if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hashes) or {*plan_hashes} & {*hashes}:
            return "does not say which plan it was trained under"
    return None


def _count_parameters(arm: Arm) -> Any:
    """Those of the model that the arm's own program builds, where that was asked; else those of the formula."""
    return arm.sizes.get("num_parameters_built", arm.sizes["num_parameters"])


@planned(
    "equal-terms",
    "Data, tokens and metric are made by the same code in all arms",
    lambda comparison: comparison.plan.code_changes is not None,
)
def check_equal_terms(evidence: Evidence) -> Result:
    """The files that make data, tokens and metric are the same in the programs of all arms, by hash.

    A file that only has another name is the same.
    """
    plan, runs = evidence.comparison.plan, evidence.comparison.runs.values()
    sources = {run.arm: known(run.facts.source_sha256, NO_CODE) for run in runs if not run.is_read}
    missing = [arm.name for arm in plan.arms if arm.code is not None and arm.name not in sources]
    if missing:
        return "NOT CHECKED", f"no run of {', '.join(missing)} is there"
    (baseline, first), *others = sources.items()
    for arm, other in others:
        changed = sorted({*_list_missing(first, other), *_list_missing(other, first)})
        if changed:
            return "FAIL", (
                f"{', '.join(changed)}: not the same in {arm} as in {baseline}; their losses may not be on equal terms"
            )
    count = sum(map(_is_protected, first))
    return "PASS", f"{count} files of data, metric and stored formats are the same in {len(sources)} arms"


def _list_missing(one: Mapping[str, str], two: Mapping[str, str]) -> list[str]:
    """Protected files of `one` whose content none of `two` has."""
    digests = set(two.values())
    return [name for name, digest in one.items() if _is_protected(name) and digest not in digests]


def _is_protected(name: str) -> bool:
    return is_guarded(name) or name in STORED_FORMATS
