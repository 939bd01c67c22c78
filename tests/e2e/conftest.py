"""The brokers that the end-to-end tests run on.

A test that asks for `broker` runs on the embedded one, or with `--kafka` on a real Apache Kafka. What needs a
real one asks for `kafka` and is marked so.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from command import make_environment
from kafka_broker import NoBrokerError, real_broker
from support import ROOT
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a real Apache Kafka. Without one the tests fail: nothing here is skipped."""
    try:
        with real_broker() as servers:
            yield servers
    except NoBrokerError as error:
        pytest.fail(f"no Apache Kafka: {error}", pytrace=False)


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """Bootstrap servers of the embedded broker: a group has one member, topics have no settings."""
    from streamverify.bus.embedded import EmbeddedBroker  # noqa: PLC0415 - tests on a real Kafka need none

    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers


class OneByOne(LoadScopeScheduling):
    """Hands out tests one by one, and a file whole where its tests share what a fixture of the module has started.

    The largest first. (xdist's own groups, `--dist loadgroup`, have no effect with pytest 9.2 and xdist 3.8.)
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if _has_module_fixtures(ROOT / file) else nodeid


@cache
def _has_module_fixtures(file: Path) -> bool:
    # The text, as the process that hands the tests out collects none.
    return 'scope="module"' in file.read_text("utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneByOne | None:
    """With `--dist loadscope` the tests of this folder are handed out so."""
    return OneByOne(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Name the broker in the test's id."""
    if "broker" in metafunc.fixturenames:
        name = "kafka" if metafunc.config.getoption("--kafka") else "embedded"
        metafunc.parametrize("broker", [name], indirect=True, scope="session")


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> str:
    """Bootstrap servers of the broker of this run."""
    servers: str = request.getfixturevalue(request.param)
    return servers


@pytest.fixture
def env(broker: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Topics of one test's own, on the broker of this run, and a worker's settings for them."""
    return make_environment(broker, real=bool(request.config.getoption("--kafka")))
