"""Decides where a record of the ingest topic goes. Pure: bytes in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streamverify.core.errors import HeaderError, RefusedRequest, UndecodableRequest
from streamverify.core.messages.codec import ANY_SIZE, decode_request
from streamverify.core.scheduling.partitioner import BLANK
from streamverify.core.syntax.header import parse_header

MAX_SHOWN = 200
"""Characters of a header that are kept to show it."""


@dataclass(frozen=True, slots=True)
class Forward:
    """The record goes to the request topic under this key. `header` is canonical, and cut to `MAX_SHOWN` characters."""

    key: bytes
    header: str


@dataclass(frozen=True, slots=True)
class DeadLetterRoute:
    """The record goes to the dead letters: it has no readable custom_id to answer under."""

    error: Exception


NO_HEADER: Final = Forward(BLANK, "")


def route(value: bytes | None) -> Forward | DeadLetterRoute:
    """Decide where a record goes, by its value.

    A record with a readable custom_id is answered by a worker, whatever else is wrong with it: it goes where the proofs
    without imports go, as its answer needs no Lean. The worker also decides how large a proof may be.
    """
    try:
        header = parse_header(decode_request(value, limits=ANY_SIZE).proof)
    except UndecodableRequest as error:
        return DeadLetterRoute(error)
    # It has a custom_id, so its sender can be told: that is the worker's to do.
    except (RefusedRequest, HeaderError):
        return NO_HEADER
    except Exception as error:  # noqa: BLE001 - one record must not stop all that come after it
        return DeadLetterRoute(error)
    return Forward(header.fingerprint.encode("ascii"), header.canonical[:MAX_SHOWN])
