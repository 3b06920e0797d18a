"""Fields of a pair in `comparison.json`: a candidate against the baseline. Gains are in percent of the baseline's
loss.
"""

from typing import Any, NotRequired, TypedDict


class Interval(TypedDict):
    """An interval with all that a reader needs to judge it."""

    low_percent: float
    """Lower end, a gain in percent."""
    high_percent: float
    """Upper end, a gain in percent."""
    level_percent: float
    """Confidence level."""
    method: str
    """How it was computed, in words."""
    n: int
    """Seed pairs or titles it rests on."""
    covers: str
    """The noise it accounts for, in words."""


class Verdict(TypedDict):
    """What the rule in the plan says of the pair."""

    word: str
    """IMPROVED, EQUIVALENT, REGRESSED or INCONCLUSIVE."""
    label: str
    """The word with what limits it."""
    basis: str
    """The loss that decides, in words."""
    gain_percent: float
    """Mean gain over the seed pairs."""
    num_seed_pairs: int
    """Seeds that both arms completed."""
    margin_percent: float
    """Gains smaller than this count as no difference."""
    interval_95: Interval | None
    """Of the gain; None where nothing gives one."""
    interval_90: Interval | None
    """Of the gain, for equivalence."""
    interval_joint: Interval | None
    """Of the gain, at the level at which those of all pairs hold at once; None for one pair."""
    reason: str
    """What decided, in words."""
    adjusted: dict[str, Any] | None
    """The word that stands where all pairs are judged together: see `adjust_verdicts`; None for one pair."""


class Change(TypedDict):
    """A setting in which the two arms differ."""

    key: str
    """Its full name."""
    baseline: Any
    """Its value in the baseline; None where it has none."""
    candidate: Any
    """Its value in the candidate; None where it has none."""


class FileChange(TypedDict):
    """A file in which the training programs of two arms differ."""

    name: str
    """In the program's folder."""
    num_added: int | None
    """Lines that only the candidate has; None for a file that is no text."""
    num_removed: int | None
    """Lines that only the baseline has."""


class Point(TypedDict):
    """One evaluation on a curve."""

    step: int
    """Its training step."""
    share_done: float
    """Step / steps of the training, 0 to 1."""
    tokens_seen: int | None
    """Tokens trained on until then."""
    elapsed_s: float | None
    """Training clock in seconds."""
    loss_nats_per_char: float
    """Its loss in the unit and on the terms of `curve_metric`."""


class StepRow(TypedDict):
    """Two evaluations at nearly the same share of the training."""

    baseline_step: int
    """The baseline's step."""
    candidate_step: int
    """The candidate's step."""
    baseline_loss_nats_per_char: float
    """The baseline's loss there."""
    candidate_loss_nats_per_char: float
    """The candidate's loss there."""
    gain_percent: float
    """How much lower the candidate's is."""


class TimeToLoss(TypedDict):
    """When each arm was first measured at or below a loss."""

    loss_nats_per_char: float
    """The loss."""
    is_baseline_final: bool
    """Whether it is the baseline's last one."""
    baseline: Point | None
    """The baseline's first evaluation there; None where it never is."""
    candidate: Point | None
    """The candidate's first evaluation there; None where it never is."""


class Target(TypedDict):
    """The loss to beat."""

    loss_nats_per_char: float
    """Frozen loss."""
    is_official: bool
    """Whether it is the task's own target."""
    matched_loss_nats_per_char: float | None
    """The task's target on equal terms, where data is told to be the task's by its counts alone."""
    coverage_percent: NotRequired[float]
    """At which the task's target was measured; only where it is that of our own runs."""


class Pair(TypedDict):
    """A candidate against the baseline, at the headline seed, with how sure that is."""

    baseline: str
    """Name of the arm."""
    candidate: str
    """Name of the arm."""
    baseline_label: str
    """As a person is shown it."""
    candidate_label: str
    """As a person is shown it."""
    basis: dict[str, Any]
    """`field` of the final measurements that decides, its `name` in words, and what `baseline` and `candidate` have."""
    changes: list[Change]
    """Settings that differ, in the baseline's order."""
    code_changes: NotRequired[list[FileChange]]
    """Files of the training program that differ; only where arms have code of their own."""
    has_other_code: NotRequired[bool]
    """That files do which the plan does not list: of stored runs, or against another arm than the first."""
    mismatch: str | None
    """Why the two did not train on one stream, in words."""
    text_is_shared: bool | None
    """Whether the two are shown to have been evaluated on one text, or not to; None where nothing shows it."""
    doubts: list[str]
    """Why the pair could not be decided on however many seeds it had."""
    coverage_gap_points: dict[str, float] | None
    """`low` and `high` of the baseline's coverage less the candidate's, by what is not known of their texts."""
    coverage_differs: bool
    """Whether the frozen losses are not on equal terms."""
    curve_metric: str
    """What curves, step table and times show, in words."""
    basis_gain_percent: float
    """Gain in the loss that decides."""
    basis_gain_bounds_percent: dict[str, float] | None
    """`low` and `high`: the gains that an estimated coverage leaves possible; what the two share cancels."""
    reported_gain_percent: float | None
    """Gain in the frozen loss."""
    full_gain_percent: float | None
    """Gain in the full loss."""
    matched_gain_percent: float | None
    """Gain in frozen loss / coverage."""
    full_gain_without_in_train_percent: float | None
    """Gain in full loss without the titles that are also training titles."""
    coverage_share_percent: float | None
    """Share of the reported gain that is coverage."""
    target: Target | None
    """The loss to beat; None where none is known."""
    lowest_candidate_loss_nats_per_char: float
    """Lowest point of the candidate's curve."""
    baseline_last_loss_nats_per_char: float
    """Last point of the baseline's curve."""
    reached: Point | None
    """The candidate's first evaluation at or below that; None where it never is."""
    same_steps: bool
    """Whether both arms are evaluated at the same steps."""
    steps: list[StepRow]
    """The step table."""
    num_evaluations_lower: int
    """Rows after the first evaluation in which the candidate is lower."""
    gains_after_first_percent: list[float]
    """Gains in these rows."""
    times_to_loss: list[TimeToLoss]
    """First evaluations at or below some losses; the baseline's last is the last."""
    time_doubts: list[str]
    """Why the training times of the two do not compare, in words."""
    time_ratio: float | None
    """Candidate's training time / baseline's."""
    flops_ratio: float | None
    """Candidate's training operations / baseline's."""
    parameters_ratio: float | None
    """Candidate's parameters / baseline's."""
    memory_ratio: float | None
    """Candidate's peak memory / baseline's."""
    verdict: Verdict
    """What the rule in the plan says."""
    evaluation_sampling: dict[str, Interval] | None
    """`interval_95` and `interval_90` of a bootstrap over titles; None without losses by title."""
    robustness: dict[str, Any] | None
    """What several seeds show: see `harness.analyse.seeds`."""
    titles: dict[str, Any] | None
    """The view by title: see `harness.analyse.titles`."""
    seed_draws_titles: bool
    """Whether each seed has titles of its own, so that several seeds are no pairs of one text."""
    claims: list[dict[str, Any]]
    """Its sentences with their proofs, in the order of the reports."""
