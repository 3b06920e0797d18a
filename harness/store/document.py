"""`comparison.json`: every number and sentence of the reports, typed field by field."""

from pathlib import Path
from typing import Any, TypedDict

from harness.store.arm_fields import Arm
from harness.store.pair_fields import Pair
from mainrun.record.errors import StoredResultsError
from mainrun.record.files import load_json

SCHEMA_VERSION = 2
FILE_NAME = "comparison.json"


class RunEntry(TypedDict, total=False):
    """How a planned run ended; the last six fields are there only where they say something."""

    arm: str
    """Name of its arm."""
    label: str
    """Of its arm, as a person is shown it."""
    seed: int
    """Its seed."""
    origin: str
    """As its arm's."""
    status: str
    """`complete`, `imported`, `stopped`, `failed`, `running` or `missing`."""
    reason: str | None
    """Why it is not whole."""
    taken_over: dict[str, Any]
    """Where it was trained, if in another comparison."""
    taken_in_from: str | None
    """SHA-256 of the plan that a run of ours which was taken in was trained under; None where nothing says so."""
    resumed: dict[str, Any]
    """After which `steps` it went on, and the SHA-256 of the `checkpoints` it took."""
    clock_set_back_s: float
    """Seconds by which the machine's clock was set back meanwhile."""
    num_runs_beside: int
    """Other runs that went on meanwhile."""
    is_left_out: bool
    """No pair can be made of its seed."""


class Group(TypedDict):
    """Arms of which one thing is the same."""

    labels: list[str]
    """The arms."""
    value: Any
    """What is the same of them."""


class Document(TypedDict):
    """A whole comparison."""

    schema_version: int
    """Of this file."""
    name: str
    """Of the comparison."""
    preset: str
    """Its scale; `imported` where no arm says it."""
    corpus: dict[str, Any]
    """The titles: `mainrun.data.corpus.CorpusRecord`, a `description`, and whether `is_official`."""
    primary_metric: str
    """What the verdict is on."""
    margin_percent: float
    """Gains smaller than this count as no difference."""
    seeds: list[int]
    """Of the plan; the first one is the headline's, unless an arm lost it."""
    seeds_added: list[int] | None
    """Those of them that were asked for after the first run; None where none was."""
    num_runs_complete: int
    """Planned runs that are whole."""
    num_runs_taken_in: int
    """Runs that were not trained by this comparison."""
    command: str
    """What makes the same comparison again."""
    num_times: int
    """Events that carry a time."""
    started_at: float | None
    """First of these times, Unix seconds."""
    finished_at: float | None
    """Last of these times, Unix seconds."""
    sha256: dict[str, str]
    """SHA-256 of the plan and of every run's record, by path."""
    runs: list[RunEntry]
    """Every planned run, in order."""
    most_at_once: int
    """The most runs that went on at one time, of those trained here by our program."""
    taken_over: dict[str, list[str]] | None
    """The `runs` that were trained in other comparisons, those of compared arms first, and which `comparisons`; None
    where none was."""
    arms: list[Arm]
    """Every arm at its headline seed; the first one is the baseline."""
    scoring: list[Group]
    """Arms by what their frozen evaluation scores."""
    tokenizers: list[Group]
    """Arms by what their tokenizer was trained on."""
    constraints: list[dict[str, Any]]
    """Findings on the rules of the task, with when and where they were made: see `harness.check.suite.Occasion`."""
    integrity: list[dict[str, Any]]
    """Findings on the metric."""
    pairs: list[Pair]
    """Every arm but the first against it, or against whom the plan says; of an ablation the whole only."""
    ablation: dict[str, Any] | None
    """What each change is worth."""
    sweeps: list[dict[str, Any]]
    """The loss along settings of which several values were tried: see `harness.analyse.sweeps`."""
    ranking: dict[str, Any]
    """All arms by the loss that decides: see `harness.analyse.ranking`."""
    num_findings: dict[str, int]
    """Checks that `passed`, `failed`, are `unvouched`: nothing shows that it is so, and are `absent`: not possible."""
    figures: list[str]
    """Figures that have something to show."""
    claims: list[dict[str, Any]]
    """Sentences on the comparison as a whole."""
    caveats: list[dict[str, Any]]
    """What a reader must know before believing it."""


def load_origin(folder: Path) -> dict[str, Any]:
    """What the stored numbers were made from, `sha256` and `runs`, also of the first schema version's files.

    Raises `StoredResultsError` where they are absent or damaged.
    """
    try:
        return load_document(folder)
    except StoredResultsError:
        return load_json(folder / FILE_NAME, 1)


def load_document(folder: Path) -> dict[str, Any]:
    """The stored `Document`, as JSON; `StoredResultsError` where it is absent, damaged or of another schema version."""
    return load_json(folder / FILE_NAME, SCHEMA_VERSION)
