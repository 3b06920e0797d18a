"""`comparison.json` where arms are logs of other programs or external commands: the same shape, absent things None."""

import shlex
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from harness.analyse.any_arms import Described, describe_any_arm
from harness.analyse.any_pairs import decide_foreign_verdict, describe_foreign_pair
from harness.analyse.pairs import compute_gain
from harness.analyse.verdict import MARGIN_PERCENT
from harness.check.integrity import INTEGRITY
from harness.check.logs import FORENSICS, run_mixed_checks
from harness.check.registry import Evidence
from harness.check.rules import CONSTRAINTS, describe_corpus
from harness.claims.any_caveats import build_foreign_caveats
from harness.claims.any_findings import build_foreign_claims, build_foreign_document_claims
from harness.plan.plan import Plan, PlannedRun
from harness.store.measurements import Row
from harness.store.rounding import round_numbers
from harness.store.runs import StoredComparison

SCHEMA_VERSION = 1
DescribeCertainty = Callable[[StoredComparison, PlannedRun, PlannedRun, list[Row]], dict[str, Any]]


def build_foreign_document(
    comparison: StoredComparison, rows: list[Row], runs: list[Described], describe_certainty: DescribeCertainty
) -> dict[str, Any]:
    """All that the reports say; `runs` says how each planned run ended.

    `describe_certainty` answers for a pair of which both arms were trained by us.
    """
    plan = comparison.plan
    arms, finals = _describe_arms(comparison, rows)
    evidence = Evidence(comparison)
    findings = run_mixed_checks(CONSTRAINTS, evidence)
    kept_rules = all(finding.status != "FAIL" for finding in findings)
    times = [
        event["timestamp"]
        for run in comparison.runs.values()
        for event in run.events
        if event["timestamp"] is not None and event["timestamp"] > 0
    ]
    document: dict[str, Any] = round_numbers(
        {
            "schema_version": SCHEMA_VERSION,
            "name": plan.name,
            "preset": plan.preset,
            "corpus": {**plan.corpus, "description": _describe_titles(plan.corpus), "is_official": False},
            "primary_metric": plan.primary_metric,
            "margin_percent": plan.margin_percent,
            "seeds": plan.seeds,
            "num_runs_complete": len(plan.runs) - len(comparison.unfinished),
            "command": describe_import_command(comparison),
            "started_at": min(times, default=None),
            "finished_at": max(times, default=None),
            "sha256": comparison.compute_hashes(),
            "runs": runs,
            "arms": arms,
            "constraints": [asdict(finding) for finding in findings],
            "integrity": [
                asdict(finding)
                for registry in (INTEGRITY, FORENSICS)
                for finding in run_mixed_checks(registry, evidence)
            ],
            "pairs": [],
            "ablation": None,
        }
    )
    rows_by_arm = {arm["name"]: _select_rows(rows, arm) for arm in arms}
    document["foreign"] = {"figures": [], "mismatch": None}
    baseline, *candidates = document["arms"]
    for candidate in candidates:
        if baseline["final"] is None or candidate["final"] is None:
            continue
        pair = describe_foreign_pair(baseline, candidate, rows_by_arm, kept_rules=kept_rules)
        gains = _pair_seeds(plan.seeds, finals, baseline, candidate, pair["basis"]["field"])
        if baseline["is_foreign"] or candidate["is_foreign"] or pair["doubts"]:
            pair["verdict"] = decide_foreign_verdict(pair, gains, plan.margin_percent)
        else:
            first, last = (PlannedRun(arm["name"], arm["seed"]) for arm in (baseline, candidate))
            certainty = describe_certainty(comparison, first, last, rows)
            pair["verdict"] = certainty["verdict"] | {"basis": pair["basis"]["name"]}
        document["pairs"].append(round_numbers(pair))
        document["pairs"][-1]["claims"] = round_numbers(build_foreign_claims(document, len(document["pairs"]) - 1))
        document["foreign"]["mismatch"] = document["foreign"]["mismatch"] or pair["mismatch"]
    has_rows = any(pair["steps"] for pair in document["pairs"])
    document["foreign"]["figures"] = _list_figures(rows_by_arm, has_gains=has_rows)
    document["claims"] = round_numbers(build_foreign_document_claims(document))
    document["caveats"] = round_numbers(build_foreign_caveats(document))
    return document


