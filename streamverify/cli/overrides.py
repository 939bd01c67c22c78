"""Changes that the command line makes to every request: values for its fields, and other names of its columns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from streamverify.cli.errors import InputError
from streamverify.core.errors import UndecodableRequest
from streamverify.core.messages.codec import decode_request, encode_request
from streamverify.core.messages.models import ProofRequest
from streamverify.core.messages.request_errors import request_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.messages.assurance import Require
    from streamverify.core.messages.codec import RequestLimits

_GUESSES = {"custom_id": "id"}
"""For a field the column that is taken for it where a line has no such field."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """The values of the command line that replace those of every request. `metadata` is added to a request's own."""

    timeout: float | None = None
    require: Require | None = None
    run: str | None = None
    prefix_ids: bool = False
    theorem: str | None = None
    statement: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no request may have.

        Raises:
            InputError: A value is wrong; the message names its flag.
        """
        if self.timeout is not None and not (self.timeout > 0 and math.isfinite(self.timeout)):
            raise InputError(f"--timeout must be a number of seconds above 0, not {self.timeout:g}")
        for name in ("run", "theorem", "statement"):
            if (value := getattr(self, name)) is not None and not value.strip():
                raise InputError(f"--{name} is empty")
        if self.prefix_ids and self.run is None:
            raise InputError("--prefix-ids needs --run: it puts that name before each id")
        check_fields({**self._replaced(), "metadata": dict(self.metadata) or None})

    def apply(self, request: ProofRequest, limits: RequestLimits) -> ProofRequest:
        """Make the request that is sent.

        Raises:
            InvalidRequest, RequestTooLarge, UndecodableRequest: With these values it may not be sent.
        """
        changed = self._replaced()
        if self.metadata:
            changed["metadata"] = {**(request.metadata or {}), **self.metadata}
        if self.prefix_ids:
            changed["custom_id"] = f"{self.run}/{request.custom_id}"
        if not changed:
            return request
        made = request.model_copy(update=changed)
        if self.metadata or self.prefix_ids or self.statement:
            # Each value is right by itself, but an id may be too long now, metadata or the proof too large.
            return decode_request(encode_request(made), limits=limits)
        return made

    def _replaced(self) -> dict[str, Any]:
        names = ("timeout", "require", "run", "theorem", "statement")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """The names under which the lines of JSONL have a request's fields; None: the field's own name."""

    custom_id: str | None = None
    proof: str | None = None
    statement: str | None = None

    def read(self, line: bytes, limits: RequestLimits) -> tuple[ProofRequest, str | None]:
        """Read a request from a line of JSONL.

        Returns:
            The request, and what had to be guessed for it, in words.

        Raises:
            InvalidRequest, RequestTooLarge, UndecodableRequest: The line has no request.
        """
        given = {name: column for name in ("custom_id", "proof", "statement") if (column := getattr(self, name))}
        if given:
            line = _renamed(line, given, required=True)
        try:
            request = decode_request(line, limits=limits)
        except UndecodableRequest:
            # `id` is so usual that it is taken for the custom_id, which is said.
            guessed = {name: column for name, column in _GUESSES.items() if name not in given}
            other = _renamed(line, guessed, required=False)
            if other == line:
                raise
            request = decode_request(other, limits=limits)
            return request, "no `custom_id`: `id` is taken for it (--id-column names another)"
        if b'"code"' in line and b'"proof"' not in line:
            return request, "no `proof`: `code` is taken for it (--proof-column names another)"
        return request, None


def check_fields(fields: Mapping[str, Any]) -> None:
    """Refuse fields from the command line that no request may have, before anything is read or sent.

    Raises:
        InputError: A value is wrong; the message names its flag, which has the name of the field.
    """
    tried = {"custom_id": "x", "proof": "", **fields}
    try:
        ProofRequest.model_validate(tried)
    except ValidationError as error:
        said = str(request_error(tried, error))
        raise InputError(f"--{said.removeprefix('`').replace('`', '', 1)}") from None


def _renamed(line: bytes, columns: Mapping[str, str], *, required: bool) -> bytes:
    """Put the columns under the names of the fields; a line that has none of them, or is no object, stays as it is."""
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    if not isinstance(data, dict):
        return line
    changed = dict(data)
    for name, column in columns.items():
        if column in data and (required or data.get(name) is None):
            changed[name] = data[column]
        elif required:
            raise UndecodableRequest(f"there is no column `{column}`; there are {_names(data)}")
    return line if changed == data else orjson.dumps(changed)


def _names(data: Mapping[str, Any]) -> str:
    shown = [f"`{name[:40]}`" for name in list(data)[:8]]
    return ", ".join(shown) + (" …" if len(data) > len(shown) else "") if shown else "none"
