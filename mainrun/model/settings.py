"""The shape of the model."""

from dataclasses import dataclass
from typing import ClassVar

from mainrun.settings import Count, Section, Share


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Section):
    """The defaults are the `baseline`'s."""

    section: ClassVar[str] = "model"
    n_layer: Count
    """Transformer blocks."""
    n_head: Count
    """Attention heads a block; divides d_model."""
    d_model: Count
    """Width of the residual stream."""
    block_size: Count
    """Tokens a window."""
    dropout: Share = 0.1
    """Probability on the embedding sum, the attention weights and both residual branches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.d_model % self.n_head == 0, "n_head", f"a divisor of d_model ({self.d_model})")
