"""From stored runs, their measurements and findings to `comparison.json`: every number the reports print."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from itertools import pairwise
from typing import Any

from harness.analyse.ablation import describe_ablation
from harness.analyse.arms import average_costs, describe_arm, describe_cost, measure_last
from harness.analyse.certainty import describe_certainty, find_code, has_other_code
from harness.analyse.command import describe_command
from harness.analyse.doubts import find_unseen
from harness.analyse.examine import examine_all
from harness.analyse.opponents import Finals, compute_mean_loss, find_baseline, find_common_basis, find_opponents
from harness.analyse.overlaps import RESUMED, count_beside, find_time_doubts, list_taken_over
from harness.analyse.pairs import BASES, COVERAGE_DIFFERS, FULL, describe_pair
from harness.analyse.ranking import rank_arms
from harness.analyse.sweeps import describe_sweeps
from harness.analyse.verdict import judge_together
from harness.plan.plan import PlannedRun
from harness.store.arm_fields import Arm
from harness.store.document import SCHEMA_VERSION, Document, Group, RunEntry
from harness.store.measurements import Row
from harness.store.pair_fields import Verdict
from harness.store.rounding import round_numbers
from harness.store.runs import TAKEN_OVER, StoredComparison, StoredRun
from mainrun.record.errors import StoredResultsError

NOTED_CLOCK_CHANGE_S = 1.0
"""A machine's clock that was set back by less is not worth a caveat."""
Rows = dict[tuple[str, int], list[Row]]
"""Measurements by arm and seed."""


def describe_comparison(
    comparison: StoredComparison,
    rows: Sequence[Row],
    findings: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    official: bool,
) -> dict[str, Any]:
    """All numbers of a comparison, as a `Document` without sentences and figures, rounded to 12 significant digits.

    `findings` holds `constraints` and `integrity`; `official` says that the titles are proven to be the task's.
    """
    plan = comparison.plan
    if not any(run.events for run in comparison.runs.values()):
        raise StoredResultsError(f"{comparison.folder} holds no measurement yet; train it with compare --resume.")
    by_run: Rows = {(run.arm, run.seed): [] for run in plan.runs}
    for row in rows:
        by_run[row["arm"], row["seed"]].append(row)
    (beside, most_at_once), examined = count_beside(comparison), examine_all(comparison)
    headlines = {arm.name: comparison.find_headline(arm.name) for arm in plan.arms}
    rows_by_arm = {name: by_run[run.arm, run.seed] for name, run in headlines.items()}
    finals = {
        (run.arm, run.seed): measure_last(comparison.runs.get(run), examined.get(run), by_run[run.arm, run.seed])[0]
        for run in plan.runs
    }
    arms = [_describe(comparison, run, by_run, finals) for run in headlines.values()]
    events = [event for run in comparison.runs.values() for event in run.events]
    times = [event["timestamp"] for event in events if (event["timestamp"] or 0) > 0]
    document: Document = round_numbers(
        {
            "schema_version": SCHEMA_VERSION,
            "name": plan.name,
            "preset": plan.preset,
            "corpus": {**plan.corpus, "description": plan.describe_corpus(), "is_official": official},
            "primary_metric": plan.primary_metric,
            "margin_percent": plan.margin_percent,
            "seeds": plan.seeds,
            "seeds_added": [seed for added in plan.seeds_added for seed in added] if plan.seeds_added else None,
            "num_runs_complete": len(plan.runs) - len(comparison.unfinished),
            "num_runs_taken_in": sum("source" in run.record for run in comparison.runs.values()),
            "command": describe_command(comparison),
            "num_times": len(times),
            "started_at": min(times, default=None),
            "finished_at": max(times, default=None),
            "sha256": comparison.compute_hashes(),
            "runs": [_describe_run(comparison, planned, beside) for planned in plan.runs],
            "most_at_once": most_at_once,
            "taken_over": {"runs": [], "comparisons": []},
            "arms": arms,
            "scoring": group_arms(arms, "coverage_percent", "num_spans", "num_unscored_tokens"),
            "tokenizers": group_arms(arms, "tokenizer_trained_on"),
            **findings,
            "pairs": [],
            "ablation": None,
            "sweeps": [],
            "ranking": {},
            "num_findings": _count_findings(findings),
            "figures": [],
            "claims": [],
            "caveats": [],
        }
    )
    kept_rules = all(finding["status"] != "FAIL" for finding in findings["constraints"])
    opponents = find_opponents(plan.against, document["arms"], finals, plan.seeds)
    measured = [arms for arms in (opponents[-1:] if plan.ablation else opponents) if all(arm["final"] for arm in arms)]

    def describe(baseline: Arm, candidate: Arm) -> dict[str, Any]:
        pair = describe_pair(baseline, candidate, rows_by_arm, official=official, kept_rules=kept_rules)
        folders = [headlines[arm["name"]].folder_name for arm in (baseline, candidate)]
        return {**pair, "doubts": [*pair["doubts"], *find_unseen(findings["integrity"], folders)]}

    for baseline, candidate in measured:
        pair = describe(baseline, candidate)
        runs = headlines[baseline["name"]], headlines[candidate["name"]]
        pair["time_doubts"] = find_time_doubts((baseline, candidate), document["runs"])
        pair |= _describe_code_changes(comparison, *runs)
        pair |= describe_certainty(comparison, *runs, finals, pair["basis"], pair["doubts"], len(measured))
        if pair["coverage_differs"] and pair["basis"]["field"] == FULL:
            pair["verdict"]["reason"] += COVERAGE_DIFFERS
        document["pairs"].append(round_numbers(pair))
    document["taken_over"] = list_taken_over(document["runs"], {arm["name"] for arms in measured for arm in arms})
    judge_together([pair["verdict"] for pair in document["pairs"]])
    judge = _build_judge(comparison, document, headlines, finals)
    by_name = {arm["name"]: arm for arm in document["arms"]}
    doubt = cache(lambda before, after: describe(by_name[before], by_name[after])["doubts"])
    document["ablation"] = round_numbers(_describe_ablation(comparison, document["arms"], headlines, finals, doubt))
    time_doubts = find_time_doubts(document["arms"], document["runs"])
    shown_beside = find_baseline(plan.against, document["arms"], finals, plan.seeds)
    ranking = rank_arms(document["arms"], shown_beside, document["pairs"], finals, plan.seeds, judge)
    document["ranking"] = round_numbers({"against": plan.against, "time_doubts": time_doubts, **ranking})
    if plan.ablation is None:
        codes = {name: find_code(comparison, run) for name, run in headlines.items()}
        found = describe_sweeps(document["arms"], document["ranking"]["field"], finals, plan.seeds, judge, codes)
        document["sweeps"] = round_numbers(found)
    return dict(document)


