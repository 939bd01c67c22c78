"""The brokers that the end-to-end tests run on.

A test that asks for `broker` runs on the embedded one, or with `--kafka` on a real Apache Kafka. What needs a
real one asks for `kafka` and is marked so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kafka_broker import NoBrokerError, real_broker

if TYPE_CHECKING:
    from collections.abc import Iterator


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
