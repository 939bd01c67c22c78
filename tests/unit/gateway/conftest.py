"""The plugin of schemathesis, for test_openapi.py alone: pytest loads no plugin here that is not named (pyproject)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("schemathesis", consider_entry_points=True)
