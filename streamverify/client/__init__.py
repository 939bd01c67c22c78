"""The Python client: hand in proofs, wait for verdicts, read the topic of verdicts."""

from streamverify.client.client import AsyncClient
from streamverify.client.correlator import Answer, Unanswered
from streamverify.client.newest import newest, supersedes
from streamverify.client.requests import REQUEST_ID, Ticket


class Client(AsyncClient):
    """The name under which the asynchronous client was known."""


__all__ = ["REQUEST_ID", "Answer", "AsyncClient", "Client", "Ticket", "Unanswered", "newest", "supersedes"]
