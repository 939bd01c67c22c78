"""The Python client: hand in proofs, wait for verdicts, read the topic of verdicts."""

from streamverify.client.client import AsyncClient
from streamverify.client.lean4client import Lean4Client
from streamverify.client.requests import REQUEST_ID, Ticket
from streamverify.client.results import Results
from streamverify.client.sync import Client
from streamverify.client.verification import Answer, Unanswered
from streamverify.core.messages.newest import newest, supersedes

__all__ = [
    "REQUEST_ID",
    "Answer",
    "AsyncClient",
    "Client",
    "Lean4Client",
    "Results",
    "Ticket",
    "Unanswered",
    "newest",
    "supersedes",
]
