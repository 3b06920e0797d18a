"""What `auto` comes to, and what is asked for by name."""

import pytest
import torch

from mainrun.devices import choose_device, choose_precision
from mainrun.errors import RequestError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("name", "device", "expected"),
    [
        ("auto", CPU, "float32"),
        ("auto", CUDA, "bfloat16"),
        ("bfloat16", CPU, "bfloat16"),
        ("float32", CUDA, "float32"),
    ],
)
def test_only_a_gpu_is_given_bfloat16_unasked(name: str, device: torch.device, expected: str) -> None:
    assert choose_precision(name, device) == expected


@pytest.mark.parametrize("is_there", [True, False])
def test_auto_takes_cuda_where_it_is(is_there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_there)
    assert choose_device("auto") == (CUDA if is_there else CPU)
    assert choose_device("cpu") == CPU
    if not is_there:
        with pytest.raises(RequestError, match="no CUDA device"):
            choose_device("cuda")
