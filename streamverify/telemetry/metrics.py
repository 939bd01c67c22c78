"""The metrics of one process, by the table of metrics, and the page that `/metrics` answers.

What is observed value by value (the histograms) is kept by the client library; everything else is computed when
somebody asks for the page, from counts that the process has anyway: a number in Python costs a proof a tenth of what a
counter of the library does. Each process has a registry of its own: the library's global one belongs to programs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import structlog
from prometheus_client import CollectorRegistry, GCCollector, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from streamverify.core.log.once import Once
from streamverify.core.metrics.metric import Kind
from streamverify.core.metrics.table import LIBRARY, of_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from streamverify.core.metrics.metric import Metric, Process

    Value = float | None | Mapping[tuple[str, ...], float]
    Source = Callable[[], Value]
    """Computes a metric: a number; None where there is no sample now; or a number for the values of its labels."""

FAILURES = "streamverify_metric_failures_total"
_QUIET = 600.0
"""Seconds after which it is said again that a metric cannot be computed."""

_log = structlog.get_logger(__name__)


class MetricsPage(NamedTuple):
    """The answer to a request for `/metrics`."""

    status: int
    body: bytes
    content_type: str


class Metrics(Collector):
    """The metrics of one process. Before the page is asked for, every row of its part of the table needs a source.

    A metric that cannot be computed is left out of the page, is counted in `streamverify_metric_failures_total`, which
    is on the same page, and is logged; the others are there, because whoever looks for the fault needs them.
    """

    def __init__(self, process: Process) -> None:
        # A series more for each counter, of when it was made: `process_start_time_seconds` says that once.
        disable_created_metrics()
        self._rows = {metric.name: metric for metric in of_process(process)}
        # In no registry: a registry could collect nothing where one of its metrics fails.
        self._histograms = {
            metric.name: Histogram(metric.name, metric.help, metric.label_names, registry=None, buckets=metric.buckets)
            for metric in self._rows.values()
            if metric.kind is Kind.HISTOGRAM
        }
        self._sources: dict[str, Source] = {FAILURES: self._failed}
        self._failures: Counter[str] = Counter()
        self._once = Once(_QUIET)
        # Those of the library itself. They are collected by us, because they may fail as well.
        own = CollectorRegistry()
        collectors: tuple[Collector, ...] = (ProcessCollector(registry=own), GCCollector(registry=own))
        self._library = dict(zip(LIBRARY, collectors, strict=True))

    def histogram(self, name: str, *labels: str) -> Histogram:
        """Return the kept histogram of a row, or its child for these values of its labels, to be observed."""
        histogram = self._histograms[name]
        if not labels:
            return histogram
        _check(self._rows[name], labels)
        return histogram.labels(*labels)

    def at_scrape(self, sources: Mapping[str, Source]) -> None:
        """Say how rows are computed when the page is asked for.

        Raises:
            KeyError: The table has no such metric for this process.
        """
        for name, source in sources.items():
            if self._rows[name].kind is Kind.HISTOGRAM:
                raise KeyError(name)
            self._sources[name] = source

    def require_all(self) -> None:
        """See that every row of the table is computed.

        Raises:
            LookupError: The table promises a metric that nobody computes.
        """
        computed = self._sources.keys() | self._histograms.keys()
        if missing := [name for name in self._rows if name not in computed]:
            raise LookupError(f"nothing computes {', '.join(missing)}")

    def collect(self) -> Iterator[Family]:
        """Compute every metric, in the order of the table; the failures of this very page come last."""
        for row in self._rows.values():
            if row.name != FAILURES:
                yield from self._guarded(row.name, lambda row=row: [self._family(row)])  # type: ignore[misc]
        for name, collector in self._library.items():
            yield from self._guarded(name, collector.collect)
        yield self._family(self._rows[FAILURES])

    def page(self, accept: str = "") -> MetricsPage:
        """Make the page. Never raises: a process is not to suffer from who looks at it.

        Args:
            accept: The header `Accept` of the request: it may ask for OpenMetrics.
        """
        try:
            encode, content_type = choose_encoder(accept)
        except Exception:  # noqa: BLE001 - it comes of what somebody has sent
            # The library reads the version of the format as numbers, whatever stands there.
            encode, content_type = choose_encoder("")
        try:
            return MetricsPage(200, encode(self), content_type)
        except Exception as error:  # noqa: BLE001 - see above
            if self._once.is_new("page", time.monotonic()):
                _log.warning(
                    "metrics_failed",
                    error=repr(error),
                    hint="a bug of streamverify: /metrics answers 500, the work goes on; please report it",
                )
            return MetricsPage(500, f"the metrics cannot be written: {error!r}\n".encode(), "text/plain; charset=utf-8")

    def _guarded(self, name: str, collect: Callable[[], Iterable[Family]]) -> list[Family]:
        try:
            return list(collect())
        except Exception as error:  # noqa: BLE001 - whatever it is, the process and the other metrics are not to suffer
            self._failures[name] += 1
            if self._once.is_new(name, time.monotonic()):
                _log.warning(
                    "metric_failed",
                    metric=name,
                    error=repr(error),
                    hint=f"a bug of streamverify: it is left out of /metrics and counted in {FAILURES}; "
                    "please report it",
                )
            return []

    def _family(self, row: Metric) -> Family:
        if row.kind is Kind.HISTOGRAM:
            [family] = self._histograms[row.name].collect()
            return family
        family = Family(row.family, row.help, row.kind.value)
        for labels, value in self._values(row).items():
            # A number here, as the library would fail over anything else only when the whole page is written.
            family.add_sample(row.name, dict(zip(row.label_names, labels, strict=True)), float(value))
        return family

    def _values(self, row: Metric) -> Mapping[tuple[str, ...], float]:
        """Return the value of each series of a metric, 0 where a series of a small closed set has none yet."""
        value = self._sources[row.name]()
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            return {(): value}
        for labels in value:
            _check(row, labels)
        return {**_zeros(row), **value}

    def _failed(self) -> Mapping[tuple[str, ...], float]:
        return {(name,): self._failures[name] for name in (*self._rows, *LIBRARY)}


def _check(row: Metric, values: tuple[str, ...]) -> None:
    """Hold the labels of a series to the closed sets of the table.

    Raises:
        ValueError: A value is not in the set of its label: a series for each of those might be without end.
    """
    for label, value in zip(row.labels, values, strict=True):
        if not label.allows(value):
            raise ValueError(f"{row.name} has no {label.name}={value[:40]!r}")


def _zeros(row: Metric) -> dict[tuple[str, ...], float]:
    """Return the series that a counter has from the start on, so that their first step is seen as one.

    Of a counter with several labels the source says which combinations there are: most of the product never occur.
    """
    if row.kind is not Kind.COUNTER or len(row.labels) != 1 or row.name == FAILURES:
        return {}
    return {(value,): 0.0 for value in row.labels[0].values}
