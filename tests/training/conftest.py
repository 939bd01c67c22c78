"""The real TRL, with packages of several gigabytes, in an environment of its own: `make test-trl`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without `--trl` these files are not there."""
    return None if config.getoption("--trl") or collection_path.name == "conftest.py" else True


@pytest.fixture
def servers() -> Iterator[str]:
    """Bootstrap servers of the embedded broker."""
    from streamverify.bus.embedded import EmbeddedBroker  # noqa: PLC0415 - not installed for every run

    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers
