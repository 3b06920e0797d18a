"""What a run ran on and with which code: enough to repeat it, nothing that names a host, a user or a path."""

import hashlib
import os
import platform
import resource
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mainrun.devices import read_cpuinfo
from mainrun.record.files import compute_file_sha256

_LIBRARIES = ("torch", "numpy", "tokenizers", "tiktoken", "pandas", "pyarrow", "datasets")
_PACKAGE = Path(__file__).parent


def describe_machine(device: torch.device, precision: str) -> dict[str, Any]:
    """Versions, device, precision of the products (`float32` or `bfloat16`) and threads."""
    is_cuda = device.type == "cuda"
    return {
        "python_version": platform.python_version(),
        "library_versions": {name: _version(name) for name in _LIBRARIES},
        "operating_system": platform.system(),
        "architecture": platform.machine(),
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if is_cuda else _cpu_name(),
        "precision": precision,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "num_threads": torch.get_num_threads(),
        "num_cpus": os.cpu_count(),
        "commit": _commit(),
    }


def compute_source_sha256() -> dict[str, str]:
    """SHA-256 of every source file of the training program, by its name in the package."""
    return {path.relative_to(_PACKAGE).as_posix(): compute_file_sha256(path) for path in sorted(_PACKAGE.rglob("*.py"))}


def compute_weights_sha256(model: nn.Module) -> str:
    """SHA-256 over names and float32 bytes of all parameters, in the model's order."""
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(name.encode() + b"\0")
        digest.update(parameter.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def measure_peak_memory_bytes(device: torch.device) -> int:
    """The most memory held so far: the device's for CUDA, the process's resident set elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        # getrusage's figure outlives exec on Linux: a child process would begin with its parent's.
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        unit = 1 if platform.system() == "Darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    return read_cpuinfo("model name") or platform.processor() or platform.machine()


def _commit() -> str | None:
    """The commit of the checkout this package stands in, `-dirty` where it differs; None outside a checkout."""
    git = ["git", "-C", str(_PACKAGE)]
    describe = [*git, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        tracked = subprocess.run([*git, "ls-files", "--error-unmatch", __file__], capture_output=True, timeout=10)
        described = subprocess.run(describe, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return described.stdout.strip() or None if tracked.returncode == 0 else None
