"""Where every parameter starts: one function, exhaustive by name."""

import torch
from torch import nn

from mainrun.model.gpt import GPT

INIT_STD = 0.02


def init_weights(model: GPT, seed: int) -> None:
    """Fills all parameters from `seed`, on the CPU: N(0, 0.02) weights, zero biases and positions, unit LayerNorms."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        module, kind = name.split(".")[-2:]
        match module, kind:
            case (_, "bias") | ("position_embedding", "weight"):
                nn.init.zeros_(parameter)
            case ("ln_1" | "ln_2" | "ln_f", "weight"):
                nn.init.ones_(parameter)
            case ("token_embedding" | "qkv" | "proj" | "fc", "weight"):
                nn.init.normal_(parameter, std=INIT_STD, generator=generator)
            case _:
                raise AssertionError(f"No initialization is known for parameter '{name}'.")
