"""Prometheus' own check of a page of metrics, and a reader of pages."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

if TYPE_CHECKING:
    from collections.abc import Mapping


def promtool() -> str:
    """The path of promtool. Skips where there is none, but in CI, where it must be."""
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing: install Debian's package prometheus", pytrace=False)
        pytest.skip("promtool is missing: install Debian's package prometheus")
    return found


def promtool_complaints(page: str) -> str:
    """What `promtool check metrics` has to say of a page; "" if it is content."""
    ran = subprocess.run([promtool(), "check", "metrics"], input=page, text=True, capture_output=True, check=False)
    return f"{ran.stdout}{ran.stderr}" or ("" if ran.returncode == 0 else f"it ended with {ran.returncode}")


class Page:
    """A page of metrics, read by the client library."""

    def __init__(self, text: str, *, openmetrics: bool = False) -> None:
        families = list((read_openmetrics if openmetrics else read_text)(text))
        self.types = {family.name: family.type for family in families}
        self.help = {family.name: family.documentation for family in families}
        self._samples = [sample for family in families for sample in family.samples]

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        """The values of a metric by those of its labels, in the order of their names."""
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for sample in self._samples
            if sample.name == name
        }

    def labels(self, name: str) -> list[Mapping[str, str]]:
        """The labels of each series of a metric."""
        return [sample.labels for sample in self._samples if sample.name == name]

    def value(self, name: str, **labels: str) -> float:
        """The value of the one series with these labels.

        Raises:
            ValueError: There is none, or several.
        """
        [found] = [
            sample.value for sample in self._samples if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return float(found)

    def total(self, name: str, **labels: str) -> float:
        """The sum of the series with these labels."""
        return float(
            sum(each.value for each in self._samples if each.name == name and labels.items() <= each.labels.items())
        )

    @property
    def names(self) -> set[str]:
        """The names of all samples."""
        return {sample.name for sample in self._samples}
