"""The feed-forward branch of a block. Shapes: any, with D = d_model last; E = d_hidden."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.model.settings import ModelSettings


class MLP(nn.Module):
    """Two linear layers around an exact GELU, or around a squared ReLU (So et al. 2021, arXiv:2109.08668)."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.is_squared = settings.mlp == "relu2"
        self.fc = nn.Linear(settings.d_model, settings.d_hidden, bias=settings.biases)
        self.proj = nn.Linear(settings.d_hidden, settings.d_model, bias=settings.biases)

    def forward(self, x: Tensor) -> Tensor:
        h = self.fc(x)  # (…, E)
        return cast(Tensor, self.proj(F.relu(h).square() if self.is_squared else F.gelu(h)))


class SwiGLU(nn.Module):
    """A linear layer gated by the SiLU of another one (Shazeer 2020, arXiv:2002.05202), then a third."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.gate = nn.Linear(settings.d_model, settings.d_hidden, bias=settings.biases)
        self.fc = nn.Linear(settings.d_model, settings.d_hidden, bias=settings.biases)
        self.proj = nn.Linear(settings.d_hidden, settings.d_model, bias=settings.biases)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.proj(F.silu(self.gate(x)) * self.fc(x)))
