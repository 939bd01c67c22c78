"""The dashboard of one worker: its slots, its partitions, its process."""

from __future__ import annotations

from boards.panels import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    SELECTOR,
    WINDOW,
    Board,
    Panel,
    Query,
    Row,
    increase,
    now,
    number,
    quantile,
    quantiles,
    rate,
    share,
)

NOW = Row(
    "Now",
    (
        number(
            "Ready",
            "1 while the worker has its share of the group and does not drain; its /ready says what is wrong else.",
            "short",
            Query(now("ready"), "ready"),
            below=RED,
            thresholds=((1, GREEN),),
        ),
        number(
            "Slots busy",
            "Share of the slots in which Lean runs a proof.",
            "percentunit",
            Query(f"sum({now('proofs_running')}) / sum({now('slots')})", "busy"),
            highest=1,
        ),
        number(
            "Useful Lean time",
            "Time that Lean ran proofs which were then verified or rejected, as a share of what the slots have: the "
            "rest is imports, proofs without a verdict, and idling.",
            "percentunit",
            Query(f"sum({rate('useful_lean_seconds_total')}) / sum({now('slots')})", "useful"),
            highest=1,
        ),
        number(
            "Backlog, as time",
            "How long the slots need for the records of the worker's partitions.",
            "s",
            Query(f"sum({now('backlog_seconds')}) or vector(0)", "seconds"),
            thresholds=((1800, ORANGE), (3600, RED)),
        ),
        number(
            "Oldest proof",
            "Time since the oldest record came that has no answer.",
            "s",
            Query(now("oldest_proof_seconds"), "oldest"),
            thresholds=((900, ORANGE), (3600, RED)),
        ),
        number(
            "Partitions",
            "Partitions of the request topic that the group has given this worker.",
            "short",
            Query(now("assigned_partitions"), "partitions"),
        ),
    ),
)

PROOFS = Row(
    "Proofs",
    (
        Panel(
            "Results by reason",
            "Results that the broker has, in a second.",
            "suffix:/s",
            (Query(f"sum by (reason) ({rate('results_total')}) > 0 or vector(0)", "{{reason}}"),),
            stacked=True,
        ),
        Panel(
            "In and out",
            "Records taken in, and results that the broker has. In below out: a backlog is worked off.",
            "suffix:/s",
            (
                Query(f"sum({rate('records_consumed_total')})", "records in"),
                Query(f"sum({rate('results_total')})", "results out"),
            ),
            colours={"records in": BLUE, "results out": GREEN},
        ),
        Panel(
            "Where the time goes, p95",
            "Waiting for a slot, importing the header, running and auditing the proof.",
            "s",
            tuple(
                Query(quantile(0.95, f"{step}_seconds"), name)
                for step, name in (("queue_wait", "wait"), ("import", "import"), ("run", "run"), ("audit", "audit"))
            ),
        ),
        Panel(
            "Records in flight",
            "Queued, running, or finished and not committed yet.",
            "short",
            (
                Query(now("records_in_flight"), "in flight"),
                Query(now("proofs_queued"), "queued"),
                Query(now("proofs_running"), "running"),
            ),
            colours={"in flight": BLUE, "queued": ORANGE, "running": GREEN},
        ),
        Panel(
            "Size of what is in flight",
            "What the records in flight hold of the worker's own memory; at its limit partitions are paused.",
            "bytes",
            (Query(now("in_flight_bytes"), "in flight"),),
        ),
        Panel("Time to a verdict", "From receipt to the verdict.", "s", quantiles("verification_seconds")),
    ),
)

SLOTS = Row(
    "Slots",
    (
        Panel(
            "Memory by slot",
            "Private memory of the REPL in each slot, with all processes below it. A saw-tooth is recycling at work.",
            "bytes",
            (Query(f"sum by (slot) ({now('repl_memory_bytes')})", "slot {{slot}}"),),
            stacked=True,
        ),
        Panel(
            "What Lean is busy with",
            "Slots busy with each step, on average; it is counted when a step ends.",
            "short",
            (
                Query(f"sum by (step) ({rate('lean_seconds_total')})", "{{step}}"),
                Query(f"sum({now('slots')})", "slots"),
            ),
        ),
        Panel(
            "REPL processes",
            "Started, died, and replaced although in order, in an hour.",
            "short",
            (
                Query(f"sum({increase('repl_starts_total', '1h')})", "started"),
                Query(f"sum({increase('repl_replaced_total', '1h')})", "replaced"),
                Query(f"sum({increase('repl_deaths_total', '1h')})", "died"),
            ),
            colours={"started": BLUE, "replaced": GREEN, "died": RED},
        ),
    ),
)

PARTITIONS = Row(
    "Partitions",
    (
        Panel(
            "Lag by partition",
            "Records beyond the last that was fetched.",
            "short",
            (Query(now("lag_records"), "partition {{partition}}"),),
            stacked=True,
        ),
        Panel(
            "Partitions",
            "paused: at a limit, or the worker drains; quarantined: a worker died there, and each record's attempt is "
            "committed before it runs.",
            "short",
            (
                Query(now("assigned_partitions"), "assigned"),
                Query(now("paused_partitions"), "paused"),
                Query(now("quarantined_partitions"), "quarantined"),
            ),
            colours={"assigned": BLUE, "paused": ORANGE, "quarantined": RED},
        ),
        Panel(
            "Offset map by partition",
            "Metadata of the last commit: the records beyond its offset that are finished. At most 2,700 bytes.",
            "bytes",
            (Query(now("offset_map_bytes"), "partition {{partition}}"),),
        ),
    ),
)

PROCESS = Row(
    "Process",
    (
        Panel(
            "Processor",
            "Cores that the worker itself uses; Lean runs in processes of its own.",
            "short",
            (Query(f"rate(process_cpu_seconds_total{{{SELECTOR}}}[{WINDOW}])", "cores"),),
            width=6,
        ),
        Panel(
            "Memory",
            "Resident memory of the worker itself.",
            "bytes",
            (Query(f"process_resident_memory_bytes{{{SELECTOR}}}", "resident"),),
            width=6,
        ),
        Panel(
            "Open files",
            "Descriptors, as a share of what the process may have.",
            "percentunit",
            (Query(share(f"process_open_fds{{{SELECTOR}}}", f"process_max_fds{{{SELECTOR}}}"), "open"),),
            width=6,
            thresholds=((0.8, RED),),
        ),
        Panel(
            "Delay of the event loop",
            "How much too late a timer came.",
            "s",
            quantiles("event_loop_delay_seconds"),
            width=6,
            thresholds=((0.5, RED),),
        ),
    ),
)

BOARD = Board(
    "streamverify-worker",
    "streamverify / A worker",
    "One worker: its slots, its partitions, its process.",
    (NOW, PROOFS, SLOTS, PARTITIONS, PROCESS),
    member="streamverify_slots",
    one_instance=True,
)
