"""The real `kimina-client`, as its users have it.

Its models are `typing.TypedDict`s, which pydantic takes from Python 3.12 on only: on 3.11 whoever uses it has to give
it those of typing_extensions, for the time of its import.
"""

from __future__ import annotations

import typing
from unittest import mock

import typing_extensions

with mock.patch.multiple(typing, TypedDict=typing_extensions.TypedDict, NotRequired=typing_extensions.NotRequired):
    import kimina_client
    from kimina_client import models

AsyncKiminaClient = kimina_client.AsyncKiminaClient
KiminaClient = kimina_client.KiminaClient
Snippet = models.Snippet
ReplResponse = models.ReplResponse
BackwardResponse = models.BackwardResponse
VerifyResponse = models.VerifyResponse
SnippetStatus = models.SnippetStatus

__all__ = [
    "AsyncKiminaClient",
    "BackwardResponse",
    "KiminaClient",
    "ReplResponse",
    "Snippet",
    "SnippetStatus",
    "VerifyResponse",
]
