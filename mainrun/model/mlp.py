"""The feed-forward branch of a block. Shapes: any, with D = d_model last."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.model.settings import ModelSettings


class MLP(nn.Module):
    """Two linear layers around an exact GELU."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.fc = nn.Linear(settings.d_model, 4 * settings.d_model)
        self.proj = nn.Linear(4 * settings.d_model, settings.d_model)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.proj(F.gelu(self.fc(x))))
