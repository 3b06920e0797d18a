"""From stored runs, their measurements and findings to `comparison.json`: every number the reports print."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from harness.analyse.ablation import describe_ablation
from harness.analyse.certainty import find_code, has_other_code
from harness.analyse.command import describe_command
from harness.analyse.doubts import find_unseen
from harness.analyse.measured import Measured, measure
from harness.analyse.opponents import Judge, compute_mean_loss, find_baseline, find_common_basis, find_opponents
from harness.analyse.overlaps import count_beside, find_time_doubts, list_taken_over
from harness.analyse.pairs import BASES, COVERAGE_DIFFERS, FULL, describe_pair
from harness.analyse.ranking import rank_arms
from harness.analyse.run_entries import describe_run
from harness.analyse.sweeps import describe_sweeps
from harness.analyse.verdict import judge_together
from harness.plan.plan import PlannedRun
from harness.store.arm_fields import Arm
from harness.store.document import SCHEMA_VERSION, Document, Group, RunEntry
from harness.store.findings import Findings
from harness.store.measurements import Row
from harness.store.pair_fields import Verdict
from harness.store.rounding import round_numbers
from harness.store.runs import StoredComparison
from mainrun.record.errors import StoredResultsError

DescribePair = Callable[[Arm, Arm], dict[str, Any]]


def describe_comparison(
    comparison: StoredComparison, rows: Sequence[Row], findings: Findings, *, official: bool
) -> dict[str, Any]:
    """All numbers of a comparison, as a `Document` without sentences and figures, rounded to 12 significant digits.

    `official` says that the titles are proven to be the task's.
    """
    plan = comparison.plan
    if not any(run.events for run in comparison.runs.values()):
        raise StoredResultsError(f"{comparison.folder} holds no measurement yet; train it with compare --resume.")
    measured = measure(comparison, rows)
    beside, most_at_once = count_beside(comparison)
    arms: list[Arm] = round_numbers([measured.describe_arm(arm.name) for arm in plan.arms])
    runs: list[RunEntry] = round_numbers([describe_run(comparison, planned, beside) for planned in plan.runs])
    opponents = find_opponents(plan.against, arms, measured.finals, plan.seeds)
    compared = [pair for pair in (opponents[-1:] if plan.ablation else opponents) if all(arm["final"] for arm in pair)]
    kept_rules = all(finding["status"] != "FAIL" for finding in findings["constraints"])

    def describe(baseline: Arm, candidate: Arm) -> dict[str, Any]:
        names = baseline["name"], candidate["name"]
        measurements = {name: measured.get_rows(name) for name in names}
        pair = describe_pair(baseline, candidate, measurements, official=official, kept_rules=kept_rules)
        folders = [measured.headlines[name].folder_name for name in names]
        return {**pair, "doubts": [*pair["doubts"], *find_unseen(findings["integrity"], folders)]}

    pairs = _describe_pairs(measured, compared, runs, describe)
    judge = _build_judge(measured, arms, pairs)
    ranking = _rank(measured, arms, runs, pairs, judge)
    times = [event["timestamp"] for run in comparison.runs.values() for event in run.events]
    known_times = [time for time in times if (time or 0) > 0]
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
            "num_times": len(known_times),
            "started_at": min(known_times, default=None),
            "finished_at": max(known_times, default=None),
            "sha256": comparison.compute_hashes(),
            "runs": runs,
            "most_at_once": most_at_once,
            "taken_over": list_taken_over(runs, {arm["name"] for pair in compared for arm in pair}),
            "arms": arms,
            "scoring": group_arms(arms, "coverage_percent", "num_spans", "num_unscored_tokens"),
            "tokenizers": group_arms(arms, "tokenizer_trained_on"),
            **findings,
            "pairs": pairs,
            "ablation": _describe_ablation(measured, arms, describe),
            "sweeps": [] if plan.ablation else _describe_sweeps(measured, arms, ranking["field"], judge),
            "ranking": ranking,
            "num_findings": _count_findings(findings),
            "figures": [],
            "claims": [],
            "caveats": [],
        }
    )
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


def _describe_pairs(
    measured: Measured, compared: Sequence[tuple[Arm, Arm]], runs: Sequence[RunEntry], describe: DescribePair
) -> list[dict[str, Any]]:
    """Every pair that is compared, with its verdict, and what is left of that where all are judged at once."""
    pairs = []
    for baseline, candidate in compared:
        names = baseline["name"], candidate["name"]
        pair = describe(baseline, candidate)
        pair["time_doubts"] = find_time_doubts((baseline, candidate), runs)
        pair |= _describe_code_changes(measured.comparison, *(measured.headlines[name] for name in names))
        pair |= measured.judge(*names, pair["basis"], pair["doubts"], len(compared))
        if pair["coverage_differs"] and pair["basis"]["field"] == FULL:
            pair["verdict"]["reason"] += COVERAGE_DIFFERS
        pairs.append(round_numbers(pair))
    judge_together([pair["verdict"] for pair in pairs])
    return pairs


def _describe_code_changes(comparison: StoredComparison, baseline: PlannedRun, candidate: PlannedRun) -> dict[str, Any]:
    """The files in which the programs of two arms differ, or that they do; nothing where both have one program.

    The plan holds the files of arms that it had trained, against the first of them.
    """
    for change in comparison.plan.code_changes or ():
        if (change.baseline, change.candidate) == (baseline.arm, candidate.arm):
            return {"code_changes": [asdict(file) for file in change.files]}
    return {"has_other_code": True} if has_other_code(comparison, baseline, candidate) else {}


def _build_judge(measured: Measured, arms: Sequence[Arm], pairs: Sequence[Mapping[str, Any]]) -> Judge:
    """The verdict on any two arms; without an interval where the pair of one of them is in doubt."""
    field = find_common_basis(arms) or FULL
    doubted = {pair["candidate"] for pair in pairs if pair["doubts"]}

    @cache
    def judge(before: str, after: str) -> dict[str, Any]:
        certainty = measured.judge(before, after, {"field": field, "name": BASES[field]})
        return dict(certainty["verdict"]) | ({"interval_95": None} if doubted & {before, after} else {})

    return judge


def _rank(
    measured: Measured,
    arms: Sequence[Arm],
    runs: Sequence[RunEntry],
    pairs: Sequence[Mapping[str, Any]],
    judge: Judge,
) -> dict[str, Any]:
    plan = measured.comparison.plan
    shown_beside = find_baseline(plan.against, arms, measured.finals, plan.seeds)
    ranking = rank_arms(arms, shown_beside, pairs, measured.finals, plan.seeds, judge)
    return {"against": plan.against, "time_doubts": find_time_doubts(arms, runs), **ranking}


def _describe_sweeps(measured: Measured, arms: Sequence[Arm], field: str, judge: Judge) -> list[dict[str, Any]]:
    codes = {name: find_code(measured.comparison, run) for name, run in measured.headlines.items()}
    return describe_sweeps(arms, field, measured.finals, measured.comparison.plan.seeds, judge, codes)


def _describe_ablation(measured: Measured, arms: Sequence[Arm], describe: DescribePair) -> dict[str, Any] | None:
    """Losses are means over the seeds that every arm completed."""
    plan = measured.comparison.plan
    if plan.ablation is None or not all(arm["final"] for arm in arms):
        return None
    seeds = [seed for seed in plan.seeds if all(measured.finals.get((arm["name"], seed)) for arm in arms)]
    losses = {arm["name"]: compute_mean_loss(arm, FULL, measured.finals, seeds)[1] for arm in arms}
    by_name = {arm["name"]: arm for arm in arms}

    @cache
    def doubt(before: str, after: str) -> list[str]:
        doubts: list[str] = describe(by_name[before], by_name[after])["doubts"]
        return doubts

    def judge(before: str, after: str, num_pairs: int) -> Verdict:
        basis = {"field": FULL, "name": BASES[FULL]}
        verdict: Verdict = measured.judge(before, after, basis, doubt(before, after), num_pairs)["verdict"]
        return verdict

    known = {name: loss for name, loss in losses.items() if loss is not None}
    return {**describe_ablation(plan.ablation, known, judge, doubt), "num_seeds": max(1, len(seeds))}


def _count_findings(findings: Findings) -> dict[str, int]:
    statuses = [finding["status"] for group in findings.values() for finding in group]
    counted = {"passed": "PASS", "failed": "FAIL", "unvouched": "NOT VOUCHED", "absent": "NOT CHECKED"}
    return {name: statuses.count(status) for name, status in counted.items()}
