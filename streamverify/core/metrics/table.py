"""THE table of metrics: what each process answers on `/metrics`. docs/metrics.md is made of it, and tests hold both.

Names are promises: dashboards and alerts of others are built on them. To change one is to break them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streamverify.core.metrics import labels
from streamverify.core.metrics.metric import PREFIX, Kind, Label, Metric, Process, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORKER = frozenset({Process.WORKER})
_GATEWAY = frozenset({Process.GATEWAY})
_ROUTER = frozenset({Process.ROUTER})
_TABLE = frozenset({Process.TABLE})
_EVERY = frozenset(Process)

SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""Seconds of what should be over at once: a commit, the event loop's delay."""
PROOF = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Seconds of what Lean does: from a trivial proof to the longest time-out (`MAX_TIMEOUT`)."""
WAIT = (0.005, 0.025, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400)
"""Seconds of what a queue may take: hours where a backlog is worked off."""
HTTP = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)
"""Seconds of an answer over HTTP, which may be a batch."""


def _counter(name: str, text: str, processes: frozenset[Process], *of: Label, unit: Unit = Unit.NONE) -> Metric:
    return Metric(f"{PREFIX}{name}", Kind.COUNTER, text, processes, unit, of)


def _gauge(
    name: str, text: str, processes: frozenset[Process], *of: Label, unit: Unit = Unit.NONE, absent: str = ""
) -> Metric:
    return Metric(f"{PREFIX}{name}", Kind.GAUGE, text, processes, unit, of, may_be_absent=absent)


def _histogram(name: str, text: str, processes: frozenset[Process], buckets: tuple[float, ...], *of: Label) -> Metric:
    return Metric(f"{PREFIX}{name}", Kind.HISTOGRAM, text, processes, Unit.SECONDS, of, buckets)


LIBRARY = ("process", "python_gc")
"""The beginnings of the names of the metrics that the client library has of every process."""

_NO_PARTITION = "while the worker has no partition"

_OF_WORK = (
    _counter(
        "results_total",
        "Results that the broker has, second ones of UPGRADE included.",
        _WORKER,
        labels.STATUS,
        labels.REASON,
        labels.ASSURANCE,
    ),
    _counter("records_consumed_total", "Records of the request topic that the worker took in to answer them.", _WORKER),
    _counter(
        "dead_letters_total",
        "Records that became dead letters and that the broker has.",
        frozenset({Process.WORKER, Process.ROUTER}),
        labels.STAGE,
    ),
    _gauge("records_in_flight", "Records queued, running, or finished and not committed yet.", _WORKER),
    _gauge("in_flight_bytes", "Size of the records in flight.", _WORKER, unit=Unit.BYTES),
    _gauge("proofs_queued", "Proofs that wait: for a slot, the cache, identical work, or in quarantine.", _WORKER),
    _gauge("proofs_running", "Proofs that Lean runs.", _WORKER),
    _gauge("slots", "Proofs that may run at once.", _WORKER),
    _gauge(
        "oldest_proof_seconds",
        "Time since the worker received the oldest record that it has not answered; 0 where there is none.",
        _WORKER,
        unit=Unit.SECONDS,
    ),
    _counter(
        "superseded_total",
        "Results `superseded`: nobody needed a verdict of these proofs any more.",
        _WORKER,
        labels.SUPERSEDED,
    ),
)

_OF_TIME = (
    _histogram(
        "queue_wait_seconds",
        "Time from receipt to a slot, of the proofs answered that a slot took.",
        _WORKER,
        WAIT,
    ),
    _histogram("import_seconds", "Time of each import of a header, ahead of demand or for a proof.", _WORKER, PROOF),
    _histogram("run_seconds", "Time that Lean ran a proof, of the proofs answered that ran.", _WORKER, PROOF),
    _histogram("audit_seconds", "Time of the audit of a proof, of the proofs answered that had one.", _WORKER, PROOF),
    _histogram(
        "verification_seconds",
        "Time from receipt to the verdict, of all proofs answered that were queued or looked up in the cache.",
        _WORKER,
        WAIT,
    ),
    _counter(
        "lean_seconds_total",
        "Time that slots were busy with Lean, whatever came of it; counted when an attempt ends.",
        _WORKER,
        labels.STEP,
        unit=Unit.SECONDS,
    ),
    _counter(
        "useful_lean_seconds_total",
        "Of lean_seconds_total what was spent on running and auditing proofs that were then verified or rejected.",
        _WORKER,
        unit=Unit.SECONDS,
    ),
    _gauge(
        "backlog_records",
        "Records of the worker's partitions without a committed answer, fetched or not.",
        _WORKER,
        absent="while no broker says where the partitions end",
    ),
    _gauge(
        "backlog_seconds",
        "Time that the slots need for the backlog: backlog_records x mean slot time of a record / slots.",
        _WORKER,
        unit=Unit.SECONDS,
        absent="while backlog_records is absent; and with a backlog before the first record was answered",
    ),
)

_OF_LEAN = (
    _counter("jobs_total", "Proofs that a slot took.", _WORKER, labels.ENVIRONMENT),
    _counter("repl_starts_total", "REPL processes started, tries that failed included.", _WORKER),
    _counter(
        "repl_deaths_total",
        "REPL processes that ended by themselves, or were ended because they were of no more use.",
        _WORKER,
        labels.DEATH,
    ),
    _counter("repl_replaced_total", "REPL processes that were in order, and were ended.", _WORKER, labels.REPLACED),
    _gauge("repl_processes", "REPL processes that live.", _WORKER),
    _gauge(
        "repl_memory_bytes",
        "Private memory of the REPL in a slot, with all processes below it; 0 where there is none.",
        _WORKER,
        labels.SLOT,
        unit=Unit.BYTES,
    ),
    _gauge("replays_queued", "Proofs that wait to be taken above `audited`.", _WORKER),
    _gauge("replays_running", "Proofs that are being taken above `audited`.", _WORKER),
    _counter("upgrades_total", "Second results, above `audited`, that the broker has.", _WORKER),
)

_OF_CACHE = (
    _counter("cache_lookups_total", "Proofs looked up in the result cache; all 0 without one.", _WORKER, labels.LOOKUP),
    _counter("cache_shared_total", "Misses that got the verdict of identical work already on its way.", _WORKER),
    _counter("cache_refused_total", "Entries of the store that were too old, damaged or not ours.", _WORKER),
    _gauge("cache_entries", "Verdicts in the worker's memory.", _WORKER),
    _gauge("cache_bytes", "Size of the verdicts in the worker's memory.", _WORKER, unit=Unit.BYTES),
    _gauge(
        "cache_store_up",
        "1 while the store of the cache answers and takes what it is given; 0 from a failure until it does so again.",
        _WORKER,
        absent="without a store, and once the cache is switched off",
    ),
)

_OF_KAFKA = (
    _counter("commits_total", "Commits that the broker has acknowledged.", _WORKER),
    _counter("commit_failures_total", "Commits that failed; each is tried again.", _WORKER),
    _histogram("commit_seconds", "Time from a commit to its acknowledgement.", _WORKER, SHORT),
    _gauge(
        "offset_map_bytes",
        "Metadata of the last commit that the broker has of a partition; it takes 4,096.",
        _WORKER,
        labels.PARTITION,
        unit=Unit.BYTES,
        absent=_NO_PARTITION,
    ),
    _gauge(
        "lag_records",
        "Records of a partition beyond the last that was fetched.",
        _WORKER,
        labels.PARTITION,
        absent=f"{_NO_PARTITION}, or no broker says",
    ),
    _counter("rebalances_total", "Assignments that the group has given this worker.", _WORKER),
    _counter(
        "adopted_jobs_total",
        "Records delivered again after a rebalance whose jobs still ran here, and went on.",
        _WORKER,
    ),
    _gauge("assigned_partitions", "Partitions that the group has given this worker and that it serves.", _WORKER),
    _gauge("paused_partitions", "Of these the ones that are not fetched: at a limit, or the worker drains.", _WORKER),
    _gauge(
        "quarantined_partitions",
        "Of these the ones where a worker died: each record is run only after a commit counts its attempt.",
        _WORKER,
    ),
    _gauge("unpublished_records", "Results and dead letters that the broker has not acknowledged.", _WORKER),
    _counter("publish_failures_total", "Times that the broker did not take results; they are sent again.", _WORKER),
    _counter("lost_by_retention_total", "Records deleted before they were read, at most.", _WORKER),
)

_OF_GATEWAY = (
    _counter(
        "http_requests_total",
        "Requests over HTTP that were answered.",
        _GATEWAY,
        labels.ROUTE,
        labels.METHOD,
        labels.CODE,
    ),
    _histogram(
        "http_request_seconds",
        "Time from the head of a request to the end of its answer.",
        _GATEWAY,
        HTTP,
        labels.ROUTE,
    ),
    _gauge("gateway_requests_held", "Requests with proofs that are being answered.", _GATEWAY),
    _gauge("gateway_held_bytes", "Size of the bodies of the requests held.", _GATEWAY, unit=Unit.BYTES),
    _gauge("gateway_proofs_waiting", "Proofs that wait for a place on Kafka.", _GATEWAY),
    _gauge("gateway_proofs_in_flight", "Proofs that are on Kafka, without a verdict yet.", _GATEWAY),
    _counter("gateway_refused_total", "Requests that were refused.", _GATEWAY, labels.REFUSED),
    _counter(
        "gateway_answers_total",
        "Proofs answered, whether by a worker or by the gateway itself.",
        _GATEWAY,
        labels.STATUS,
        labels.ANSWERED,
    ),
)

_OF_STREAMS = (
    _counter("router_records_total", "Records of the ingest topic that the router routed.", _ROUTER, labels.ROUTED),
    _gauge("router_headers", "Headers that all routers count apart.", _ROUTER),
    _gauge(
        "router_lag_records",
        "Records of the router's partitions that it has not forwarded.",
        _ROUTER,
        absent="while no broker says where the partitions end",
    ),
    _gauge("table_rows", "Rows that this instance holds.", _TABLE),
    _gauge("table_partitions", "Partitions whose rows this instance holds completely.", _TABLE),
    _gauge("table_partitions_behind", "Partitions that are still read for the first time.", _TABLE),
    _counter("table_records_total", "Records of the result topic that the table took in.", _TABLE, labels.TABLED),
    _gauge(
        "table_lag_records",
        "Records of the instance's partitions that it has not taken in.",
        _TABLE,
        absent="while no broker says where the partitions end",
    ),
)

_OF_EVERY_PROCESS = (
    _gauge("ready", "1 while the process does its work, as /ready (the gateway's /health) says; else 0.", _EVERY),
    _gauge("brokers_reachable", "1 while a Kafka broker answers; else 0.", _EVERY),
    _gauge("draining", "1 from the signal that ends the process on; else 0.", _EVERY),
    _histogram("event_loop_delay_seconds", "How much too late a timer of the event loop came.", _EVERY, SHORT),
    Metric(
        f"{PREFIX}build_info", Kind.INFO, "Always 1; its labels say what the process is.", _EVERY, labels=labels.BUILD
    ),
    _counter(
        "metric_failures_total",
        "Scrapes in which a metric could not be computed, and was left out.",
        _EVERY,
        labels.METRIC,
    ),
)

_ALL = (
    *_OF_WORK,
    *_OF_TIME,
    *_OF_LEAN,
    *_OF_CACHE,
    *_OF_KAFKA,
    *_OF_GATEWAY,
    *_OF_STREAMS,
    *_OF_EVERY_PROCESS,
)


def _with_names(metric: Metric) -> Metric:
    """Give the label `metric` its closed set: the names in this table."""
    names = (*(each.name for each in _ALL), *LIBRARY)
    of = tuple(replace(label, values=names) if label is labels.METRIC else label for label in metric.labels)
    return replace(metric, labels=of)


METRICS: Mapping[str, Metric] = {metric.name: _with_names(metric) for metric in _ALL}
"""All metrics of our own by name. Each process has `process_*` and `python_gc_*` of the library besides."""


def of_process(process: Process) -> list[Metric]:
    """Return the metrics of a process, in the order of the table."""
    return [metric for metric in METRICS.values() if process in metric.processes]
