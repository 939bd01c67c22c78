"""The open part of a client that is in use: a producer, and a reader of the result topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.client.inbox import Inbox
from streamverify.client.requests import prepare
from streamverify.client.sender import Sender
from streamverify.client.trace import current_trace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from streamverify.client.requests import EncodedRequest
    from streamverify.core.messages.models import ProofRequest, ProofResult
    from streamverify.settings import Settings


class ClientConnection:
    """A sender and an inbox of one event loop. Each connects when it is first needed."""

    def __init__(self, settings: Settings, name: str) -> None:
        """Connect nowhere yet. `name` begins every request id, and is no other client's."""
        self._settings = settings
        self._name = name
        self._sent = 0
        self.sender = Sender(settings)
        self.inbox = Inbox(settings, self.sender)

    def new_id(self) -> str:
        """Return an id that no other request has, of this client or of any other."""
        self._sent += 1
        return f"{self._name}-{self._sent}"

    def encode(self, request: ProofRequest) -> EncodedRequest:
        """Encode a request under an id of its own; it belongs to the caller's trace, where there is one.

        Raises:
            InvalidRequest: It cannot be encoded.
        """
        return prepare(request, self.new_id(), current_trace())

    async def exchange(self, request: ProofRequest) -> ProofResult:
        """Send a request and return its result; only within `inbox.reading()`.

        Raises:
            InvalidRequest, RequestTooLarge: It cannot be sent.
            BrokerUnavailable: The broker did not take it, or the topic cannot be read any more.
            UndecodableResult: Its result cannot be read.
        """
        encoded = self.encode(request)
        # Before it is sent: its result may be read before the broker's acknowledgement is.
        result = self.inbox.expect(encoded)
        try:
            self.inbox.acknowledged(await self.sender.send(encoded))
            answer = await result
        finally:
            self.inbox.forget(encoded)
        if answer.cached is None:
            # A hit of the cache says nothing of what the next proof with this header will cost.
            self.sender.took(encoded.key, answer.timings.run)
        # Only where it will be wanted: results may be kept in great numbers.
        return answer if request.infotree_type is None else answer.of_proof(request.proof)

    async def keep_open(self) -> AsyncGenerator[None, None]:
        """Close the connection when this generator is closed, as the event loop does when it ends.

        So nobody has to close a client for its producer to be ended in good order: the event loop closes what
        generators are left when it shuts down, and this one too if the client is no longer referred to.
        """
        try:
            yield
        finally:
            try:
                await self.inbox.close()
            finally:
                # Also where the event loop ends meanwhile, and cancels the task that closes this.
                await self.sender.stop()
