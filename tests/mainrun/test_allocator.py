"""Memory kept for the next step: measured by the pages that a process touches for the first time."""

import ctypes
import platform
import subprocess
import sys

import pytest

from mainrun.allocator import KEPT_BYTES, M_MMAP_THRESHOLD, keep_freed_memory

TOUCH = """
import resource, sys
from mainrun.allocator import keep_freed_memory
import torch
if sys.argv[1] == "kept":
    keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(30):
    torch.zeros(2**24)
before = faults()
for _ in range(10):
    torch.zeros(2**24)
print(faults() - before)
"""
"""Ten times 64 MiB, freed each time, once the heap has grown to what it needs."""


def count_faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", TOUCH, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, KEPT_BYTES),
    reason="glibc of some versions only takes a threshold this large",
)
def test_a_freed_tensor_gives_the_next_one_its_pages() -> None:
    assert count_faults("kept") < 100 < count_faults("not kept")


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()
