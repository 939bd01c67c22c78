"""Makes the fields by which a line of the log names the record that it concerns. Pure.

Each such line has the same fields, so that the lines of one proof are found by any of them: by its `custom_id`, by its
place on the topic, and by the id of the trace that it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamverify.core.tracing.trace_context import trace_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.job import Job, Record

MAX_LOGGED_ID = 80
"""Code points of a custom_id that are logged; it may have 512."""


def about_record(record: Record, custom_id: str | None = None) -> dict[str, Any]:
    """Make the fields for a record; `custom_id` where it is known."""
    known = {} if custom_id is None else {"custom_id": cut_id(custom_id)}
    return {**known, **about_place(record.id.partition, record.id.offset, record.kafka_headers)}


def about_place(partition: int, offset: int, kafka_headers: Sequence[tuple[str, bytes | None]]) -> dict[str, int | str]:
    """Make the fields for a record of which only its partition, offset and Kafka headers are known.

    `trace_id` is there if it has a `traceparent`, sampled or not: whoever sent it can find its lines by that.
    """
    context = trace_context(kafka_headers)
    return {
        "partition": partition,
        "offset": offset,
        **({} if context is None else {"trace_id": context.trace_id}),
    }


def about_job(job: Job) -> dict[str, Any]:
    """Make the fields for the record of a job."""
    return about_record(job.record, job.request.custom_id)


def cut_id(custom_id: str) -> str:
    """Cut a custom_id to what the log has of it."""
    return custom_id if len(custom_id) <= MAX_LOGGED_ID else custom_id[:MAX_LOGGED_ID] + "…"
