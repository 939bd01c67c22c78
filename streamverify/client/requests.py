"""Makes the record of a request; a ticket says where the broker has put it. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.errors import InvalidRequest
from streamverify.core.messages.codec import encode_request
from streamverify.core.messages.models import RUN_HEADER
from streamverify.core.scheduling.partitioner import affinity_key

if TYPE_CHECKING:
    from streamverify.core.messages.models import ProofRequest

REQUEST_ID = "streamverify-request-id"
"""The Kafka header by which the client knows the answer to its own request: workers copy it to the result."""


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """The record of one request."""

    custom_id: str
    request_id: str
    key: bytes
    value: bytes
    run: str | None = None

    @property
    def kafka_headers(self) -> list[tuple[str, bytes]]:
        """The headers of the record: the request id, and the run where the request names one."""
        run = [] if self.run is None else [(RUN_HEADER, self.run.encode())]
        return [(REQUEST_ID, self.request_id.encode("ascii")), *run]


@dataclass(frozen=True, slots=True)
class Ticket:
    """The broker has the request. `timestamp` is the record's, in milliseconds since the epoch."""

    custom_id: str
    request_id: str
    topic: str
    partition: int
    offset: int
    timestamp: int


def prepare(request: ProofRequest, request_id: str) -> EncodedRequest:
    """Encode a request.

    Raises:
        InvalidRequest: It holds what JSON in UTF-8 cannot (half of a surrogate pair).
    """
    try:
        value = encode_request(request)
    except ValueError as error:
        raise InvalidRequest(
            f"the request {request.custom_id!r} cannot be written as JSON: {error}", custom_id=request.custom_id
        ) from None
    return EncodedRequest(request.custom_id, request_id, affinity_key(request.proof), value, request.run)
