"""Queries to a Prometheus, over its HTTP API: what draw.py and the tests of the panels ask."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE = 60.0


class PrometheusError(Exception):
    """Prometheus cannot be reached, or refuses a query; the message says why."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series of an answer: its labels, and pairs of Unix time and value, NaN left out."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus:
    """A Prometheus at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def now(self, promql: str) -> list[Series]:
        """Ask for the value of each series at this moment.

        Raises:
            PrometheusError: It cannot be reached, or refuses the query.
        """
        data = self.get("/api/v1/query", query=promql)
        if data["resultType"] == "scalar":
            return [_series({}, [data["result"]])]
        found = [_series(each["metric"], [each["value"]]) for each in data["result"]]
        return [series for series in found if series.points]

    def course(self, promql: str, start: float, end: float, step: float) -> list[Series]:
        """Ask for the course of each series from one Unix time to another, a point each `step` seconds.

        Raises:
            PrometheusError: It cannot be reached, or refuses the query.
        """
        data = self.get("/api/v1/query_range", query=promql, start=f"{start}", end=f"{end}", step=f"{step}")
        found = [_series(each["metric"], each["values"]) for each in data["result"]]
        return [series for series in found if series.points]

    def get(self, path: str, **query: str) -> Any:
        """Ask another endpoint of the API.

        Returns:
            The `data` of its answer.

        Raises:
            PrometheusError: It cannot be reached, or refuses the question.
        """
        address = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address, timeout=_PATIENCE) as answer:  # noqa: S310 - the user's own
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode("utf-8", "replace")
            raise PrometheusError(f"{self.url} refuses {query}: {said[:500]}") from error
        except (OSError, ValueError, KeyError) as error:
            raise PrometheusError(f"no Prometheus answers at {self.url}: {error}") from error


def _series(labels: Mapping[str, str], values: list[Any]) -> Series:
    points = ((float(time), float(value)) for time, value in values)
    return Series(labels, tuple((time, value) for time, value in points if not math.isnan(value)))
