"""The dashboard of Kafka, as our own processes see it: no exporter on the brokers is needed."""

from __future__ import annotations

from boards.panels import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
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
)

NOW = Row(
    "Now",
    (
        number(
            "Broker answers",
            "0 where one of the processes has had no answer from any broker for a while (alert StreamverifyNoBroker).",
            "short",
            Query(f"min({now('brokers_reachable')})", "answers"),
            below=RED,
            thresholds=((1, GREEN),),
        ),
        number(
            "Backlog",
            "Records without a committed answer, fetched or not.",
            "short",
            Query(f"sum({now('backlog_records')}) or vector(0)", "records"),
        ),
        number(
            "Partitions served",
            "Partitions of the request topic that a worker has. Fewer than the topic has: a rebalance, or no worker.",
            "short",
            Query(f"sum({now('assigned_partitions')}) or vector(0)", "partitions"),
            below=RED,
            thresholds=((1, GREEN),),
        ),
        number(
            "In quarantine",
            "Partitions where a worker died; they are slower until what it was running is answered.",
            "short",
            Query(f"sum({now('quarantined_partitions')}) or vector(0)", "partitions"),
            thresholds=((1, ORANGE),),
        ),
        number(
            "Lost by retention in a day",
            "Records that were deleted before a worker read them, at most: they have no answer "
            "(alert StreamverifyLostByRetention).",
            "short",
            Query(f"sum({increase('lost_by_retention_total', '1d')}) or vector(0)", "records"),
            thresholds=((1, RED),),
        ),
        number(
            "Not acknowledged",
            "Results and dead letters that the broker has not acknowledged.",
            "short",
            Query(f"sum({now('unpublished_records')}) or vector(0)", "records"),
        ),
    ),
)

READING = Row(
    "Reading",
    (
        Panel(
            "Records taken in",
            "By worker. Evenly spread keys give each partition its share; one header on one partition does not.",
            "suffix:/s",
            by("instance", rate("records_consumed_total")),
            stacked=True,
        ),
        Panel(
            "Lag by partition",
            "Records beyond the last that was fetched.",
            "short",
            (Query(f"sum by (partition) ({now('lag_records')})", "partition {{partition}}"),),
            stacked=True,
        ),
        Panel(
            "Partitions by worker",
            "How the group has shared them out.",
            "short",
            by_instance("assigned_partitions"),
            stacked=True,
        ),
        Panel(
            "Partitions paused",
            "Not fetched, because the worker has as many records in flight as it may, or drains. Usual with a backlog.",
            "short",
            by_instance("paused_partitions"),
            stacked=True,
        ),
        Panel(
            "Rebalances in an hour",
            "Assignments that the group has given each worker. One after each change of the group is right; more of "
            "them: alert StreamverifyRebalanceStorm.",
            "short",
            by("instance", increase("rebalances_total", "1h")),
            thresholds=((10, RED),),
        ),
        Panel(
            "Adopted after a rebalance",
            "Records that came again while their jobs still ran: they went on, and nothing was run twice.",
            "short",
            by("instance", increase("adopted_jobs_total", "1h")),
        ),
    ),
)

COMMITTING = Row(
    "Committing",
    (
        Panel(
            "Commits",
            "Acknowledged and failed; a failed one is tried again.",
            "suffix:/s",
            (
                Query(f"sum({rate('commits_total')})", "acknowledged"),
                Query(f"sum({rate('commit_failures_total')})", "failed"),
            ),
            colours={"acknowledged": GREEN, "failed": RED},
        ),
        Panel("Time of a commit", "Until the broker's acknowledgement.", "s", quantiles("commit_seconds")),
        Panel(
            "Offset map by partition",
            "Metadata of the last commit: the records beyond its offset that are finished. It stays below 2,700 bytes, "
            "because a worker takes in no more; a broker takes 4,096.",
            "bytes",
            (Query(f"max by (partition) ({now('offset_map_bytes')})", "partition {{partition}}"),),
        ),
    ),
)

PUBLISHING = Row(
    "Publishing",
    (
        Panel(
            "Not acknowledged",
            "Results and dead letters on their way to the broker, by worker.",
            "short",
            by_instance("unpublished_records"),
            stacked=True,
        ),
        Panel(
            "Publications that failed in an hour",
            "Times that the broker did not take results; they are sent again (alert StreamverifyPublishFails).",
            "short",
            by("instance", increase("publish_failures_total", "1h")),
            Shape.BARS,
            thresholds=((1, ORANGE),),
        ),
        Panel(
            "Dead letters in an hour, by stage",
            "Records that cannot be answered under an id, and poison. streamverify dlq list shows them.",
            "short",
            by("stage", increase("dead_letters_total", "1h")),
            Shape.BARS,
            thresholds=((1, ORANGE),),
        ),
    ),
)

STREAMS = Row(
    "Router and table",
    (
        Panel(
            "Router: records",
            "Records of the ingest topic, by what became of them.",
            "suffix:/s",
            by("outcome", rate("router_records_total")),
            width=6,
            stacked=True,
            colours={"forwarded": GREEN, "dead_letter": RED},
        ),
        Panel(
            "Router: lag and headers",
            "Records not forwarded yet, and headers that all routers count apart.",
            "short",
            (
                Query(f"sum({now('router_lag_records')})", "lag"),
                Query(f"max({now('router_headers')})", "headers"),
            ),
            width=6,
            colours={"lag": ORANGE, "headers": BLUE},
        ),
        Panel(
            "Table: records",
            "Records of the result topic, by what they were.",
            "suffix:/s",
            by("outcome", rate("table_records_total")),
            width=6,
            stacked=True,
        ),
        Panel(
            "Table: rows and lag",
            "Rows that the instances hold, and results that they have not taken in.",
            "short",
            (Query(f"sum({now('table_rows')})", "rows"), Query(f"sum({now('table_lag_records')})", "lag")),
            width=6,
            colours={"rows": BLUE, "lag": ORANGE},
        ),
    ),
)

BOARD = Board(
    "streamverify-kafka",
    "streamverify / Kafka",
    "Kafka as the workers, the router and the table see it; the brokers' own metrics are another exporter's.",
    (NOW, READING, COMMITTING, PUBLISHING, STREAMS),
)
