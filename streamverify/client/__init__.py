"""The Python client: hand in proofs, wait for verdicts, read the topic of verdicts."""

from streamverify.client.client import Client
from streamverify.client.correlator import Answer, Unanswered
from streamverify.client.newest import newest, supersedes
from streamverify.client.requests import REQUEST_ID, Ticket

__all__ = ["REQUEST_ID", "Answer", "Client", "Ticket", "Unanswered", "newest", "supersedes"]
