"""The dashboard for whoever is on duty: is work done, how long is the queue, what goes wrong, and where."""

from __future__ import annotations

from boards.panels import (
    BLUE,
    BY_STATUS,
    GREEN,
    ORANGE,
    RED,
    SELECTOR,
    WINDOW,
    Board,
    Panel,
    Query,
    Row,
    Shape,
    by,
    by_instance,
    increase,
    now,
    number,
    quantiles,
    rate,
    share,
)

RESULTS = f"sum({rate('results_total')})"
VERIFIED = 'status="verified"'
REJECTED = 'status="rejected"'
INCONCLUSIVE = 'status="inconclusive"'
INFRASTRUCTURE = (
    'reason=~"worker_error|import_failed|import_timeout|out_of_memory|repl_crash|no_recording", status="inconclusive"'
)
"""The reasons that say something of the workers and nothing of the proof."""

NOW = Row(
    "Now",
    (
        number(
            "Workers ready",
            "Workers that have their share of the group and do not drain. 0: nothing is verified "
            "(alert StreamverifyNoWorker).",
            "short",
            Query(f"sum({now('ready')} and on (job, instance) {now('slots')}) or vector(0)", "workers"),
            below=RED,
            thresholds=((1, GREEN),),
        ),
        number(
            "Answered",
            "Results that the broker has, in a second, of all workers.",
            "suffix:/s",
            Query(RESULTS, "results"),
        ),
        number(
            "Verified",
            "Share of the results that are verified. What is usual depends on the proofs; a sudden change does not.",
            "percentunit",
            Query(share(f"sum({rate('results_total', VERIFIED)})", RESULTS), "verified"),
            highest=1,
        ),
        number(
            "Backlog",
            "Records without a committed answer, of all partitions that a worker has.",
            "short",
            Query(f"sum({now('backlog_records')}) or vector(0)", "records"),
        ),
        number(
            "Backlog, as time",
            "How long the busiest worker's slots need for its backlog. Add workers while this grows "
            "(alert StreamverifyBacklogLong at an hour).",
            "s",
            Query(f"max({now('backlog_seconds')}) or vector(0)", "seconds"),
            thresholds=((1800, ORANGE), (3600, RED)),
        ),
        number(
            "Infrastructure failures",
            "Share of the results that say nothing of the proof: worker errors, failed imports, memory, crashes. They "
            "are retriable, and never count as a rejection (alert StreamverifyInfrastructureFails at 5 %).",
            "percentunit",
            Query(share(f"sum({rate('results_total', INFRASTRUCTURE)})", RESULTS), "failures"),
            highest=1,
            thresholds=((0.01, ORANGE), (0.05, RED)),
        ),
    ),
)

WORK = Row(
    "Work",
    (
        Panel(
            "Results by status",
            "Results that the broker has, in a second.",
            "suffix:/s",
            by("status", rate("results_total")),
            stacked=True,
            colours=BY_STATUS,
        ),
        Panel(
            "Time to a verdict",
            "From receipt by a worker to the verdict; what a proof waited on its topic before is not in it.",
            "s",
            quantiles("verification_seconds"),
        ),
        Panel(
            "Slots",
            "Proofs that Lean runs, of those that may run at once. Half of them idle with a backlog: "
            "alert StreamverifySlotsIdle.",
            "short",
            (
                Query(f"sum(avg_over_time({now('proofs_running')}[{WINDOW}]))", "running"),
                Query(f"sum({now('slots')})", "slots"),
            ),
            colours={"running": GREEN, "slots": BLUE},
        ),
        Panel(
            "Backlog by worker",
            "Records of the worker's partitions without a committed answer, fetched or not.",
            "short",
            by_instance("backlog_records"),
            stacked=True,
        ),
        Panel(
            "Backlog by worker, as time",
            "Records of the backlog x mean slot time of a record / slots. A worker far above the others has the "
            "partitions of the slow proofs.",
            "s",
            by_instance("backlog_seconds"),
            thresholds=((3600, RED),),
        ),
        Panel(
            "Oldest proof",
            "Time since the worker received the oldest record that it has not answered "
            "(alert StreamverifyProofWaitsLong at an hour).",
            "s",
            by_instance("oldest_proof_seconds"),
            thresholds=((3600, RED),),
        ),
    ),
)