def group_arms(arms: Sequence[Arm], *fields: str) -> list[Group]:
    """Arms with measurements, those together of which all `fields` are equal; none where one is absent.

    A field is the arm's own, or of its final measurements.
    """
    groups: dict[tuple[Any, ...], Group] = {}
    for arm in arms:
        measured: dict[str, Any] = {**arm, **(arm["final"] or {})}
        values = tuple(measured.get(field) for field in fields)
        if arm["final"] is not None and None not in values:
            group = groups.setdefault(values, {"labels": [], "value": dict(zip(fields, values, strict=True))})
            group["labels"].append(arm["label"])
    return list(groups.values())


def _describe_code_changes(comparison: StoredComparison, baseline: PlannedRun, candidate: PlannedRun) -> dict[str, Any]:
    """The files in which the programs of two arms differ, or that they do; nothing where both have one program.

    The plan holds the files of arms that it had trained, against the first of them.
    """
    for change in comparison.plan.code_changes or ():
        if (change.baseline, change.candidate) == (baseline.arm, candidate.arm):
            return {"code_changes": [asdict(file) for file in change.files]}
    return {"has_other_code": True} if has_other_code(comparison, baseline, candidate) else {}


def _describe(comparison: StoredComparison, run: PlannedRun, rows: Rows, finals: Finals) -> Arm:
    arm, found = comparison.plan.get_arm(run.arm), examine_all(comparison)
    described = describe_arm(arm, run.seed, comparison.runs.get(run), found.get(run), rows[run.arm, run.seed])
    if described["cost"] is not None:
        seeds = [seed for seed in comparison.plan.seeds if seed != run.seed and finals.get((run.arm, seed))]
        others = [PlannedRun(run.arm, seed) for seed in seeds]
        costs = [
            describe_cost(comparison.runs[other], found.get(other), arm, rows[other.arm, other.seed])
            for other in others
        ]
        described["cost"] = average_costs([described["cost"], *costs])
    return described


