"""Fields of an arm in `comparison.json`: one run of it, at the headline seed, and what all its runs took. What is not
known is None.
"""

from typing import Any, NotRequired, TypedDict


class Final(TypedDict):
    """The measurements at the last evaluation."""

    step: int
    """Its training step."""
    is_last: bool
    """Whether that is the last step of the training."""
    loss_nats_per_char: float | None
    """Frozen loss, as reported."""
    full_loss_nats_per_char: float | None
    """Loss over every validation token, nats per character."""
    matched_loss_nats_per_char: float | None
    """Frozen loss / coverage, nats per character."""
    matched_low_nats_per_char: float | None
    """The least that is at the coverage an estimate leaves possible, nats per character."""
    matched_high_nats_per_char: float | None
    """The most, nats per character."""
    loss_nats_per_token: float | None
    """Full loss, or the validation loss as logged, nats per token."""
    perplexity_per_token: float | None
    """Its exponential, where the full loss was measured."""
    train_loss_nats_per_token: float | None
    """Of the last training batch, nats per token."""
    coverage_percent: float | None
    """Share of the validation tokens that the frozen loss scores."""
    coverage_low_percent: float | None
    """The least that an estimate leaves possible."""
    coverage_high_percent: float | None
    """The most that an estimate leaves possible."""
    num_spans: int | None
    """Whole spans that the frozen loss scores."""
    num_unscored_tokens: int | None
    """Validation tokens that it never scores."""


class Lowest(TypedDict):
    """The evaluation with the lowest reported loss."""

    step: int
    """Its training step."""
    loss_nats_per_char: float
    """Its loss in the unit of the run's curve."""


class Cost(TypedDict):
    """What a run of the arm took: what is measured is the mean over the seeds that it completed."""

    num_runs: int
    """How many runs that is the mean of."""
    num_parameters: int | None
    """Trainable parameters."""
    training_flops: int | None
    """Floating-point operations of all training steps, counted from the sizes."""
    tokens_seen: int | None
    """Tokens trained on, repetitions included."""
    train_elapsed_s: float | None
    """Training clock in seconds, stopped for evaluations."""
    train_elapsed_range_s: list[float] | None
    """The shortest and the longest of these runs, in seconds of that clock; None for one run."""
    step_quartiles_s: list[float] | None
    """Seconds of a training step by that clock: first quartile, median, third quartile, the first step left out."""
    wall_elapsed_s: float | None
    """Wall time in seconds, evaluations included."""
    logged_elapsed_s: float | None
    """Last value of the clock of a log without a training clock, in seconds; pauses and evaluations included."""
    tokens_per_s: float | None
    """Tokens trained on a second of the training clock."""
    flops_per_s: float | None
    """Training operations a second of the training clock."""
    peak_memory_bytes: float | None
    """The most memory held."""


class Stability(TypedDict):
    """How quietly the run went."""

    num_steps: int
    """Training steps measured."""
    median_grad_norm: float | None
    """Median gradient norm before clipping."""
    max_grad_norm: float | None
    """Largest gradient norm before clipping."""
    num_non_finite: int | None
    """Training losses and gradient norms that are not finite."""
    gradient_spike_factor: int
    """A norm above so many times the median counts as a spike."""
    num_gradient_spikes: int | None
    """Spikes of the gradient norm."""
    largest_rise_nats_per_char: float
    """Largest rise between two evaluations, in the unit of the run's curve; 0 where the loss never rose."""


class InTrain(TypedDict):
    """Validation titles that are training titles too."""

    num_titles: int
    """How many there are."""
    share_percent: float
    """Share of all validation titles."""
    full_loss_without_nats_per_char: float | None
    """Full loss with them left out, nats per character."""


class Arm(TypedDict):
    """One side of a comparison."""

    name: str
    """Unique in the comparison."""
    label: str
    """As a person is shown it."""
    recipe: str
    """What was trained: a recipe's name, `external` or `imported`."""
    settings: dict[str, str]
    """`--set` values by key, as text."""
    config: dict[str, Any]
    """Settings as resolved, or as logged."""
    sizes: dict[str, Any]
    """Counts that were planned, and `coverage`, 0 to 1."""
    seed: int
    """Of the run described here."""
    status: str
    """How that run ended."""
    reason: str | None
    """Why it cannot be compared."""
    origin: str
    """`trained`, `command`, or the kind of source it was read from."""
    source: dict[str, Any] | None
    """The file it was read from: name, bytes, SHA-256."""
    code: NotRequired[dict[str, Any]]
    """`harness.plan.code.Code`, and whether it `is_changed` from its commit; only where arms have code of their own."""
    evaluate_sha256: str | None
    """SHA-256 of the code that evaluated."""
    facts: dict[str, Any]
    """`harness.store.facts.RunFacts`, without settings and notes."""
    notes: list[str]
    """What the importer left out or read otherwise than it is written."""
    final: Final | None
    """None unless the run is whole and can be compared."""
    min_frozen: Lowest | None
    """The best evaluation, which decides nothing."""
    cost: Cost | None
    """What it took, over all its seeds."""
    stability: Stability | None
    """How quietly it went."""
    in_train: InTrain | None
    """Titles on both sides, where losses by title are known."""
    machine: dict[str, Any] | None
    """Versions, device, precision, threads and commit."""
    tokenizer_trained_on: str | None
    """Which titles the tokenizer has seen, in words."""
    hashes: dict[str, str | None] | None
    """SHA-256 of weights, journal and losses by title."""
    forensics: dict[str, Any] | None
    """What its counts and first losses give away: see `harness.analyse.examine`."""
