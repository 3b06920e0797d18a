"""All tests of the harness: none touches the user's cache, and comparisons that are only read are made once."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mainrun  # before torch: it chooses how torch's threads wait
from harness.plan.noise import find_known_noise
from harness.report.pdf import check_renderer
from mainrun.record.errors import MachineError
from tests.harness.fakes import MACHINE, STARTED_AT, make_comparison

assert "OMP_WAIT_POLICY" in os.environ, mainrun.__doc__


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _noise_is_known() -> Iterator[None]:
    """Tiny arms are of another scale than their preset, and are made to have its noise: so one seed can be decided."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("harness.plan.planning", "harness.sources.planned", "harness.check.planned"):
            patch.setattr(f"{module}.find_known_noise", lambda preset, _, data: find_known_noise(preset, [], data))
        yield


@pytest.fixture(scope="session", autouse=True)
def _checks_are_made_at_a_known_time() -> Iterator[None]:
    """So that the same request gives the same bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.comparison.time", lambda: STARTED_AT + 3600.0)
        patch.setattr("harness.comparison.find_head", lambda *_: (MACHINE["commit"], False))
        yield


@pytest.fixture(scope="session")
def tiny_comparison(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Baseline against optimized, one seed; to be read only."""
    return make_comparison(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def three_seeds(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Baseline against optimized, three seeds; to be read only."""
    return make_comparison(tmp_path_factory.mktemp("seeds"), seeds=(1337, 1, 2))


@pytest.fixture
def own_comparison(tiny_comparison: Path, tmp_path: Path) -> Path:
    """A copy of `tiny_comparison`, to be damaged."""
    return Path(shutil.copytree(tiny_comparison, tmp_path / "own", symlinks=True))


@pytest.fixture(scope="session")
def tiny_document(tiny_comparison: Path) -> dict[str, Any]:
    """The content of `tiny_comparison`'s comparison.json; to be read only."""
    from harness.store.document import load_document

    return load_document(tiny_comparison)


@pytest.fixture(scope="session")
def full_comparison(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Baseline against optimized with figures and PDF; to be read only. Skips where no PDF can be made."""
    try:
        check_renderer()
    except MachineError as error:
        pytest.skip(f"no PDF can be made here: {error}")
    return make_comparison(tmp_path_factory.mktemp("full"), pdf=True, figures=True)


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with a file in `golden/`; `UPDATE_GOLDEN=1 pytest tests/harness` writes the files anew."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text, f"{name} changed; if rightly so: UPDATE_GOLDEN=1"

    return compare