TROUBLE = Row(
    "What goes wrong",
    (
        Panel(
            "Rejected, by reason",
            "What is wrong with the proofs that are rejected.",
            "suffix:/s",
            by("reason", rate("results_total", REJECTED)),
            stacked=True,
        ),
        Panel(
            "Inconclusive, by reason",
            "timeout, too_large, expired and superseded are about the proof or the request; the others are failures of "
            "the infrastructure.",
            "suffix:/s",
            by("reason", rate("results_total", INCONCLUSIVE)),
            stacked=True,
        ),
        Panel(
            "REPLs that died in an hour, by cause",
            "memory, memory_limit: more than MEMORY_PER_REPL. crash: Lean itself. timeout: no answer in time.",
            "short",
            by("cause", increase("repl_deaths_total", "1h")),
            Shape.BARS,
        ),
        Panel(
            "Dead letters in an hour, by stage",
            "Records that cannot be answered under an id (decode), and proofs that killed their worker. "
            "streamverify dlq list shows them.",
            "short",
            by("stage", increase("dead_letters_total", "1h")),
            Shape.BARS,
            thresholds=((1, ORANGE),),
        ),
        Panel(
            "Failures towards Kafka",
            "Commits and publications that failed in an hour; each is tried again. Now and then is a rebalance or a "
            "change of leader.",
            "short",
            (
                Query(f"sum({increase('commit_failures_total', '1h')})", "commits"),
                Query(f"sum({increase('publish_failures_total', '1h')})", "publications"),
                Query(f"sum({increase('lost_by_retention_total', '1h')})", "lost records"),
            ),
            Shape.BARS,
            thresholds=((1, ORANGE),),
        ),
        Panel(
            "Not ready",
            "Processes that do not do their work: they import headers, wait for the group or a broker, or drain. "
            "Their /ready says which.",
            "short",
            (Query(f"sum by (job) (1 - {now('ready')})", "{{job}}"),),
            thresholds=((1, RED),),
        ),
    ),
)

HTTP = Row(
    "Gateway",
    (
        Panel(
            "Requests by code",
            "Answers over HTTP in a second. 5xx: alert StreamverifyGatewayErrors; 429: StreamverifyGatewayRefuses.",
            "suffix:/s",
            (Query(f"sum by (code) ({rate('http_requests_total')}) > 0 or vector(0)", "{{code}}"),),
            stacked=True,
        ),
        Panel(
            "Time of an answer",
            "From the head of a request to the end of its answer. A request with proofs ends with the last of them.",
            "s",
            quantiles("http_request_seconds"),
        ),
        Panel(
            "Proofs of the gateway",
            "waiting: for a place on Kafka; in flight: on Kafka, without a verdict yet.",
            "short",
            (
                Query(f"sum({now('gateway_proofs_waiting')})", "waiting"),
                Query(f"sum({now('gateway_proofs_in_flight')})", "in flight"),
            ),
            stacked=True,
        ),
        Panel(
            "Proofs answered over HTTP",
            "By a worker, or by the gateway itself, which says so where it can be no proof or its time is over.",
            "suffix:/s",
            by("status", rate("gateway_answers_total")),
            stacked=True,
            colours=BY_STATUS,
        ),
        Panel(
            "Requests refused, by reason",
            "full: as many proofs are held as may be; key: none, or a wrong one; unavailable: no broker, or it drains.",
            "suffix:/s",
            by("reason", rate("gateway_refused_total")),
            stacked=True,
        ),
        Panel(
            "Requests held",
            "Requests with proofs that are being answered.",
            "short",
            by_instance("gateway_requests_held"),
            stacked=True,
        ),
    ),
)

STREAMS = Row(
    "Router and table",
    (
        Panel(
            "Router: lag",
            "Records of the ingest topic that were not forwarded yet (alert StreamverifyRouterBehind).",
            "short",
            by_instance("router_lag_records"),
            width=12,
            thresholds=((1000, RED),),
        ),
        Panel(
            "Table: lag",
            "Results that the table does not show yet (alert StreamverifyTableBehind).",
            "short",
            by_instance("table_lag_records"),
            width=12,
            thresholds=((10000, RED),),
        ),
    ),
)

PROCESSES = Row(
    "Processes",
    (
        Panel(
            "What runs",
            "Versions of each process. Different ones give different verdicts (alert StreamverifyMixedVersions).",
            "short",
            (Query(now("build_info")),),
            Shape.TABLE,
            width=24,
            height=6,
            columns=("job", "instance", "version", "kind", "lean", "repl", "mathlib", "policy", "sandbox"),
        ),
        Panel(
            "Memory of the processes",
            "Resident memory of our own processes; Lean's is on the dashboard Lean.",
            "bytes",
            (Query(f"process_resident_memory_bytes{{{SELECTOR}}}", "{{job}} {{instance}}"),),
            width=12,
        ),
        Panel(
            "Delay of the event loop, p99",
            "How much too late a timer came: above half a second the process has too little processor "
            "(alert StreamverifyEventLoopSlow).",
            "s",
            (
                Query(
                    f"histogram_quantile(0.99, sum by (le, job, instance) ({rate('event_loop_delay_seconds_bucket')}))",
                    "{{job}} {{instance}}",
                ),
            ),
            width=12,
            thresholds=((0.5, RED),),
        ),
    ),
)

BOARD = Board(
    "streamverify-overview",
    "streamverify / Overview",
    "Is work done, how long is the queue, what goes wrong, and where. docs/runbook.md says what to do.",
    (NOW, WORK, TROUBLE, HTTP, STREAMS, PROCESSES),
)
