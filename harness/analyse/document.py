"""From stored runs and `metrics.parquet` to `comparison.json`: every number the reports print."""

import shlex
from dataclasses import asdict
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from harness.analyse.any_document import build_foreign_document, describe_import_command
from harness.analyse.arms import describe_arm
from harness.analyse.overlaps import count_beside
from harness.analyse.pairs import describe_pair
from harness.analyse.seeds import describe_robustness, pair_seeds
from harness.analyse.titles import describe_titles
from harness.analyse.uncertainty import bootstrap_gains, compute_bootstrap_interval
from harness.analyse.verdict import MARGIN_PERCENT, decide_verdict
from harness.check.integrity import INTEGRITY
from harness.check.logs import run_mixed_checks
from harness.check.registry import Evidence
from harness.check.rules import CONSTRAINTS, describe_corpus
from harness.claims.caveats import build_caveats, build_document_claims
from harness.claims.findings import build_claims
from harness.plan.ablation import describe_ablation
from harness.plan.plan import PRIMARY_METRIC, Plan, PlannedRun
from harness.store.measurements import Row, build_rows, load_metrics
from harness.store.rounding import round_numbers
from harness.store.runs import TAKEN_OVER, StoredComparison, StoredRun
from mainrun.record.errors import StoredResultsError
from mainrun.record.files import load_json, save_json

SCHEMA_VERSION = 1
FILE_NAME = "comparison.json"
NOTED_CLOCK_CHANGE_S = 1.0
"""A machine's clock that was set back by less is not worth a caveat."""


def analyse(comparison: StoredComparison) -> dict[str, Any]:
    """Builds, writes and returns `comparison.json`."""
    document = build_document(comparison, load_metrics(comparison.folder))
    save_json(comparison.folder / FILE_NAME, document)
    return document


@lru_cache(maxsize=1)
def rebuild(comparison: StoredComparison) -> tuple[list[Row], dict[str, Any]]:
    """Measurements and document made again from the journals, whatever is stored of them."""
    rows = [row for run in comparison.runs.values() for row in build_rows(run)]
    document: dict[str, Any] = round_numbers(build_document(comparison, rows))
    return rows, document


def load_document(folder: Path) -> dict[str, Any]:
    """The stored `comparison.json`."""
    return load_json(folder / FILE_NAME, SCHEMA_VERSION)


def build_document(comparison: StoredComparison, rows: list[Row]) -> dict[str, Any]:
    """All that the reports say, as plain JSON values with numbers rounded to 12 significant digits."""
    plan = comparison.plan
    if any(run.is_foreign for run in comparison.runs.values()) or not _share_headline_seed(plan):
        return build_foreign_document(comparison, rows, _describe_runs(comparison), _describe_certainty)
    headline = {arm.name: PlannedRun(arm.name, plan.seeds[0]) for arm in plan.arms}
    rows_by_arm = {
        name: [row for row in rows if (row["arm"], row["seed"]) == (run.arm, run.seed)]
        for name, run in headline.items()
    }
    arms = [describe_arm(arm, comparison.runs.get(headline[arm.name]), rows_by_arm[arm.name]) for arm in plan.arms]
    times = [event["timestamp"] for run in comparison.runs.values() for event in run.events]
    if not times:
        raise StoredResultsError(f"{comparison.folder} holds no measurement yet; train it with compare --resume.")
    findings = run_mixed_checks(CONSTRAINTS, Evidence(comparison))
    official = any(finding.name == "official-data" and finding.status == "PASS" for finding in findings)
    kept_rules = all(finding.status != "FAIL" for finding in findings)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "name": plan.name,
        "preset": plan.preset,
        "corpus": {**plan.corpus, "description": describe_corpus(plan.corpus), "is_official": official},
        "primary_metric": plan.primary_metric,
        "margin_percent": plan.margin_percent,
        "seeds": plan.seeds,
        "num_runs_complete": len(plan.runs) - len(comparison.unfinished),
        "command": describe_command(comparison),
        "started_at": min(times),
        "finished_at": max(times),
        "sha256": comparison.compute_hashes(),
        "runs": _describe_runs(comparison),
        "arms": arms,
        "constraints": [asdict(finding) for finding in findings],
        "integrity": [asdict(finding) for finding in run_mixed_checks(INTEGRITY, Evidence(comparison))],
        "pairs": [],
    }
    document = round_numbers(document)
    baseline, *candidates = document["arms"]
    for candidate in candidates[-1:] if plan.ablation else candidates:
        if baseline["final"] is None or candidate["final"] is None:
            continue
        pair = describe_pair(baseline, candidate, rows_by_arm, official=official and kept_rules)
        pair |= _describe_certainty(comparison, headline[baseline["name"]], headline[candidate["name"]], rows)
        if pair["coverage_differs"]:
            pair["verdict"]["reason"] += "; the arms' coverage differs, so their frozen losses are not on equal terms"
        document["pairs"].append(round_numbers(pair))
        document["pairs"][-1]["claims"] = round_numbers(build_claims(document, len(document["pairs"]) - 1))
    document["ablation"] = None
    if plan.ablation and all(arm["final"] for arm in document["arms"]):
        finals = {arm["name"]: arm["final"]["full_loss_nats_per_char"] for arm in document["arms"]}
        document["ablation"] = round_numbers(
            describe_ablation(
                plan.ablation,
                finals,
                lambda before, after: _describe_certainty(comparison, headline[before], headline[after], rows)[
                    "verdict"
                ],
            )
        )
    document["claims"] = build_document_claims(document)
    document["caveats"] = round_numbers(build_caveats(document))
    return document


