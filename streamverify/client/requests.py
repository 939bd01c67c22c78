"""From what a caller hands in to a request, and to its record. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from streamverify.core.errors import InvalidRequest
from streamverify.core.messages.codec import encode_request
from streamverify.core.messages.models import RUN_HEADER, ProofRequest
from streamverify.core.messages.request_errors import echo, request_error
from streamverify.core.scheduling.partitioner import affinity_key

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
    of_caller: tuple[tuple[str, bytes], ...] = ()
    """The Kafka headers by which a gateway says for whom it sends, and those of the trace of the request."""

    @property
    def kafka_headers(self) -> list[tuple[str, bytes]]:
        """The Kafka headers of the record: the request id, the run where one is named, and a gateway's caller."""
        run = [] if self.run is None else [(RUN_HEADER, self.run.encode())]
        return [(REQUEST_ID, self.request_id.encode("ascii")), *run, *self.of_caller]


@dataclass(frozen=True, slots=True)
class Ticket:
    """The broker has the request. `timestamp` is the record's, in milliseconds since the epoch."""

    custom_id: str
    request_id: str
    topic: str
    partition: int
    offset: int
    timestamp: int


Proof = ProofRequest | Mapping[str, Any] | str
"""A proof as a caller hands it in: a request, its fields in a dictionary, or the Lean file alone, which gets an id."""


def as_request(given: Proof, new_id: Callable[[], str], place: str = "") -> ProofRequest:
    """Make the request of what a caller handed in.

    Args:
        given: What was handed in.
        new_id: Makes the custom_id of a proof that comes without one.
        place: Where it stood among others, for the message.

    Raises:
        InvalidRequest: It is no request; the sentence says which field is wrong.
        TypeError: It is neither a request, nor a dictionary, nor a string.
    """
    if isinstance(given, ProofRequest):
        return given
    if isinstance(given, str):
        given = {"custom_id": new_id(), "proof": given}
    elif not isinstance(given, Mapping):
        raise TypeError(f"a proof is a ProofRequest, a dictionary or a string, not {type(given).__name__}")
    fields = dict(given)
    try:
        return ProofRequest.model_validate(fields)
    except ValidationError as invalid:
        error = request_error(fields, invalid)
        custom_id = str(fields.get("custom_id", ""))
        raise InvalidRequest(f"{place}{error}", custom_id=custom_id) from None


def size_of(request: ProofRequest) -> int:
    """Count the code points of a request's texts: about the memory that it takes, without encoding it."""
    return len(request.proof) + len(request.statement or "")


def prepare(request: ProofRequest, request_id: str, of_caller: tuple[tuple[str, bytes], ...] = ()) -> EncodedRequest:
    """Encode a request.

    Args:
        request: The request.
        request_id: The id by which its sender knows the answer.
        of_caller: The Kafka headers by which a gateway says for whom it sends, and those of the trace that the request
            belongs to.

    Raises:
        InvalidRequest: It holds what JSON in UTF-8 cannot (half of a surrogate pair).
    """
    try:
        value = encode_request(request)
    except ValueError as error:
        raise InvalidRequest(
            f"the request {echo(request.custom_id)} cannot be written as JSON: {error}", custom_id=request.custom_id
        ) from None
    return EncodedRequest(request.custom_id, request_id, affinity_key(request.proof), value, request.run, of_caller)
