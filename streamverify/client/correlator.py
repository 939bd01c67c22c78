"""Matching the results that are read to the requests that were sent. Does no I/O.

A result belongs to a request by the Kafka header that the client set, never by its custom_id: two senders may use
the same. Where the header is missing (a worker leaves the headers out of a result that would be too large for the
topic), the topic, partition and offset of the request's record decide, which the result names as its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.client.requests import REQUEST_ID
from streamverify.core.errors import StreamVerifyError
from streamverify.core.messages.codec import decode_result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from streamverify.client.requests import EncodedRequest, Ticket
    from streamverify.core.messages.models import ProofResult

_SHOWN = 5

_Source = tuple[str, int, int]
"""Topic, partition and offset of a request's record."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict on the request that was the `index`-th (from 0) of those handed in."""

    index: int
    result: ProofResult


class Unanswered(StreamVerifyError):
    """Time was up before every request had its verdict. They stay on the topic, and may still be answered.

    `custom_ids` names what is open; `results` has what came, None where nothing did, in the order of the requests
    (only where the whole batch was asked for with `Client.verify`).
    """

    exit_code = 3

    def __init__(self, custom_ids: Sequence[str], total: int, timeout: float) -> None:
        named = ", ".join(repr(custom_id) for custom_id in custom_ids[:_SHOWN])
        more = f" and {len(custom_ids) - _SHOWN} more" if len(custom_ids) > _SHOWN else ""
        super().__init__(
            f"{len(custom_ids)} of {total} proofs had no verdict within {timeout:g} s ({named}{more}); is a worker "
            "running? They stay on the topic: a worker that comes later answers them."
        )
        self.custom_ids = tuple(custom_ids)
        self.results: list[ProofResult | None] = []


class Correlator:
    """Knows which requests of a batch are still open."""

    def __init__(self, batch: Sequence[EncodedRequest]) -> None:
        self._open = {encoded.request_id.encode("ascii"): index for index, encoded in enumerate(batch)}
        self._custom_ids = [encoded.custom_id for encoded in batch]
        self._keys = {encoded.custom_id.encode("utf-8") for encoded in batch}
        self._sent: dict[_Source, bytes] = {}
        self._unmatched: dict[_Source, ProofResult] = {}

    @property
    def open(self) -> list[str]:
        """The custom_ids without an answer, in the order of the requests."""
        return [self._custom_ids[index] for index in sorted(self._open.values())]

    @property
    def done(self) -> bool:
        """True if every request has its answer."""
        return not self._open

    def acknowledged(self, ticket: Ticket) -> Answer | None:
        """Learn where a request's record lies.

        Returns:
            Its answer, if that was read before the acknowledgement.
        """
        source = (ticket.topic, ticket.partition, ticket.offset)
        request_id = ticket.request_id.encode("ascii")
        self._sent[source] = request_id
        early = self._unmatched.pop(source, None)
        return None if early is None else self._take(request_id, early)

    def match(self, record: Any) -> Answer | None:
        """The answer that this record of the result topic (aiokafka's) is, if it is one that is waited for.

        Raises:
            UndecodableResult: It answers one of ours and is no ProofResult.
        """
        for name, value in record.headers:
            if name == REQUEST_ID:
                return self._take(value, decode_result(record.value)) if value in self._open else None
        return self._match_by_source(record)

    def _match_by_source(self, record: Any) -> Answer | None:
        if record.key not in self._keys or record.value is None:
            return None
        try:
            result = decode_result(record.value)
        except StreamVerifyError:
            return None  # not known to be ours, so not ours to complain about
        source = (result.source.topic, result.source.partition, result.source.offset)
        if source in self._sent:
            return self._take(self._sent[source], result)
        # The result may be faster than the acknowledgement that says where its request lies: keep it until then.
        self._unmatched[source] = result
        return None

    def _take(self, request_id: bytes, result: ProofResult) -> Answer | None:
        index = self._open.pop(request_id, None)
        return None if index is None else Answer(index, result)
