"""The complete, typed configuration of a run: what the scale fixes and what the recipe chooses, checked when built."""

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mainrun.record.errors import RequestError
from mainrun.rules import EPOCHS, EVALS_PER_EPOCH, VAL_FRACTION


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large a run is: corpus, vocabulary, model, batch. A preset names one."""

    num_titles: int
    """Titles of the corpus, training and validation together."""
    vocab_size: int
    """Tokens asked of the tokenizer; a small corpus yields fewer."""
    n_layer: int
    """Transformer blocks."""
    n_head: int
    """Attention heads a block; divides d_model."""
    d_model: int
    """Width of the residual stream."""
    block_size: int
    """Tokens a window."""
    batch_size: int
    """Windows a training step, and windows a span of the frozen evaluation."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a run trains. The defaults are the `baseline` recipe; a variant says only what differs."""

    epochs: int = EPOCHS
    """Passes over the training stream."""
    val_fraction: float = VAL_FRACTION
    """Share of the titles held out, 0 to 1."""
    evals_per_epoch: int = EVALS_PER_EPOCH
    """Frozen evaluations an epoch, beside those at the first and the last step."""
    dropout: float = 0.1
    """Probability on the embedding sum, the attention weights and both residual branches."""
    optimizer: str = "sgd"
    """A name in `mainrun.optim.optimizers.OPTIMIZERS`."""
    learning_rate: float = 6e-3
    """Peak learning rate."""
    momentum: float = 0.0
    """Momentum; read by `sgd` only."""
    weight_decay: float = 0.0
    """Weight decay on all parameters: an L2 gradient for `sgd`, decoupled for `adamw`."""
    adam_beta1: float = 0.9
    """Decay of the first moment; read by `adamw` only."""
    adam_beta2: float = 0.95
    """Decay of the second moment; read by `adamw` only."""
    adam_eps: float = 1e-8
    """Added to the root of the second moment; read by `adamw` only."""
    grad_clip: float = 1.0
    """Largest gradient norm over all parameters."""
    schedule: str = "cosine"
    """A name in `mainrun.optim.schedules.SCHEDULES`."""
    warmup_fraction: float = 0.0
    """Share of all steps in which the learning rate rises linearly from 0."""


@dataclass(frozen=True, kw_only=True)
class Config(Scale, Recipe):
    """Everything that decides a run's numbers, except its data source, seed and machine."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            _require(not isinstance(value, float) or math.isfinite(value), self, field.name, "a finite number")
        for name in ("num_titles", "vocab_size", "n_layer", "n_head", "d_model", "block_size", "batch_size", "epochs",
                     "evals_per_epoch"):  # fmt: skip
            _require(getattr(self, name) >= 1, self, name, "at least 1")
        for name in ("val_fraction", "learning_rate", "grad_clip", "adam_eps"):
            _require(getattr(self, name) > 0, self, name, "above 0")
        for name in ("dropout", "momentum", "val_fraction", "adam_beta1", "adam_beta2", "warmup_fraction"):
            _require(0 <= getattr(self, name) < 1, self, name, "from 0 to below 1")
        _require(self.weight_decay >= 0, self, "weight_decay", "0 or more")
        _require(self.d_model % self.n_head == 0, self, "n_head", f"a divisor of d_model ({self.d_model})")


def build_config(scale: Scale, recipe: Recipe, settings: Mapping[str, str]) -> Config:
    """Joins scale and recipe and applies `--set` values, each given as text.

    Raises `RequestError` for an unknown key, a value of the wrong type, and a value out of range.
    """
    config = Config(**asdict(scale), **asdict(recipe))
    changes: dict[str, Any] = {key: _parse_setting(key, text) for key, text in settings.items()}
    return replace(config, **changes)


def check_seed(seed: int) -> None:
    """Raises `RequestError` for a seed that the random generators do not take."""
    if not 0 <= seed < 2**63:
        raise RequestError(f"--seed and --seeds take whole numbers from 0 to 2^63 - 1, not {seed}.")


def find_changes(reference: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys in which two stored configurations differ, each with both values, in the first one's order."""
    keys = [*reference, *(key for key in other if key not in reference)]
    return {key: (reference.get(key), other.get(key)) for key in keys if reference.get(key) != other.get(key)}


def unknown_name(kind: str, name: str, known: Collection[str]) -> RequestError:
    """The error for a name that is not in a registry: it gives the nearest one, and all."""
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
    return RequestError(f"Unknown {kind} '{name}'.{hint} Known: {', '.join(known)}.")


def _parse_setting(key: str, text: str) -> int | float | str:
    types: dict[str, type[int] | type[float] | type[str]] = {field.name: field.type for field in fields(Config)}  # type: ignore[misc]  # every field of ours is annotated with a plain class
    if key not in types:
        raise unknown_name("setting", key, types)
    try:
        return types[key](text)
    except ValueError:
        raise RequestError(f"Setting '{key}' takes {types[key].__name__}, not '{text}'.") from None


def _require(holds: bool, config: Config, name: str, expected: str) -> None:
    if not holds:
        raise RequestError(f"Setting '{name}' must be {expected}; it is {getattr(config, name)!r}.")
