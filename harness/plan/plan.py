"""What a comparison will do, fixed and hashed before the first run."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.plan.arm_syntax import FORBIDDEN_IN_NAMES, holds_control
from harness.plan.changes import CodeChange, load_change
from harness.plan.code import Code, load_code
from harness.plan.noise import KnownNoise
from mainrun.config import check_seed
from mainrun.data.settings import TITLE_COLUMN
from mainrun.record.errors import RequestError, StoredResultsError
from mainrun.record.files import compute_file_sha256, load_json, save_json
from mainrun.record.upgrade import upgrade_config

SCHEMA_VERSION = 2
FLAT_SCHEMA_VERSION = 1
"""That of plans whose configurations have no dotted keys; they are read as if they had."""
FILE_NAME = "plan.json"
PRIMARY_METRIC = "full_loss_nats_per_char"
MARGIN_PERCENT = 0.5
"""Relative gains smaller than this count as no difference, unless a plan sets another margin."""
FIRST, BEST, PREVIOUS = AGAINST = ("first", "best", "previous")
"""Whom every arm may be compared with, beside one that is named."""
MAX_NAME_BYTES = 200
"""Of an arm, whose runs' folders are named after it."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison."""

    name: str
    recipe: str
    settings: dict[str, str]
    """`--set` values by key, as text."""
    config: dict[str, Any]
    """The resolved configuration, with the vocabulary size the tokenizer really has."""
    sizes: dict[str, Any]
    """Parameters, steps, evaluations, spans and FLOPs, as `mainrun.sizes.RunSizes`."""
    code: Code | None = None
    """Its training program; None where all arms are trained by the program that plans them."""

    @property
    def label(self) -> str:
        """The name as a person is shown it, which says where the arm is not the recipe it is named after.

        An arm of an ablation or a sweep is named after what it changes, and one that was named by hand as it is: they
        need no more.
        """
        return f"{self.name} (changed)" if self.settings and self.has_recipes_name else self.name

    @property
    def has_recipes_name(self) -> bool:
        """Whether the name is not one that was given: `optimized`, `optimized-2`, `optimized@main`."""
        after = self.name.removeprefix(self.recipe)
        is_numbered = after.startswith("-") and after[1:].isdecimal()
        return self.name == self.recipe or (after != self.name and (after.startswith("@") or is_numbered))

    @property
    def tokens_per_step(self) -> int:
        """0 for another program's arm, whose configuration is not known before it has run."""
        return int(self.config["model.block_size"] * self.config["training.batch_size"]) if self.config else 0


@dataclass(frozen=True)
class PlannedRun:
    """One training of one arm with one seed."""

    arm: str
    seed: int

    @property
    def folder_name(self) -> str:
        return f"{self.arm}-s{self.seed}"


@dataclass(frozen=True)
class Plan:
    """A whole comparison before it is run."""

    name: str
    preset: str
    corpus: dict[str, Any]
    """`mainrun.data.corpus.CorpusRecord` of the titles all arms share."""
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    """The first one is the headline's, unless an arm loses it; the others show how far the result carries."""
    runs: tuple[PlannedRun, ...]
    """In the order in which they are trained."""
    title_column: str = TITLE_COLUMN
    """Of a local file."""
    ablation: dict[str, Any] | None = None
    """`harness.plan.ablation.Ablation` where the arms are those of an ablation."""
    primary_metric: str = PRIMARY_METRIC
    """What the verdict is on; fixed here so that a later program which decides on another does not judge this plan."""
    margin_percent: float = MARGIN_PERCENT
    """Relative gains in the primary metric smaller than this count as no difference."""
    known_noise: KnownNoise | None = None
    """What a single seed is held to; None where no noise of these arms is known."""
    seeds_added: list[list[int]] | None = None
    """Seeds that were asked for after the first run, a list each time; None where `seeds` are the first plan's."""
    against: str = FIRST
    """Whom every other arm is compared with: `first`, `best`, `previous` (the one before it) or an arm's name."""
    sources: list[dict[str, Any]] | None = None
    """Where the runs of arms come from that this program does not train itself; None where it trains all."""
    code_changes: tuple[CodeChange, ...] | None = None
    """How the training program of each arm differs from the baseline's; None where no arm has one of its own."""

    def get_arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def find_headline(self, name: str) -> PlannedRun:
        """The run that is to stand for an arm: that of the first seed of the plan which the arm has, else its first."""
        seeds = [run.seed for run in self.runs if run.arm == name]
        return PlannedRun(name, next((seed for seed in self.seeds if seed in seeds), seeds[0]))

    def describe_corpus(self) -> str:
        """One phrase that names the titles' origin."""
        match self.corpus["source"]:
            case "imported":
                return "not named by the logs"
            case "synthetic":
                return "synthetic, generated by the program itself"
            case "file":
                return f"from the local file {self.corpus['name']}"
        return f"{self.corpus['name']} from the hub"

    @property
    def compared_runs(self) -> frozenset[PlannedRun]:
        """All but runs taken in of whose seed no pair can be made; an arm that shares none keeps its first."""
        seeds = {arm.name: [run.seed for run in self.runs if run.arm == arm.name] for arm in self.arms}
        shared = {name: [seed for seed in own if seed in self.seeds] or own[:1] for name, own in seeds.items()}
        return frozenset(PlannedRun(name, seed) for name, own in shared.items() for seed in own)

    def label_run(self, run: PlannedRun) -> str:
        """A run as a person is shown it: `optimized-s1337 (changed)`."""
        return self.get_arm(run.arm).label.replace(run.arm, run.folder_name, 1)


