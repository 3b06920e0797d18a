"""Tensors and plain values in a file of torch's, loaded without running anything that such a file could hold."""

from pathlib import Path
from typing import Any, BinaryIO

import torch

from mainrun.record.errors import summarize_error


def load_tensors(source: Path | BinaryIO, device: torch.device | None = None) -> dict[str, Any]:
    """What was saved by name, on `device`, or where it was; `ValueError` that says in one line why it cannot be."""
    try:
        loaded = torch.load(source, weights_only=True, map_location=device)
    except Exception as error:  # of other bytes, pickle and zipfile raise a dozen unrelated types
        raise ValueError(summarize_error(error)) from None
    if not isinstance(loaded, dict):
        raise ValueError("it holds no state")
    return loaded