def describe_import_command(comparison: StoredComparison) -> str:
    """The command line that judges the same sources again, each by its name, wherever it stands."""
    plan = comparison.plan
    assert plan.sources is not None
    imported = [source for source in plan.sources if not source.get("external")]
    external = [source for source in plan.sources if source.get("external")]
    words = ["python", "-m", "harness", "compare"]
    if external:
        words += [arm.name if _is_external(plan, arm.name) else arm.recipe for arm in plan.arms]
        words += ["--arms", external[0]["external"]["arms_file"], "--preset", plan.preset]
        words += ["--seeds", ",".join(map(str, plan.seeds)), *comparison.machine_options]
        for arm in plan.arms:
            for key, value in arm.settings.items():
                words += ["--set", f"{arm.name}.{key}={value}"]
    else:
        words += ["--from", *(source["name"] for source in imported)]
        unit = next((source["loss_unit"] for source in imported if source["loss_unit"]), None)
        words += ["--loss-unit", unit] if unit else []
    if plan.margin_percent != MARGIN_PERCENT:
        words += ["--margin", f"{plan.margin_percent:g}"]
    return shlex.join(words)


def _is_external(plan: Plan, name: str) -> bool:
    return any(source["arm"] == name and source.get("external") for source in plan.sources or [])


def _describe_arms(
    comparison: StoredComparison, rows: list[Row]
) -> tuple[list[Described], dict[tuple[str, int], Described]]:
    """Every arm at its first seed, and the last measurements of every run by arm and seed."""
    arms, finals = [], {}
    for arm in comparison.plan.arms:
        seeds = [run.seed for run in comparison.plan.runs if run.arm == arm.name]
        headline = next((seed for seed in comparison.plan.seeds if seed in seeds), seeds[0])
        for seed in seeds:
            run = comparison.runs.get(PlannedRun(arm.name, seed))
            own = [row for row in rows if (row["arm"], row["seed"]) == (arm.name, seed)]
            described = describe_any_arm(arm, seed, run, own)
            described["is_foreign"] = run is not None and run.is_foreign
            finals[arm.name, seed] = described["final"]
            if seed == headline:
                arms.append(described)
    return arms, finals


def _pair_seeds(
    seeds: tuple[int, ...],
    finals: dict[tuple[str, int], Described],
    baseline: Described,
    candidate: Described,
    field: str,
) -> list[float]:
    """The gain in the pair's basis for each seed that both arms have, or of two headline runs whose seeds differ."""
    if baseline["seed"] != candidate["seed"]:
        seeds = ()
    both = [(finals.get((baseline["name"], seed)), finals.get((candidate["name"], seed))) for seed in seeds]
    usable = [(a[field], b[field]) for a, b in both if a and b and a[field] is not None and b[field] is not None]
    pairs = usable or [(baseline["final"][field], candidate["final"][field])]
    return [compute_gain(before, after) for before, after in pairs]


def _select_rows(rows: list[Row], arm: Described) -> list[Row]:
    return [row for row in rows if (row["arm"], row["seed"]) == (arm["name"], arm["seed"])]


def _list_figures(rows_by_arm: dict[str, list[Row]], *, has_gains: bool) -> list[str]:
    """The figures that have something to show for some arm; none is drawn empty."""

    def has(split: str, field: str) -> bool:
        return any(row["split"] == split and row[field] is not None for rows in rows_by_arm.values() for row in rows)

    per_char = has("validation", "loss_nats_per_char")
    shown = {
        "loss_by_step": per_char,
        "loss_by_time": per_char and has("validation", "elapsed_s"),
        "gain": has_gains,
        "training_loss": has("train", "loss_nats_per_token"),
        "learning_rate": has("train", "learning_rate"),
        "perplexity": has("validation", "perplexity_per_token"),
    }
    return [name for name, there in shown.items() if there]


def _describe_titles(corpus: dict[str, Any]) -> str:
    return "not named by the logs" if corpus["source"] == "imported" else describe_corpus(corpus)
