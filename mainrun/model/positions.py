"""Where a token stands: rotations of queries and keys, the titles that a window holds, and the tokens just before.

Shapes: B windows, T tokens a window, D = d_model, H = n_head, d = D / H.
"""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.rules import EOS_ID

ROPE_BASE = 10_000.0


def rotate(x: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021, arXiv:2104.09864) of queries or keys (…, T, d); same shape.

    Dimensions i and i + d/2 of position t are a pair that is turned by t · 10,000^(−2i/d) radians.
    """
    cos, sin = _list_rotations(x.shape[-2], x.shape[-1], x.device)
    one, two = x.chunk(2, dim=-1)
    return torch.cat([one * cos - two * sin, one * sin + two * cos], dim=-1).to(x.dtype)


@lru_cache(maxsize=4)
def _list_rotations(num_positions: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (T, d/2), computed in double precision."""
    rates = ROPE_BASE ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(num_positions, dtype=torch.float64)[:, None] * rates
    return angles.cos().float().to(device), angles.sin().float().to(device)


def number_titles(ids: Tensor) -> Tensor:
    """(B, T) which title of its window each of ids (B, T) belongs to, from the ids alone, so that any caller sees it.

    An `<eos>` belongs to the title that follows: what is predicted from it is that title's first token.
    """
    return (ids == EOS_ID).cumsum(1)


class Shift(nn.Module):
    """Adds to each token the two before it, weighted by dimension, but none of another title where titles are given.

    As the depthwise causal convolutions of Primer (So et al. 2021, arXiv:2109.08668), of length 3, here with 1 at the
    token itself and before the projections.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, d_model))

    def forward(self, x: Tensor, titles: Tensor | None) -> Tensor:
        """The sum (B, T, D) for x (B, T, D); titles (B, T) are those of `number_titles`."""
        y = x
        for distance in (1, 2):
            before = F.pad(x, (0, 0, distance, 0))[:, : x.shape[1]]  # (B, T, D)
            if titles is not None:
                same = F.pad(titles, (distance, 0), value=-1)[:, : x.shape[1]] == titles
                before = before * same[..., None]
            y = y + self.weight[distance - 1] * before
        return y
