"""What importing a part of the training program loads."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def find_loaded(module: str) -> set[str]:
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_training_loads_no_library_that_only_others_need() -> None:
    loaded = find_loaded("mainrun.run")
    assert "torch" in loaded
    assert not {"datasets", "weasyprint", "pydantic", "ray", "harness"} & loaded


@pytest.mark.parametrize(
    "module", ["mainrun.recipes", "mainrun.sizes", "mainrun.record.run_record", "mainrun.record.identity"]
)
def test_a_plan_is_made_without_torch(module: str) -> None:
    assert "torch" not in find_loaded(module)
