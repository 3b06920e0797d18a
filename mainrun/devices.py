"""Where a run computes and how precisely: the names, and what `auto` comes to.

Torch is imported where it is used, because the harness reads the names and never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainrun.errors import RequestError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
"""What `--device` takes; `auto` is CUDA where there is one."""

PRECISIONS = ("auto", "float32", "bfloat16")
"""What `--precision` takes, for matrix products; `auto` is bfloat16 on a GPU, float32 on a CPU."""


def choose_device(name: str) -> torch.device:
    """The device of a name in `DEVICES`; `RequestError` for CUDA where there is none."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise RequestError("--device cuda was asked for, but torch finds no CUDA device here. Use --device auto.")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> str:
    """`float32` or `bfloat16`. A CPU is asked for bfloat16 by name: only some are fast at it, and losses move."""
    if name == "auto":
        return "bfloat16" if device.type == "cuda" else "float32"
    return name
