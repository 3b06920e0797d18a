"""The rules of the task, each a named check over what a comparison stored.

The expected values stand here as literals: the checker does not import what it checks. A new constraint is a function
with the `constraint` decorator; it gives PASS, FAIL or NOT CHECKED with its evidence, and never passes on a value that
is missing or malformed.
"""

import re
from functools import partial
from typing import Any

from harness.check.registry import ROUNDING_TOLERANCE, Evidence, Registry, Result, judge_runs, register
from harness.plan.plan import order_runs
from harness.store.runs import StoredRun

EPOCHS = 7
SEED = 1337
VAL_FRACTION = 0.10
OFFICIAL_DATASET = "julien040/hacker-news-posts"
OFFICIAL_NUM_TITLES = 100_000
FROZEN_EVALUATE_SHA256 = frozenset({"1239462dfeef2d712bd2f15b8654244da38a39f7c746f11c46de46aa6267f694"})
"""SHA-256 of every released `mainrun/metric/evaluate.py` whose arithmetic is the task's; older ones are kept."""
EVALS_PER_EPOCH = 3

REQUIRED_SOURCES = (
    frozenset({"data/corpus.py", "data/tokenizer.py", "metric/evaluate.py", "metric/full_loss.py", "model/gpt.py",
               "run.py", "step.py"}),
    frozenset({"corpus.py", "evaluate.py", "full_loss.py", "loop.py", "model.py", "state.py", "tokenizer.py"}),
)  # fmt: skip
"""Today's and those of the first release: files without whose hashes nothing shows that two arms have one code."""

CONSTRAINTS: Registry = {}
constraint = partial(register, CONSTRAINTS)


@constraint("epochs", "Fixed epochs: 7")
def check_epochs(evidence: Evidence) -> Result:
    """Every run trains exactly the steps of seven epochs."""

    def judge(run: StoredRun) -> str | None:
        epochs, steps_per_epoch = run.record["config"]["epochs"], count_steps_per_epoch(run)
        steps = [event["step"] for event in run.select("training_step")]
        expected = EPOCHS * steps_per_epoch
        if epochs == EPOCHS and expected > 0 and steps == list(range(1, expected + 1)):
            return None
        return f"{epochs} epochs, {len(steps)} steps where 7 × {steps_per_epoch} = {expected} are due"

    return judge_runs(evidence, judge, f"every run trained {EPOCHS} epochs, each step once")


@constraint("seed", "Fixed random seed: 1337")
def check_seed(evidence: Evidence) -> Result:
    """The headline pair has the task's seed, and every run the seed its plan gave it."""
    if evidence.comparison.plan.seeds[0] != SEED:
        return "FAIL", f"the headline seed is {evidence.comparison.plan.seeds[0]}, not {SEED}"

    def judge(run: StoredRun) -> str | None:
        journal_seed = run.select("hyperparameters_configured")[0]["seed"]
        return None if journal_seed == run.record["seed"] == run.seed else f"its journal says seed {journal_seed}"

    return judge_runs(evidence, judge, f"the headline runs have seed {SEED}, every run the seed of its plan")


@constraint("same-data", "Same titles in all arms")
def check_same_data(evidence: Evidence) -> Result:
    """All runs trained and evaluated the same titles, by fingerprint."""
    planned = evidence.comparison.plan.corpus

    def judge(run: StoredRun) -> str | None:
        corpus, journal = run.record["corpus"], run.select("dataset_info")[0]
        differing = [key for key, value in planned.items() if corpus[key] != value or journal[key] != value]
        return f"its {differing[0]} is not the plan's" if differing else None

    return judge_runs(
        evidence,
        judge,
        f"training fingerprint {planned['train_sha256'][:16]}…, validation {planned['validation_sha256'][:16]}…",
    )


@constraint("official-data", "Fixed dataset: the task's own Hacker News headlines")
def check_official_data(evidence: Evidence) -> Result:
    """The titles are the task's dataset, at a recorded revision."""
    corpus = evidence.comparison.plan.corpus
    if corpus["source"] != "hub" or corpus["name"] != OFFICIAL_DATASET:
        return "NOT CHECKED", f"the titles are {describe_corpus(corpus)}, not the task's dataset {OFFICIAL_DATASET}"
    for run in evidence.comparison.runs.values():
        journal = run.select("dataset_info")[0]
        if run.record["corpus"] != corpus or any(journal[key] != value for key, value in corpus.items()):
            return "FAIL", f"the plan and {run.folder.name} do not name the same source of titles"
    num_titles = corpus["num_train_titles"] + corpus["num_validation_titles"]
    if num_titles != OFFICIAL_NUM_TITLES:
        return "NOT CHECKED", f"{num_titles:,} titles of the task's dataset; the task has {OFFICIAL_NUM_TITLES:,}"
    if not re.fullmatch("[0-9a-f]{40}", corpus["revision"] or ""):
        return "FAIL", f"the titles came from the hub, but the recorded revision is {corpus['revision']}, no commit"
    return "PASS", f"{OFFICIAL_DATASET} at revision {corpus['revision']}"


