"""What `compare` and `ablate` are asked for."""

from dataclasses import dataclass, field
from pathlib import Path

from harness.plan.plan import FIRST, MARGIN_PERCENT
from mainrun.data.corpus import CorpusSource
from mainrun.recipes import get_preset


@dataclass(frozen=True)
class CompareRequest:
    """One comparison, as asked for on the command line."""

    recipes: tuple[str, ...]
    """Arms as typed: see `harness.plan.arm_syntax`."""
    preset: str
    seeds: tuple[int, ...]
    data: str | None = None
    """None is the preset's own source."""
    data_revision: str | None = None
    title_column: str = "title"
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    """`--set` values of each arm."""
    set_texts: tuple[str, ...] = ()
    """`--set` as typed, of one arm or of all; `harness.plan.arms` puts them into `settings`."""
    sweeps: tuple[str, ...] = ()
    """`--sweep` as typed; their arms come after `recipes`."""
    against: str = FIRST
    """Whom every arm is compared with: see `Plan.against`."""
    ablate: str | None = None
    """The arm, as typed, whose changes are taken apart, instead of comparing `recipes`."""
    margin_percent: float = MARGIN_PERCENT
    device: str = "auto"
    precision: str = "auto"
    out: Path | None = None
    """None is a folder of its own below `results/`."""
    resume: bool = False
    reuse: tuple[Path, ...] = ()
    """Comparisons whose finished runs are taken over where they are the same."""
    arms_file: Path | None = None
    """An arms file; its names may stand among `recipes`."""
    launcher: str = "local"
    """A name in `harness.launch.choose.LAUNCHERS`."""
    jobs: int | None = None
    """How many runs go on at once; None is one here, and on a cluster as many as there is room for."""
    threads: int | None = None
    """Of each run; None is all cores for a run alone, and an equal part of them for several at once."""
    repository: Path | None = None
    """Folder that holds the training program, and whose repository revisions are looked up in; None is our own."""
    mixed_machines: bool = False
    """Whether runs on other kinds of processors, or with other numbers of threads, are compared."""
    keep_weights: bool = False
    """Whether every run stores its final weights."""
    keep_checkpoints: bool = False
    """Whether every run keeps all its checkpoints."""

    @property
    def source(self) -> CorpusSource:
        data = self.data or get_preset(self.preset).data
        return CorpusSource(data, self.data_revision, self.title_column)
