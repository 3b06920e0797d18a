"""Where every parameter starts: one function, exhaustive by name."""

import math

import torch
from torch import nn

from mainrun.model.gpt import GPT

INIT_STD = 0.02


def init_weights(model: GPT, seed: int) -> None:
    """Fills all parameters from `seed`, on the CPU: N(0, 0.02) weights, zero biases, positions and shifts, unit norms.

    With scaled residual initialization (Radford et al. 2019) the layers that end a branch have 0.02 / √(2 · n_layer).
    """
    generator = torch.Generator().manual_seed(seed)
    is_scaled = model.settings.residual_init == "scaled"
    proj_std = INIT_STD / math.sqrt(2 * model.settings.n_layer) if is_scaled else INIT_STD
    for name, parameter in model.named_parameters():
        module, kind = name.split(".")[-2:]
        match module, kind:
            case (_, "bias") | ("position_embedding" | "shift_1" | "shift_2", "weight"):
                nn.init.zeros_(parameter)
            case ("ln_1" | "ln_2" | "ln_f", "weight"):
                nn.init.ones_(parameter)
            case ("proj", "weight"):
                nn.init.normal_(parameter, std=proj_std, generator=generator)
            case ("token_embedding" | "qkv" | "fc" | "gate", "weight"):
                nn.init.normal_(parameter, std=INIT_STD, generator=generator)
            case _:
                raise AssertionError(f"No initialization is known for parameter '{name}'.")
