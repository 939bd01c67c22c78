"""The card by which a worker tells its group its name, its address over HTTP and its versions as it joins. Pure.

The group has it as a part of the member's subscription, where a broker keeps it and tells it to whoever may describe
the group. Whoever may join the group can write anything there: it is read as a stranger's text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from streamverify.core.overview.urls import is_url

if TYPE_CHECKING:
    from streamverify.core.messages.models import Verifier

MAX_CARD = 4096
"""Bytes of a card that are read."""
MAX_WORD = 200
_MARK = b"streamverify+"
_CLIENT = "streamverify"
_STRANGE = re.compile(r"[^A-Za-z0-9.-]+")
_MAX_VERSION = 40
_KINDS = ("lean", "replay", "synthetic")

Word = Annotated[str, StringConstraints(max_length=MAX_WORD)]


class Versions(BaseModel):
    """The versions on which verdicts depend. Null: the program has none, or the worker did not say it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    streamverify: Annotated[Word | None, Field(description="Version of streamverify.")] = None
    kind: Annotated[Word | None, Field(description="What verifies: `lean`, `replay` or `synthetic`.")] = None
    lean: Annotated[Word | None, Field(description="Version of Lean, or of the stand-in.")] = None
    repl: Annotated[Word | None, Field(description="Version of the REPL.")] = None
    mathlib: Annotated[Word | None, Field(description="Version of Mathlib.")] = None
    policy: Annotated[Word | None, Field(description="Version of the policy of audits.")] = None


class Card(BaseModel):
    """The card of a worker, which its group has from it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Word
    url: Word | None = None
    """The address at which it answers over HTTP; None where it has told none that can be used."""
    versions: Versions = Versions()


def versions_of(version: str, verifier: Verifier) -> Versions:
    """Put together the versions of a worker: its own, and those of what verifies."""
    said = {
        "streamverify": version,
        "kind": str(verifier.kind),
        "lean": verifier.lean_version,
        "repl": verifier.repl_version,
        "mathlib": verifier.mathlib_version,
        "policy": verifier.policy_version,
    }
    return Versions(**{name: text and text[:MAX_WORD] for name, text in said.items()})


def encode_card(card: Card) -> bytes:
    """Write a card as it stands in the subscription of a member."""
    return _MARK + card.model_dump_json().encode()


def decode_card(said: bytes) -> Card | None:
    """Find the card in what a member has told its group.

    Returns:
        None where it has told none: a member of an older version, or of another program.
    """
    # The card comes last: before it may stand what another assignor keeps there, which could have the mark in it.
    _, mark, text = said.rpartition(_MARK)
    if not mark or len(text) > MAX_CARD:
        return None
    try:
        card = Card.model_validate_json(text)
    except ValidationError:
        return None
    # Whoever may join the group may tell any text, and `top` would ask it.
    return card if card.url is None or is_url(card.url) else card.model_copy(update={"url": None})


def is_ours(client_id: str) -> bool:
    """Tell whether a client id is one that workers have: other programs in the group have others."""
    return client_id == _CLIENT or client_id.startswith(f"{_CLIENT}_")


def client_id(verifier: Verifier) -> str:
    """Write the versions on which verdicts depend as brokers take them in a client id.

    Older workers say them there and nowhere else, and know them from there only.
    """
    versions = {
        str(verifier.kind): verifier.lean_version,
        "repl": verifier.repl_version,
        "mathlib": verifier.mathlib_version,
        "policy": verifier.policy_version,
    }
    said = (f"{name}-{in_client_id(version)}" for name, version in versions.items() if version)
    return "_".join((_CLIENT, *said))


def in_client_id(version: str) -> str:
    """Write a version as it stands in a client id, in which not every version fits."""
    return _STRANGE.sub("-", version)[:_MAX_VERSION]


def versions_in(client_id: str) -> Versions:
    """Read the versions in the client id of a worker."""
    found: dict[str, str] = {}
    for part in client_id.split("_")[1:]:
        name, dash, version = part.partition("-")
        if dash and name in _KINDS:
            found |= {"kind": name, "lean": version[:MAX_WORD]}
        elif dash and name in {"repl", "mathlib", "policy"}:
            found[name] = version[:MAX_WORD]
    return Versions(**found)
