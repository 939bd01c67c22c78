"""From a row of a data set to the requests that verify it.

A row with one proof is one attempt; a row with a list of them is as many. Nothing is dropped: a row that cannot be sent
becomes an attempt without a request, which says why. Whether one of several attempts has succeeded is never a reason
not to run the others: the rate of success in k attempts is estimated from all of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import ValidationError

from streamverify.core.datasets.columns import COMPLETIONS, PROOFS, Columns
from streamverify.core.messages.models import MAX_CUSTOM_ID, MAX_RUN, ProofRequest
from streamverify.core.messages.request_errors import echo, request_error
from streamverify.core.rewards.completions import as_statement, last_lean_block, with_header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.datasets.row import Row


@dataclass(frozen=True, slots=True)
class Attempt:
    """One proof of a data set: one request, and one row of what comes out.

    Attributes:
        number: Its place, from 0, among all attempts of a run: the same for the same source and options.
        custom_id: Unlike that of every other attempt of the run, also where there is no request.
        values: The columns of its row. Of a list of proofs it has its own.
        row: The index of its row in the source.
        where: File and line or row, for people.
        group: The problem of which this is one attempt of several.
        request: What is sent; None where it cannot be.
        error: Why there is no request, in one sentence.
    """

    number: int
    custom_id: str
    values: dict[str, Any]
    row: int
    where: str
    group: str | None = None
    request: ProofRequest | None = None
    error: str | None = None


class _Unusable(Exception):
    """A value of a row can be no part of a request; the text says which and why."""


@dataclass
class Attempts:
    """Makes the attempts of one row after the other.

    Attributes:
        name: The name of the source: `NAME:INDEX` is the id of a row that has none.
        columns: Which column is what.
        header: The header of every proof, where no column has one.
        fields: Further fields of each request.
    """

    name: str
    columns: Columns
    header: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    keep_values: bool = True
    _number: int = 0

    def of(self, row: Row, suffix: str = "") -> list[Attempt]:
        """List the attempts of a row; `suffix` is put behind their ids."""
        values = row.values if self.keep_values else {}
        own_id = f"{self.name}:{row.index}"
        if row.error is not None:
            return [self._attempt(row, own_id + suffix, values, error=row.error)]
        try:
            base = self._id(row) or own_id
            column = self.columns.proof or ""
            proofs = row.values.get(column)
            if not isinstance(proofs, list):
                return [self._one(row, base + suffix, values, proofs, group=self._group(row))]
            group = self._group(row) or _short(base + suffix, MAX_RUN)
        except _Unusable as error:
            return [self._attempt(row, own_id + suffix, values, error=str(error))]
        if not proofs:
            return [self._attempt(row, base + suffix, values, error=f"`{column}` is an empty list")]
        return [
            self._one(row, f"{base}#{k}{suffix}", {**values, column: proof} if values else {}, proof, group)
            for k, proof in enumerate(proofs)
        ]

    def _one(self, row: Row, custom_id: str, values: dict[str, Any], proof: Any, group: str | None) -> Attempt:
        try:
            request = self._request(row, custom_id, proof, group)
        except _Unusable as error:
            return self._attempt(row, custom_id, values, group, error=str(error))
        return self._attempt(row, custom_id, values, group, request=request)

    def _attempt(
        self, row: Row, custom_id: str, values: dict[str, Any], group: str | None = None, **rest: Any
    ) -> Attempt:
        number, self._number = self._number, self._number + 1
        return Attempt(number, _short(custom_id, MAX_CUSTOM_ID), values, row.index, row.where, group, **rest)

    def _request(self, row: Row, custom_id: str, proof: Any, group: str | None) -> ProofRequest:
        columns = self.columns
        header = self.header
        if columns.header is not None:
            header = _text(columns.header, row.values.get(columns.header)) or header
        statement = None
        if columns.statement is not None:
            statement = _text(columns.statement, row.values.get(columns.statement))
        if columns.proof is None:
            # A set of statements: that each of them is Lean is what can be verified.
            text, statement = as_statement(statement or ""), None
        else:
            text = self._proof(proof)
        if not text.strip():
            raise _Unusable(f"`{columns.proof or columns.statement}` is empty")
        fields = {
            **self.fields,
            "custom_id": custom_id,
            "proof": with_header(text, header),
            "statement": with_header(as_statement(statement), header) if statement else self.fields.get("statement"),
            "group": group,
        }
        if columns.theorem is not None:
            fields["theorem"] = _text(columns.theorem, row.values.get(columns.theorem))
        try:
            return ProofRequest.model_validate(fields)
        except ValidationError as invalid:
            raise _Unusable(str(request_error(fields, invalid))) from None

    def _proof(self, value: Any) -> str:
        if isinstance(value, dict):
            value = next((value[name] for name in (*PROOFS, *COMPLETIONS) if name in value), None)
        column = self.columns.proof or ""
        text = _text(column, value)
        if text is None:
            raise _Unusable(f"`{column}` is null: there is no proof")
        # Nothing in Lean begins with a fence; a comment of a Lean file may have one.
        if self.columns.completion or text.lstrip().startswith("```"):
            block = last_lean_block(text)
            if block is None:
                raise _Unusable(f"`{column}` has no block of Lean code that is closed")
            return block
        return text

    def _id(self, row: Row) -> str | None:
        column = self.columns.id
        value = row.values.get(column) if column is not None else None
        match value:
            case float() if value.is_integer():
                return str(int(value))  # as pandas writes integers beside a missing one
            case bool() | float():
                raise _Unusable(f"`{column}` must be a string or an integer, not {echo(value)}")
            case int() | Decimal() | UUID():
                return str(value)
            case _:
                return _text(column or "", value) or None

    def _group(self, row: Row) -> str | None:
        column = self.columns.group
        value = row.values.get(column) if column is not None else None
        if isinstance(value, int | float):
            return str(value)
        text = _text(column or "", value)
        return _short(text, MAX_RUN) if text else None


def _text(column: str, value: Any) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise _Unusable(f"`{column}` is not UTF-8") from None
    if value is None or isinstance(value, str):
        return value
    raise _Unusable(f"`{column}` must be a string, not a value of the type {type(value).__name__}")


def _short(text: str, size: int) -> str:
    """Shorten a name that is too long to a part of it and a digest of the whole, so that two stay two."""
    if len(text) <= size:
        return text
    return f"{text[: size - 33]}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:32]}"
