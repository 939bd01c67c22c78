"""What every test run has: the options that choose the broker (e2e/conftest.py) and the real Lean of tests/oracle."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# A property is about what comes out; how fast a busy machine draws examples is not.
settings.register_profile("streamverify", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("streamverify")


@pytest.fixture(scope="session", autouse=True)
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a worker learns in one run changes nothing in the next, nor at home."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        action="store_true",
        help="run what needs a broker on a real Apache Kafka, and on nothing else",
    )
    parser.addoption("--oracle", action="store_true", help="run tests/oracle, which asks a real Lean 4.35")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--kafka` nothing needs a real Kafka; with it nothing uses the embedded broker."""
    real = config.getoption("--kafka")
    unwanted = [item for item in items if _needs_the_other(item, real=real)]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]


def _needs_the_other(item: pytest.Item, *, real: bool) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    if real:
        return "embedded" in fixtures
    return item.get_closest_marker("kafka") is not None or "kafka" in fixtures
