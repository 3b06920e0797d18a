"""One run of a source as it is read: its steps, and those that have no loss."""

from dataclasses import dataclass, field

from harness.sources.lines import LostStep
from harness.sources.ordering import differ
from harness.store.facts import MAX_STEPS
from harness.store.journals import Event

MAX_TRAINING_STEPS = 100_000
"""Training steps of a run that are kept; of more every second, fourth … one, the first two and the last."""


@dataclass
class OneRun:
    """One run of a source."""

    first_line: int
    headers: dict[str, Event] = field(default_factory=dict)
    steps: list[Event] = field(default_factory=list)
    first: dict[str, Event] = field(default_factory=dict)
    """The first step of each kind."""
    last_step: dict[str, int] = field(default_factory=dict)
    """The largest step so far of each kind."""
    last_epoch: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Step and epoch of the newest step of each kind."""
    broken: LostStep | None = None
    """The first loss that no training has."""
    lost: dict[str, LostStep] = field(default_factory=dict)
    """Of each kind the first of those lost steps after which no loss came."""
    last_seen: int = 0
    """The step that was named last, where nothing was measured at it; else 0."""
    is_silent: bool = False
    """Whether its newest steps have no loss, where each of those before had one."""

    copied: dict[tuple[str, int], Event] | None = None
    """All steps by kind and number, from where the first one came again as it was: a copy of the run, or a new one."""
    copied_from: int = 0
    """Where among the steps that is."""
    stride: int = 1
    """Of the training steps those are kept whose number it divides."""
    num_thinned: int = 0
    """Training steps that are not kept."""
    full_at: int = field(default_factory=lambda: 2 * MAX_TRAINING_STEPS)
    """With more steps than these some are taken out."""

    @property
    def has_begun(self) -> bool:
        return bool(self.first or self.broken or self.lost)

    def add(self, event: Event) -> None:
        """Adds a step with a loss."""
        kind, step = event["event"], event["step"]
        self.first.setdefault(kind, event)
        self.last_step[kind] = max(self.last_step.get(kind, -1), step)
        self.steps.append(event)
        self.lost.pop(kind, None)
        if kind == "validation_step" and self.lost and step >= self.lost["training_step"].step:
            del self.lost["training_step"]
        if len(self.steps) > self.full_at and self.copied is None:
            self._thin_out()

    def keep_to_stride(self) -> None:
        """Takes out the training steps between those that are kept, but for the first two and the newest."""
        newest = max((place for place, event in enumerate(self.steps) if event["event"] == "training_step"), default=0)
        kept = [
            event
            for place, event in enumerate(self.steps)
            if event["event"] != "training_step"
            or event["step"] % self.stride == 0
            or event["step"] <= 2
            or place == newest
        ]
        self.num_thinned += len(self.steps) - len(kept)
        self.steps = kept

    def _thin_out(self) -> None:
        self.keep_to_stride()
        while self.stride < MAX_STEPS and (
            sum(event["event"] == "training_step" for event in self.steps) > MAX_TRAINING_STEPS
        ):
            self.stride *= 2
            self.keep_to_stride()
        self.full_at = len(self.steps) + MAX_TRAINING_STEPS

    def watch_copy(self) -> None:
        """The next step is the first one again: what follows tells whether the run is copied or another one begins."""
        self.copied = {(event["event"], event["step"]): event for event in self.steps}
        self.copied_from = len(self.steps)

    def is_no_copy(self, event: Event) -> bool:
        """Whether a step has another content than it had before."""
        before = (self.copied or {}).get((event["event"], event["step"]))
        return before is not None and differ(before, event)

    def split(self) -> "OneRun":
        """The run that began with what looked like a copy, taken out of this one."""
        other = OneRun(self.steps[self.copied_from]["line"], self.headers)
        for event in self.steps[self.copied_from :]:
            other.add(event)
        del self.steps[self.copied_from :]
        return other
