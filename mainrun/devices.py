"""Where a run computes, how precisely and with which library: the names, and what `auto` comes to.

Torch is imported where it is used, because the harness reads the names and never imports torch.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mainrun.record.errors import EXIT_DONE, RequestError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
"""What `--device` takes; `auto` is CUDA where there is one."""

PRECISIONS = ("auto", "float32", "bfloat16")
"""What `--precision` takes, for matrix products; `auto` is bfloat16 on a GPU that computes in it, else float32."""

NO_CUDA = "--device cuda was asked for, but torch finds no CUDA device here. Use --device auto."

MAX_FLOAT32_ERROR = 1e-5
"""Relative error above which a product was not computed in float32: that has about 3e-7, bfloat16 3e-3."""


def choose_device(name: str) -> torch.device:
    """The device of a name in `DEVICES`; `RequestError` for CUDA where there is none."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise RequestError(NO_CUDA)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> str:
    """`float32` or `bfloat16`. A CPU is asked for bfloat16 by name: only some are fast at it, and losses move."""
    import torch

    if name == "auto":
        is_fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if is_fast else "float32"
    return name


def choose_products(device: torch.device) -> None:
    """Lets torch take oneDNN's float32 products on an AMD CPU, where MKL's, its default, are slower.

    The setting for it also allows oneDNN to round to bfloat16, as it does on processors with instructions for
    tiles: it is taken back where a product has not the error of float32. On a GPU sums stay in float32, and cuDNN's
    attention is not taken, some kernels of which round the dropout to a multiple of 1/16.
    """
    import torch

    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.enable_cudnn_sdp(False)
    if device.type == "cpu" and read_cpuinfo("vendor_id") == "AuthenticAMD":
        torch.set_float32_matmul_precision("medium")
        if measure_product_error() > MAX_FLOAT32_ERROR:
            torch.set_float32_matmul_precision("highest")


def measure_product_error() -> float:
    """Error of a float32 product on the CPU, as torch is set, relative to the product in float64 (Frobenius norm)."""
    import torch

    factor = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    exact = factor.double() @ factor.double()
    return float((factor @ factor - exact).norm() / exact.norm())


def read_cpuinfo(field: str) -> str | None:
    """A field of the first processor in Linux's list of them; None where there is no such list or field."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), None)


def _main() -> int:
    """Tells a program that does not import torch whether there is a CUDA device: 0, or a wrong request's code."""
    import torch

    return EXIT_DONE if torch.cuda.is_available() else RequestError.exit_code


if __name__ == "__main__":
    sys.exit(_main())
