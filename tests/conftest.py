"""Options of the whole suite."""

import pytest
from hypothesis import settings

settings.register_profile("ours", deadline=None)  # how long an example takes is the machine's
settings.load_profile("ours")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=5, help="how often tests/test_kill.py kills a training")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kill_seed" in metafunc.fixturenames:
        metafunc.parametrize("kill_seed", range(metafunc.config.getoption("--kills")))