@constraint("validation-fraction", "Fixed validation fraction: 10 %")
def check_validation_fraction(evidence: Evidence) -> Result:
    """One title in ten is held out in every run."""

    def judge(run: StoredRun) -> str | None:
        corpus = run.record["corpus"]
        num_titles = corpus["num_train_titles"] + corpus["num_validation_titles"]
        if run.record["config"]["val_fraction"] == VAL_FRACTION and corpus["num_validation_titles"] == round(
            num_titles * VAL_FRACTION
        ):
            return None
        return f"{corpus['num_validation_titles']:,} of {num_titles:,} titles are held out"

    corpus = evidence.comparison.plan.corpus
    return judge_runs(evidence, judge, f"{corpus['num_validation_titles']:,} titles are held out in every run")


@constraint("frozen-evaluate", "Fixed evaluate() function")
def check_frozen_evaluate(evidence: Evidence) -> Result:
    """The evaluation's source is a known one, and its stored span sums give the stored losses again."""

    def judge(run: StoredRun) -> str | None:
        if find_evaluate_sha256(run.record["source_sha256"]) not in FROZEN_EVALUATE_SHA256:
            return "its evaluate.py is none the harness knows"
        config, evaluations = run.record["config"], run.select("validation_step")
        interval = max(1, count_steps_per_epoch(run) // EVALS_PER_EPOCH)
        last_step = run.select("training_step")[-1]["step"]
        due = sorted({1, *range(interval, last_step + 1, interval), last_step})
        if [event["step"] for event in evaluations] != due:
            return "its evaluations are not at the steps the rule gives"
        for event in evaluations:
            num_spans = event["num_tokens"] // (config["block_size"] * config["batch_size"] + 1)
            if num_spans < 1 or event["num_spans"] != num_spans or len(event["span_loss_nats"]) != num_spans:
                return f"step {event['step']} scores {len(event['span_loss_nats'])} spans where {num_spans} fit"
            rebuilt = sum(event["span_loss_nats"]) / event["num_chars"]
            if not abs(rebuilt - event["loss"]) <= ROUNDING_TOLERANCE * abs(event["loss"]):
                return f"step {event['step']} reports {event['loss']}, its span sums give {rebuilt}"
        return None

    return judge_runs(evidence, judge, "source known by hash; the span sums of every evaluation give its loss again")


@constraint("same-code", "Same code and kind of machine in all arms")
def check_same_code(evidence: Evidence) -> Result:
    """All runs have the same training code, torch version, device kind, precision and thread count."""
    if evidence.comparison.unfinished:
        return "NOT CHECKED", _count_unfinished(evidence)

    def describe(run: StoredRun) -> tuple[Any, ...]:
        machine = run.record["machine"]
        code = tuple(sorted(run.record["source_sha256"].items()))
        digests = [digest for _, digest in code]
        used = (machine["library_versions"]["torch"], machine["device"], machine["precision"])
        if not any({name for name, _ in code} >= due for due in REQUIRED_SOURCES) or not all(
            isinstance(value, str) for value in (*digests, *used)
        ):
            raise ValueError("source files, torch version, device or precision are missing")
        if isinstance(machine["num_threads"], bool) or not isinstance(machine["num_threads"], int):
            raise ValueError("the thread count is missing")
        return code, *used, machine["num_threads"]

    names = ("training code", "torch version", "device", "precision", "thread count")
    first, *others = evidence.comparison.runs.values()
    for other in others:
        for name, before, after in zip(names, describe(first), describe(other), strict=True):
            if before != after:
                return "FAIL", f"{name} differs between {first.folder.name} and {other.folder.name}"
    code, torch_version, device, precision, num_threads = describe(first)
    return "PASS", f"{len(code)} source files, torch {torch_version}, {device}, {precision}, {num_threads} threads"


@constraint("pre-trained-weights", "No pre-trained weights")
def check_fresh_weights(evidence: Evidence) -> Result:
    """The parameters at step 0 are those of a fresh initialization, and every seed has its own."""
    initial: dict[str, tuple[str, int]] = {}
    for run in evidence.comparison.runs.values():
        digest = run.record["initial_weights_sha256"]
        other, seed = initial.setdefault(digest, (run.folder.name, run.seed))
        if seed != run.seed:
            return "FAIL", f"{run.folder.name} begins with the weights of {other}, which has another seed"
    fresh = evidence.fresh_weights
    if isinstance(fresh, str):
        return "NOT CHECKED", fresh

    def judge(run: StoredRun) -> str | None:
        same = run.record["initial_weights_sha256"] == fresh[run.folder.name]
        return None if same else "its weights at step 0 are not those of a fresh initialization"

    return judge_runs(evidence, judge, "the weights at step 0 have the SHA-256 of a fresh initialization, run by run")


@constraint("last-step", "The last step is read, not the best one")
def check_last_step(evidence: Evidence) -> Result:
    """Every run was evaluated, with the full loss, after its last training step."""

    def judge(run: StoredRun) -> str | None:
        last = run.select("validation_step")[-1]
        last_training = run.select("training_step")[-1]["step"]
        if last["step"] == last_training and isinstance(last["full_loss_nats_per_char"], float):
            return None
        return f"its last evaluation is at step {last['step']}, its last training step is {last_training}"

    return judge_runs(evidence, judge, "every run's numbers are those after its last training step")


@constraint("planned-runs", "All planned runs are there")
def check_planned_runs(evidence: Evidence) -> Result:
    """Every planned run is present, complete, of this plan, and there once."""
    if evidence.comparison.unfinished:
        return "FAIL", f"not complete: {', '.join(run.folder_name for run in evidence.comparison.unfinished)}"
    plan = evidence.comparison.plan
    due = order_runs([arm.name for arm in plan.arms], plan.seeds)
    if plan.sources is None and set(plan.runs) != set(due):
        return "FAIL", "the plan does not hold a run of every arm with every seed"
    plan_sha256 = evidence.comparison.compute_hashes()["plan.json"]
    finals: dict[str, str] = {}
    journals: dict[str, str] = {}
    elsewhere: list[str] = []
    for planned, run in evidence.comparison.runs.items():
        name, record = run.folder.name, run.record
        if (run.arm, run.seed) != (planned.arm, planned.seed) or record["plan_sha256"] != plan_sha256:
            return "FAIL", f"{name} was not trained under this plan"
        arm = plan.get_arm(run.arm)
        if record["config"] != arm.config or any(arm.sizes[key] != value for key, value in record["sizes"].items()):
            return "FAIL", f"{name} was trained with another configuration or size than planned"
        asked = {"preset": plan.preset, "recipe": arm.recipe, "settings": arm.settings}
        if "taken_over" not in record and any(record["request"][key] != value for key, value in asked.items()):
            return "FAIL", f"{name} was asked for with another recipe, setting or preset than planned"
        if run.select("model_info")[0]["parameters_count"] != arm.sizes["num_parameters"]:
            return "FAIL", f"{name} trained another number of parameters than planned"
        for key in ("initial_weights_sha256", "final_weights_sha256"):
            if not re.fullmatch("[0-9a-f]{64}", record[key] or ""):
                return "FAIL", f"{name} has no {key}"
        twin = finals.setdefault(f"{run.arm} {record['final_weights_sha256']}", name)
        if twin != name:
            return "FAIL", f"{name} ends with the weights of {twin}: one run presented as two"
        twin = journals.setdefault(record["mainrun_log_sha256"], name)
        if twin != name:
            return "FAIL", f"{name} has the journal of {twin}: one run presented as two"
        if "taken_over" in record:
            origin = record["taken_over"]
            hashes = [origin["plan_sha256"], origin["run_json_sha256"]]
            if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hashes) or plan_sha256 in hashes:
                return "FAIL", f"{name} does not say which plan it was trained under"
            elsewhere.append(f"{name} (of {origin['comparison']}, plan {origin['plan_sha256'][:16]}…)")
    text = f"{len(finals)} of {len(plan.runs)} runs complete, all under plan {plan_sha256[:16]}…"
    if elsewhere:
        text = (
            f"{len(finals)} of {len(plan.runs)} runs complete, {len(finals) - len(elsewhere)} trained under plan "
            f"{plan_sha256[:16]}…, {len(elsewhere)} taken over into it: {', '.join(elsewhere)}"
        )
    return "PASS", text


def _count_unfinished(evidence: Evidence) -> str:
    num_runs = len(evidence.comparison.plan.runs)
    return f"{num_runs - len(evidence.comparison.unfinished)} of {num_runs} runs are complete"


def find_evaluate_sha256(source_sha256: dict[str, str]) -> str:
    """The hash of the frozen evaluation, where this release or the first one keeps it."""
    name = "metric/evaluate.py"
    return source_sha256[name if name in source_sha256 else "evaluate.py"]


def count_steps_per_epoch(run: StoredRun) -> int:
    """Whole batches in the training stream, from the journal's count of its tokens."""
    config = run.record["config"]
    return int(run.select("dataset_info")[0]["tokens_per_epoch"] // (config["block_size"] * config["batch_size"]))


def describe_corpus(corpus: dict[str, Any]) -> str:
    """One phrase that names the titles' origin."""
    if corpus["source"] == "synthetic":
        return "synthetic, generated by the program itself"
    return f"from the local file {corpus['name']}" if corpus["source"] == "file" else f"{corpus['name']} from the hub"
