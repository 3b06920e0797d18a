"""What `auto` comes to, and what is asked for by name."""

from collections.abc import Iterator

import pytest
import torch

from mainrun import devices
from mainrun.devices import (
    MAX_FLOAT32_ERROR,
    choose_device,
    choose_precision,
    choose_products,
    measure_product_error,
)
from mainrun.record.errors import RequestError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("name", "device", "is_fast", "expected"),
    [
        ("auto", CPU, True, "float32"),
        ("auto", CUDA, True, "bfloat16"),
        ("auto", CUDA, False, "float32"),
        ("bfloat16", CPU, False, "bfloat16"),
        ("bfloat16", CUDA, False, "bfloat16"),
        ("float32", CUDA, True, "float32"),
    ],
)
def test_only_a_gpu_that_computes_in_bfloat16_is_given_it_unasked(
    name: str, device: torch.device, is_fast: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or is_fast)
    assert choose_precision(name, device) == expected


@pytest.mark.parametrize("is_there", [True, False])
def test_auto_takes_cuda_where_it_is(is_there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_there)
    assert choose_device("auto") == (CUDA if is_there else CPU)
    assert choose_device("cpu") == CPU
    if not is_there:
        with pytest.raises(RequestError, match="no CUDA device"):
            choose_device("cuda")


@pytest.fixture
def _products_as_before() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("_products_as_before")
@pytest.mark.parametrize(
    ("vendor", "device", "error", "expected"),
    [
        ("AuthenticAMD", CPU, 4e-7, "medium"),
        ("AuthenticAMD", CPU, 3e-3, "highest"),
        ("GenuineIntel", CPU, 4e-7, "highest"),
        (None, CPU, 4e-7, "highest"),
        ("AuthenticAMD", CUDA, 4e-7, "highest"),
    ],
)
def test_products_are_onednns_on_an_amd_cpu_that_rounds_nothing(
    vendor: str | None, device: torch.device, error: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "read_cpuinfo", {"vendor_id": vendor}.get)
    monkeypatch.setattr(devices, "measure_product_error", lambda: error)
    for before in ("highest", "medium"):
        torch.set_float32_matmul_precision(before)
        choose_products(device)
        assert torch.get_float32_matmul_precision() == expected


@pytest.mark.usefixtures("_products_as_before")
def test_products_in_float32_are_float32_here() -> None:
    choose_products(CPU)
    assert 0 < measure_product_error() < MAX_FLOAT32_ERROR
    for num_rows in (1, 64, 2048):  # oneDNN takes other kernels for other shapes
        left, right = torch.randn(num_rows, 512), torch.randn(512, 2048)
        exact = left.double() @ right.double()
        assert (left @ right - exact).norm() < MAX_FLOAT32_ERROR * exact.norm()


def test_a_product_rounded_to_bfloat16_is_told_from_one_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    product = torch.Tensor.__matmul__

    def multiply_rounded(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return (
            product(left.bfloat16(), right.bfloat16()).float() if left.dtype == torch.float32 else product(left, right)
        )

    monkeypatch.setattr(torch.Tensor, "__matmul__", multiply_rounded)
    assert measure_product_error() > 100 * MAX_FLOAT32_ERROR
