"""Small models with weights far from their start, so that a misplaced id or window shows in every loss."""

import torch
from torch import nn

from mainrun.model.gpt import GPT
from mainrun.recipes import build_named_config

VOCAB = 23


def build_model(block_size: int, seed: int = 0, *, dropout: float = 0.5) -> GPT:
    settings = {"n_layer": "2", "n_head": "2", "d_model": "8", "block_size": str(block_size), "dropout": str(dropout)}
    model = GPT(build_named_config("baseline", "quick", settings).model, VOCAB)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.7, generator=generator)
    return model


def draw_ids(num_ids: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(VOCAB, (num_ids,), generator=torch.Generator().manual_seed(seed))
