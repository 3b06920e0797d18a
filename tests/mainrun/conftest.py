"""All tests of the training program: none touches the user's cache, and none lets threads fight over two cores."""

import os
from collections.abc import Iterator

import pytest

import mainrun  # before torch: it chooses how torch's threads wait

assert "OMP_WAIT_POLICY" in os.environ, mainrun.__doc__


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
