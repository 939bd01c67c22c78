"""The dashboard of Lean: how well its time is used, what its steps take, what becomes of its processes."""

from __future__ import annotations

from boards.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    Board,
    Panel,
    Query,
    Row,
    Shape,
    by,
    increase,
    now,
    number,
    quantiles,
    rate,
    share,
)

JOBS = f"sum({rate('jobs_total')})"
COLD = "sum({})".format(rate("jobs_total", 'environment="cold"'))
LOOKUPS = f"sum({rate('cache_lookups_total')})"
FOUND = "sum({})".format(rate("cache_lookups_total", 'outcome!="miss"'))

NOW = Row(
    "Now",
    (
        number(
            "Useful Lean time",
            "Time that Lean ran proofs which were then verified or rejected, as a share of what all slots have.",
            "percentunit",
            Query(f"sum({rate('useful_lean_seconds_total')}) / sum({now('slots')})", "useful"),
            width=6,
            highest=1,
        ),
        number(
            "Cold proofs",
            "Share of the proofs whose header was imported for them. Much of it: more headers than slots "
            "(alert StreamverifyHeadersThrash).",
            "percentunit",
            Query(share(COLD, JOBS), "cold"),
            width=6,
            highest=1,
            thresholds=((0.1, ORANGE), (0.2, RED)),
        ),
        number(
            "Answered from the cache",
            "Share of the proofs looked up that had a verdict already; 0 without a cache.",
            "percentunit",
            Query(share(FOUND, LOOKUPS), "found"),
            width=6,
            highest=1,
        ),
        number(
            "REPL processes",
            "Processes that live, of all workers; there may be spares beyond the slots.",
            "short",
            Query(f"sum({now('repl_processes')})", "processes"),
            width=6,
        ),
    ),
)

TIME = Row(
    "Time",
    (
        Panel(
            "What Lean is busy with",
            "Slots busy with each step, on average, and how much of it was useful.",
            "short",
            (
                Query(f"sum by (step) ({rate('lean_seconds_total')})", "{{step}}"),
                Query(f"sum({rate('useful_lean_seconds_total')})", "useful"),
                Query(f"sum({now('slots')})", "slots"),
            ),
            width=12,
        ),
        Panel(
            "How a proof found its header",
            "warm: imported; delayed: waited for a slot that had it; cold: imported for this proof; fresh: asked for.",
            "suffix:/s",
            by("environment", rate("jobs_total")),
            width=12,
            stacked=True,
            colours={"warm": GREEN, "delayed": BLUE, "cold": ORANGE, "fresh": PURPLE},
        ),
        Panel("Waiting for a slot", "From receipt to a slot.", "s", quantiles("queue_wait_seconds"), width=6),
        Panel(
            "Importing",
            "Each import of a header, ahead of demand or for a proof.",
            "s",
            quantiles("import_seconds"),
            width=6,
        ),
        Panel("Running", "Lean on the body of a proof.", "s", quantiles("run_seconds"), width=6),
        Panel(
            "Auditing",
            "Axioms, types and statement of a proof; no line without audits (REQUIRE=checked).",
            "s",
            quantiles("audit_seconds"),
            width=6,
        ),
    ),
)

PROCESSES = Row(
    "Processes",
    (
        Panel(
            "Deaths in an hour, by cause",
            "memory: the kernel, or Lean, had none; memory_limit: more than MEMORY_PER_REPL; crash: a signal; timeout: "
            "no answer in time.",
            "short",
            by("cause", increase("repl_deaths_total", "1h")),
            Shape.BARS,
            thresholds=((1, ORANGE), (100, RED)),
        ),
        Panel(
            "Replaced in an hour, by reason",
            "Processes in order that were ended: worn by growth or uses, room for another header, asked for.",
            "short",
            by("why", increase("repl_replaced_total", "1h")),
            Shape.BARS,
            below=BLUE,
        ),
        Panel(
            "Memory by worker",
            "Private memory of all REPLs of a worker; what libraries map is shared, and not in it.",
            "bytes",
            by("instance", now("repl_memory_bytes")),
            stacked=True,
        ),
        Panel(
            "Starts",
            "REPL processes started, tries that failed included.",
            "suffix:/s",
            by("instance", rate("repl_starts_total")),
        ),
        Panel(
            "Largest REPL",
            "The slot that uses most; at MEMORY_PER_REPL its process is ended.",
            "bytes",
            (Query(f"max by (instance) ({now('repl_memory_bytes')})", "{{instance}}"),),
        ),
        Panel(
            "Slots and processes",
            "Slots, the proofs that run in them, and the processes that live.",
            "short",
            (
                Query(f"sum({now('slots')})", "slots"),
                Query(f"sum({now('proofs_running')})", "running"),
                Query(f"sum({now('repl_processes')})", "processes"),
            ),
            colours={"slots": BLUE, "running": GREEN, "processes": GREY},
        ),
    ),
)

VERDICTS = Row(
    "Verdicts",
    (
        Panel(
            "By assurance",
            "How much `verified` was worth: checked, audited, replayed, cross_checked; none for what is not verified.",
            "suffix:/s",
            by("assurance", rate("results_total")),
            stacked=True,
            colours={"none": GREY, "checked": ORANGE, "audited": GREEN, "replayed": BLUE, "cross_checked": PURPLE},
        ),
        Panel(
            "Above audited",
            "Proofs that wait for a higher tier, that are on their way, and second results an hour (UPGRADE).",
            "short",
            (
                Query(f"sum({now('replays_queued')})", "queued"),
                Query(f"sum({now('replays_running')})", "running"),
                Query(f"sum({increase('upgrades_total', '1h')})", "upgraded in an hour"),
            ),
        ),
        Panel(
            "Not needed any more",
            "Proofs superseded, by what they did then: each ran or waited for an answer that nobody needs.",
            "suffix:/s",
            by("state", rate("superseded_total")),
            stacked=True,
        ),
        Panel(
            "Cache: lookups",
            "Where a verdict of identical work was found.",
            "suffix:/s",
            (
                Query(f"sum by (outcome) ({rate('cache_lookups_total')})", "{{outcome}}"),
                Query(f"sum({rate('cache_shared_total')})", "shared with one on its way"),
            ),
            stacked=True,
            colours={"memory": GREEN, "store": BLUE, "miss": GREY},
        ),
        Panel(
            "Cache: verdicts in memory",
            "Verdicts that the workers hold.",
            "short",
            by("instance", now("cache_entries")),
        ),
        Panel(
            "Cache: size in memory",
            "Size of the verdicts that the workers hold.",
            "bytes",
            by("instance", now("cache_bytes")),
        ),
    ),
)

BOARD = Board(
    "streamverify-lean",
    "streamverify / Lean",
    "How well Lean's time is used, what its steps take, what becomes of its processes.",
    (NOW, TIME, PROCESSES, VERDICTS),
    member="streamverify_slots",
)