def check_rule(seeds: Sequence[int], margin_percent: float) -> None:
    """`RequestError` for seeds or a margin that no verdict can be reached with."""
    if repeated := [seed for seed, count in Counter(seeds).items() if count > 1]:
        raise RequestError(f"Seed {repeated[0]} is given twice; a run of the same arm and seed is no new evidence.")
    for seed in seeds:
        check_seed(seed)
    if not 0 <= margin_percent < 100:
        raise RequestError(f"--margin takes a percentage from 0 to below 100, not {margin_percent}.")


def order_runs(names: Sequence[str], seeds: Sequence[int]) -> tuple[PlannedRun, ...]:
    """ABBA: every second seed runs the arms in reverse, so that a drift of the machine favours none."""
    return tuple(
        PlannedRun(arm, seed)
        for place, seed in enumerate(seeds)
        for arm in (names if place % 2 == 0 else reversed(names))
    )


def check_storable(plan: Plan) -> None:
    """`RequestError` for a plan that could not be stored, or not be read again, because of a name in it."""
    try:
        json.dumps(plan_to_json(plan), ensure_ascii=False).encode()
        _check_names(plan)
    except UnicodeEncodeError as error:
        near = error.object[max(0, error.start - 20) : error.end + 20]
        raise RequestError(f"A name is no text in this locale, near {near!r}. Give the arm or file another.") from None
    except ValueError as error:
        raise RequestError(f"{error}: it takes {MAX_NAME_BYTES} bytes at most. Name the arm: NAME=RECIPE.") from None


def save_plan(folder: Path, plan: Plan) -> str:
    """Writes `plan.json`; returns its SHA-256, which every run of the plan carries."""
    save_json(folder / FILE_NAME, plan_to_json(plan))
    return compute_file_sha256(folder / FILE_NAME)


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as it is stored: plain JSON values, tuples being lists."""
    values: dict[str, Any] = json.loads(json.dumps({"schema_version": SCHEMA_VERSION, **asdict(plan)}))
    absent = dict.fromkeys(("known_noise", "seeds_added", "sources", "code_changes")) | {"against": FIRST}
    for part, names in ((values, absent), *((arm, {"code": None}) for arm in values["arms"])):
        for name, value in names.items():
            if part[name] == value:
                del part[name]  # plans without it keep the bytes, and so the hash, that they always had
    return values


def load_plan(folder: Path) -> Plan:
    """The stored plan; `StoredResultsError` where it is absent, damaged or of another schema version."""
    values = load_json(folder / FILE_NAME, SCHEMA_VERSION, FLAT_SCHEMA_VERSION)
    is_flat = values.pop("schema_version") == FLAT_SCHEMA_VERSION
    try:
        if is_flat:
            values["arms"] = [arm | {"config": upgrade_config(arm["config"])} for arm in values["arms"]]
        values["arms"] = tuple(Arm(**{**arm, "code": load_code(arm.get("code"))}) for arm in values["arms"])
        values["seeds"] = tuple(values["seeds"])
        values["runs"] = tuple(PlannedRun(**run) for run in values["runs"])
        if values.get("known_noise") is not None:
            values["known_noise"] = KnownNoise(**values["known_noise"])
        if values.get("code_changes") is not None:
            values["code_changes"] = tuple(load_change(change) for change in values["code_changes"])
        plan = Plan(**values)
        _check_names(plan)
        check_rule(plan.seeds, plan.margin_percent)
    except (KeyError, TypeError, ValueError, RequestError) as error:
        raise StoredResultsError(f"{folder / FILE_NAME} is damaged: {error}.") from None
    if plan.primary_metric != PRIMARY_METRIC:
        raise StoredResultsError(
            f"{folder / FILE_NAME} is to be decided on {plan.primary_metric}; this program decides on {PRIMARY_METRIC}."
        )
    return plan


def _check_names(plan: Plan) -> None:
    """Raises `ValueError` for a run of no planned arm or seed, and for a name that could lead out of the comparison."""
    names = [arm.name for arm in plan.arms]
    if len(names) < 2 or len(set(names)) < len(names) or not plan.runs:
        raise ValueError("it does not plan runs of two arms or more, each name once")
    for name in names:
        is_name = isinstance(name, str) and 0 < len(name.encode()) <= MAX_NAME_BYTES
        if not is_name or name.startswith(".") or set(name) & FORBIDDEN_IN_NAMES or holds_control(name):
            raise ValueError(f"{name!r} cannot name the folder of a run")
    if plan.against not in (*AGAINST, *names):
        raise ValueError(f"it compares with {plan.against!r}, which is no arm")
    added = [seed for seeds in plan.seeds_added or [] for seed in seeds]
    if added and (len(added) >= len(plan.seeds) or tuple(added) != plan.seeds[-len(added) :]):
        raise ValueError(f"the seeds {added} are said to be added, and do not follow those of a first plan")
    for run in plan.runs:
        is_planned_seed = plan.sources is not None or run.seed in plan.seeds
        if run.arm not in names or not is_planned_seed or type(run.seed) is not int:
            raise ValueError(f"the run {run.arm!r} with seed {run.seed!r} is of no planned arm and seed")
