"""The shape of the model."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from mainrun.settings import Count, OptionalShare, Section, Share


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
    """Probability on both residual branches and, unless they have their own, on the other two places."""
    dropout_embedding: OptionalShare = None
    """Probability on the embedding sum; none is `dropout`."""
    dropout_attention: OptionalShare = None
    """Probability on the attention weights; none is `dropout`."""
    positions: Literal["learned", "rope"] = "learned"
    """An embedding of the place in the window, or rotations of queries and keys."""
    attention: Literal["window", "title"] = "window"
    """How far back a token sees: to the window's start, or to that of its title."""
    mlp: Literal["gelu", "relu2", "swiglu"] = "gelu"
    """What stands between the layers of the feed-forward branch."""
    biases: bool = True
    """Whether linear layers and LayerNorms have them."""
    residual_init: Literal["plain", "scaled"] = "plain"
    """Whether the last layer of each residual branch starts at 1/√(2 · n_layer) of the others' scale."""
    shifts: bool = False
    """Whether each branch's input has the two tokens before it added, each by learned weights that start at 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.d_model % self.n_head == 0, "n_head", f"a divisor of d_model ({self.d_model})")
        if self.positions == "rope":
            width = self.d_model // self.n_head
            self.require(width % 2 == 0, "n_head", f"such that a head's width is even for rope, which {width} is not")

    @property
    def embedding_dropout(self) -> float:
        """Probability on the embedding sum."""
        return self.dropout if self.dropout_embedding is None else self.dropout_embedding

    @property
    def attention_dropout(self) -> float:
        """Probability on the attention weights."""
        return self.dropout if self.dropout_attention is None else self.dropout_attention

    @property
    def d_hidden(self) -> int:
        """Width inside the feed-forward branch; SwiGLU's is 8/3 of d_model in eights, for as many weights."""
        return -(-self.d_model // 3) * 8 if self.mlp == "swiglu" else 4 * self.d_model
