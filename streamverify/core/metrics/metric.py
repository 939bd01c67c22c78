"""The form of a row of the table of metrics. Pure: it knows no library that counts, and no process that is counted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "streamverify_"


class Process(StrEnum):
    """The processes that answer `/metrics`."""

    WORKER = "worker"
    GATEWAY = "gateway"
    ROUTER = "router"
    TABLE = "table"


class Kind(StrEnum):
    """The types of Prometheus that are used here."""

    COUNTER = "counter"
    """It only grows, from 0 at the start of the process."""
    GAUGE = "gauge"
    """It goes up and down."""
    HISTOGRAM = "histogram"
    """It counts values by upper bounds, with their sum."""
    INFO = "info"
    """It is always 1; its labels say something of the process."""


class Unit(StrEnum):
    """The base units of Prometheus, and what is counted where there is none."""

    SECONDS = "seconds"
    BYTES = "bytes"
    NONE = ""
    """A count; the help says of what."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label, and the closed set that its values are from: never an id, a digest, a header or a text of a user.

    `values` is empty where they are numbers that the machine or the topic bounds (`numbers`), or where there is one
    value only in the life of a process (`info`): a version, the name of a REPL.
    """

    name: str
    meaning: str
    values: tuple[str, ...] = ()
    numbers: bool = False
    info: bool = False

    def allows(self, value: str) -> bool:
        """Tell whether a sample may have this value."""
        if self.numbers:
            return value.isascii() and value.isdecimal()
        return self.info or value in self.values


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: one row of the table."""

    name: str
    """The name of its samples without a histogram's suffixes."""
    kind: Kind
    help: str
    processes: frozenset[Process]
    unit: Unit = Unit.NONE
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    """Of a histogram: the upper bounds, without the infinite one."""
    may_be_absent: str = ""
    """The times at which there is no sample, in words; "": there is one from the start on, and always."""

    @property
    def family(self) -> str:
        """The name of the metric's family: in OpenMetrics a suffix belongs to the samples."""
        suffix = {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")
        return self.name.removesuffix(suffix)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of its labels, in their order."""
        return tuple(label.name for label in self.labels)