def _share_headline_seed(plan: Plan) -> bool:
    """Whether every arm has a run with the first seed; of runs taken in from several comparisons one may have none."""
    return all(PlannedRun(arm.name, plan.seeds[0]) in plan.runs for arm in plan.arms)


def _describe_runs(comparison: StoredComparison) -> list[dict[str, Any]]:
    plan = comparison.plan
    described = [_describe_run(run, plan.get_arm(run.arm).label, comparison.runs.get(run)) for run in plan.runs]
    beside = count_beside(comparison)
    for run, values in zip(plan.runs, described, strict=True):
        if run not in plan.compared_runs:
            values["is_left_out"] = True
        if run in beside:
            values["num_runs_beside"] = beside[run]
    return described


def _describe_run(planned: PlannedRun, label: str, run: StoredRun | None) -> dict[str, Any]:
    """How a planned run ended. A run trained elsewhere, or while the machine's clock was set back, says so besides."""
    described = {"arm": planned.arm, "label": label, "seed": planned.seed}
    if run is None:
        return {**described, "status": "missing", "reason": None}
    described |= {"status": run.record["status"], "reason": run.record["reason"]}
    if run.is_foreign:
        return described
    times = [event["timestamp"] for event in run.events]
    if TAKEN_OVER in run.record:
        described[TAKEN_OVER] = {**run.record[TAKEN_OVER], "started_at": min(times), "finished_at": max(times)}
    clock_set_back_s = max((before - after for before, after in pairwise(times)), default=0.0)
    if clock_set_back_s >= NOTED_CLOCK_CHANGE_S:
        described["clock_set_back_s"] = clock_set_back_s
    return described


def _describe_certainty(
    comparison: StoredComparison, baseline: PlannedRun, candidate: PlannedRun, rows: list[Row]
) -> dict[str, Any]:
    """What the seeds and the titles say about how sure the pair's gain is, and the verdict that follows."""
    plan = comparison.plan
    seed_pairs = pair_seeds(
        plan.seeds, *(_find_final_losses(comparison, run.arm, rows) for run in (baseline, candidate))
    )
    columns = [comparison.runs[run].load_title_losses() for run in (baseline, candidate)]
    gains = bootstrap_gains(np.array(columns[0]["loss_nats"]), np.array(columns[1]["loss_nats"]))
    num_titles = len(columns[0]["loss_nats"])
    configs = [plan.get_arm(run.arm).config for run in (baseline, candidate)]
    wide, narrow = (compute_bootstrap_interval(gains, level, num_titles) for level in (0.95, 0.90))
    return {
        "verdict": decide_verdict([pair["gain_percent"] for pair in seed_pairs], (wide, narrow), plan.margin_percent),
        "evaluation_sampling": {"interval_95": asdict(wide), "interval_90": asdict(narrow)},
        "robustness": describe_robustness(seed_pairs, equal_arms=configs[0] == configs[1]),
        "titles": describe_titles(*columns),
    }


def _find_final_losses(comparison: StoredComparison, arm: str, rows: list[Row]) -> dict[int, float]:
    """Full loss at the last step by seed, of the arm's complete runs."""
    complete = {run.seed for run, stored in comparison.runs.items() if run.arm == arm and stored.is_complete}
    return {
        row["seed"]: row[PRIMARY_METRIC]
        for row in rows
        if row["arm"] == arm and row["seed"] in complete and row["split"] == "validation"
    }  # fmt: skip


def describe_command(comparison: StoredComparison) -> str:
    """The command line that makes the same comparison again; a local file by its name, wherever it stands."""
    plan = comparison.plan
    if plan.sources is not None:
        return describe_import_command(comparison)
    verb = ["ablate", plan.ablation["recipe"]] if plan.ablation else ["compare", *(arm.recipe for arm in plan.arms)]
    words = ["python", "-m", "harness", *verb, "--preset", plan.preset]
    words += ["--data", plan.corpus["name"] if plan.corpus["source"] == "file" else plan.corpus["source"]]
    if plan.title_column != "title":
        words += ["--title-column", plan.title_column]
    if plan.corpus["revision"]:
        words += ["--data-revision", plan.corpus["revision"]]
    words += ["--seeds", ",".join(map(str, plan.seeds)), *comparison.machine_options]
    if plan.margin_percent != MARGIN_PERCENT:
        words += ["--margin", f"{plan.margin_percent:g}"]
    for arm in () if plan.ablation else plan.arms:
        for key, value in arm.settings.items():
            words += ["--set", f"{arm.name}.{key}={value}"]
    return shlex.join(words)