def _describe_run(comparison: StoredComparison, planned: PlannedRun, beside: Mapping[PlannedRun, int]) -> RunEntry:
    """How a planned run ended. A run trained elsewhere, or while the machine's clock was set back, says so besides."""
    plan, run = comparison.plan, comparison.runs.get(planned)
    described: RunEntry = {"arm": planned.arm, "label": plan.get_arm(planned.arm).label, "seed": planned.seed,
                           "origin": "trained", "status": "missing", "reason": None}  # fmt: skip
    if run is not None:
        described |= {"origin": run.origin, "status": run.record["status"], "reason": run.record["reason"]}
        described |= _describe_clock(run)
    if planned not in plan.compared_runs:
        described["is_left_out"] = True
    if planned in beside:
        described["num_runs_beside"] = beside[planned]
    return described


def _describe_clock(run: StoredRun) -> RunEntry:
    described: RunEntry = {}
    times = [event["timestamp"] for event in run.events if event["timestamp"] is not None]
    if TAKEN_OVER in run.record:
        described["taken_over"] = {**run.record[TAKEN_OVER], "started_at": min(times), "finished_at": max(times)}
    if resumes := [event for event in run.select(RESUMED) if "checkpoint_sha256" in event]:
        described["resumed"] = {
            "steps": [event["step"] for event in resumes],
            "checkpoints": [event["checkpoint_sha256"] for event in resumes],
        }
    clock_set_back_s = max((before - after for before, after in pairwise(times)), default=0.0)
    if not run.is_read and clock_set_back_s >= NOTED_CLOCK_CHANGE_S:
        described["clock_set_back_s"] = clock_set_back_s
    return described


def _build_judge(
    comparison: StoredComparison,
    document: Document,
    headlines: Mapping[str, PlannedRun],
    finals: Finals,
) -> Callable[[str, str], dict[str, Any]]:
    """The verdict on any two arms; without an interval where the pair of one of them is in doubt."""
    field = find_common_basis(document["arms"]) or FULL
    doubted = {pair["candidate"] for pair in document["pairs"] if pair["doubts"]}

    @cache
    def judge(before: str, after: str) -> dict[str, Any]:
        basis = {"field": field, "name": BASES[field]}
        certainty = describe_certainty(comparison, headlines[before], headlines[after], finals, basis)
        return dict(certainty["verdict"]) | ({"interval_95": None} if doubted & {before, after} else {})

    return judge


def _count_findings(findings: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, int]:
    statuses = [finding["status"] for group in findings.values() for finding in group]
    counted = {"passed": "PASS", "failed": "FAIL", "unvouched": "NOT VOUCHED", "absent": "NOT CHECKED"}
    return {name: statuses.count(status) for name, status in counted.items()}


def _describe_ablation(
    comparison: StoredComparison,
    arms: Sequence[Arm],
    headlines: Mapping[str, PlannedRun],
    finals: Finals,
    doubt: Callable[[str, str], list[str]],
) -> dict[str, Any] | None:
    """Losses are means over the seeds that every arm completed."""
    plan = comparison.plan
    if plan.ablation is None or not all(arm["final"] for arm in arms):
        return None
    seeds = [seed for seed in plan.seeds if all(finals.get((arm["name"], seed)) for arm in arms)]
    losses = {arm["name"]: compute_mean_loss(arm, FULL, finals, seeds)[1] for arm in arms}
    basis = {"field": FULL, "name": BASES[FULL]}

    def judge(before: str, after: str, num_pairs: int) -> Verdict:
        runs = headlines[before], headlines[after]
        certainty = describe_certainty(comparison, *runs, finals, basis, doubt(before, after), num_pairs)
        verdict: Verdict = certainty["verdict"]
        return verdict

    known = {name: loss for name, loss in losses.items() if loss is not None}
    return {**describe_ablation(plan.ablation, known, judge, doubt), "num_seeds": max(1, len(seeds))}
