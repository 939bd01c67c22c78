"""The work of a job as it is known before it runs: its time-out, names of its kind, and its group. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.groups.scope import callers_id, gateway_key

if TYPE_CHECKING:
    from streamverify.core.job import Job

_TRAILING_NUMBER = re.compile(r"[-_.:/#]?[0-9]+$")


class Work(NamedTuple):
    """The work of a job as it is known before it runs. By default it is short and belongs to no group."""

    timeout: float = 0.0
    """The seconds that Lean may run for it."""
    names: tuple[str, ...] | None = None
    """The names under which its duration is observed, the most telling first; its header comes after them.

    None where the sender chose the time-out for this proof: then that alone says whether the work is long.
    """
    group: str | None = None
    """The group of which one success is enough: of its jobs no two are run at once while others wait."""
    fresh: bool = False
    """True where it asks for a process of its own, which imports its header anew."""


def work_of(job: Job, *, default_timeout: float, max_timeout: float) -> Work:
    """Return what is known of a job's work. The time-outs are the worker's settings, in seconds."""
    request = job.request
    timeout = min(request.timeout or default_timeout, max_timeout)
    key = gateway_key(job.record.kafka_headers)
    if key is None:
        return Work(timeout, None, job.scope, request.disable_cache)
    # Clients of the HTTP endpoints send one time-out for everything, of five minutes or more, or none at all: it says
    # nothing of the proof. The names hold for one caller and one run, as everybody counts from 1.
    caller = f"{key}/{request.run}"
    prefix = id_prefix(callers_id(job.record.kafka_headers) or "")
    names = [
        *([] if request.group is None else [f"group:{caller}/{request.group}"]),
        *([] if prefix is None else [f"prefix:{caller}/{prefix}"]),
    ]
    return Work(timeout, tuple(names), job.scope, request.disable_cache)


def id_prefix(custom_id: str) -> str | None:
    """Return what an id has in common with those of its kind: all but the number at its end; None where it has none."""
    prefix = _TRAILING_NUMBER.sub("", custom_id)
    return prefix if prefix and prefix != custom_id else None
