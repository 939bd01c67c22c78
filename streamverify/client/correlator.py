"""Matches the results that are read to the requests that wait for one. Does no I/O.

A result belongs to a request by the Kafka header that the client set, never by its custom_id: two senders may use
the same. Where it is missing (a worker leaves the Kafka headers out of a result that would be too large for the
topic), the topic, partition and offset of the request's record decide, which the result names as its source.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from streamverify.client.requests import REQUEST_ID
from streamverify.core.errors import StreamVerifyError, UndecodableResult
from streamverify.core.messages.codec import decode_result

if TYPE_CHECKING:
    from typing import Any

    from streamverify.client.requests import EncodedRequest, Ticket
    from streamverify.core.messages.models import ProofResult

_Source = tuple[str, int, int]
"""Topic, partition and offset of a request's record."""


class Match(NamedTuple):
    """The result of the request with this id, or the reason why it cannot be read."""

    request_id: str
    result: ProofResult | UndecodableResult


class Correlator:
    """Knows which requests wait for a result. It keeps nothing of a request that no longer does.

    expected --> acknowledged: its place on the topic is known --> matched
       |  +---- its result comes first, with the request's id -------^
       +------- its result comes first, without: kept until the place is known
    """

    def __init__(self) -> None:
        self._open: dict[str, EncodedRequest] = {}
        self._source_of: dict[str, _Source] = {}
        self._request_at: dict[_Source, str] = {}
        self._keys: Counter[bytes] = Counter()
        """The number of open requests with each custom_id, which is the key of the result's record."""
        self._early: dict[bytes, dict[_Source, ProofResult]] = {}
        """Results without the header that came before it was known where a request lies, by their key."""

    def __len__(self) -> int:
        """Count the requests that wait."""
        return len(self._open)

    @property
    def holds_early(self) -> bool:
        """True while a result that was read waits for the acknowledgement of its request."""
        return bool(self._early)

    def expect(self, encoded: EncodedRequest) -> None:
        """Wait for the result of a request. To be called before it is sent."""
        self._open[encoded.request_id] = encoded
        self._keys[encoded.custom_id.encode()] += 1

    def forget(self, request_id: str) -> None:
        """Wait no longer for the result of a request, whether it came or not."""
        encoded = self._open.pop(request_id, None)
        if encoded is None:
            return
        source = self._source_of.pop(request_id, None)
        if source is not None:
            del self._request_at[source]
        key = encoded.custom_id.encode()
        self._keys[key] -= 1
        if not self._keys[key]:
            del self._keys[key]
            # Nobody with this id waits any more: early results with it were those of another sender.
            self._early.pop(key, None)

    def acknowledged(self, ticket: Ticket) -> Match | None:
        """Note where a request's record is.

        Returns:
            Its result, if that was read before the acknowledgement.
        """
        if ticket.request_id not in self._open:
            return None  # its result came first, with the header: nothing is left to wait for
        source = (ticket.topic, ticket.partition, ticket.offset)
        self._source_of[ticket.request_id] = source
        self._request_at[source] = ticket.request_id
        early = self._early.get(ticket.custom_id.encode(), {}).pop(source, None)
        return None if early is None else self._matched(ticket.request_id, early)

    def match(self, kafka_record: Any) -> Match | None:
        """Return the result that this record of the result topic (aiokafka's) is, if it is one that is waited for."""
        for name, value in kafka_record.headers:
            if name == REQUEST_ID:
                request_id = (value or b"").decode("ascii", "replace")
                if request_id not in self._open:
                    return None
                try:
                    return self._matched(request_id, decode_result(kafka_record.value))
                except UndecodableResult as error:
                    return self._matched(request_id, error)
        return self._match_by_source(kafka_record)

    def _match_by_source(self, kafka_record: Any) -> Match | None:
        if kafka_record.key not in self._keys or kafka_record.value is None:
            return None
        try:
            result = decode_result(kafka_record.value)
        except StreamVerifyError:
            return None  # not known to be ours, so not ours to complain about
        source = (result.source.topic, result.source.partition, result.source.offset)
        if source in self._request_at:
            return self._matched(self._request_at[source], result)
        # The result may be faster than the acknowledgement that says where its request lies: keep it until then.
        self._early.setdefault(kafka_record.key, {})[source] = result
        return None

    def _matched(self, request_id: str, result: ProofResult | UndecodableResult) -> Match:
        self.forget(request_id)
        return Match(request_id, result)
