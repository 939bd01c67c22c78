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

from streamverify.core.datasets.columns import COMPLETIONS, PROOFS, Columns, quoted
from streamverify.core.datasets.ids import SeenIds
from streamverify.core.datasets.pieces import continued, with_imports_of
from streamverify.core.messages import jsontext
from streamverify.core.messages.models import MAX_CUSTOM_ID, MAX_RUN, ProofRequest
from streamverify.core.messages.request_errors import echo, request_error
from streamverify.core.rewards.completions import as_statement, last_lean_block, with_header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.datasets.row import Row

_FENCE = "```"


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
class AttemptMaker:
    """Makes the attempts of one row after the other, and counts them.

    Attributes:
        name: The name of the source: `NAME:INDEX` is the id of a row that has none.
        columns: Which column is what.
        header: The header of every proof, where no column has one.
        fields: Further fields of each request.
        keep_values: Whether attempts have the columns of their rows.
        renamed: How many rows had an id that another one had before.
    """

    name: str
    columns: Columns
    header: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    keep_values: bool = True
    renamed: int = 0
    _number: int = 0
    _seen: SeenIds = field(default_factory=SeenIds)

    def of(self, row: Row, suffix: str = "") -> list[Attempt]:
        """List the attempts of a row; `suffix` is put behind their ids and groups."""
        # Room for the suffixes of repeats, lists and names that were given before.
        own_id = jsontext.cut(f"{self.name}:{row.index}", MAX_CUSTOM_ID - 64)
        base, group, error = own_id, None, row.error and f"{row.where} {row.error}"
        try:
            base, group = self._id(row) or own_id, self._group(row, suffix)
        except _Unusable as unusable:
            error = error or str(unusable)
        if error is not None:
            (custom_id,) = self._unlike_others(base, row, 1, suffix, listed=False)
            return [self._attempt(row, custom_id, group, error)]
        proofs = row.values.get(self.columns.proof) if self.columns.proof is not None else None
        if not isinstance(proofs, list):
            (custom_id,) = self._unlike_others(base, row, 1, suffix, listed=False)
            return [self._one(row, custom_id, group, proofs, listed=False)]
        ids = self._unlike_others(base, row, len(proofs), suffix, listed=True)
        if not proofs:
            return [self._attempt(row, ids[0], group, f"{quoted(self.columns.proof or '')} is an empty list")]
        # A list of proofs is attempts at one problem: where no column names it, it has the name of the row.
        group = group or _short(ids[0].removesuffix(suffix).removesuffix("#0") + suffix, MAX_RUN)
        return [self._one(row, name, group, proof, listed=True) for name, proof in zip(ids, proofs, strict=True)]

    def _unlike_others(self, base: str, row: Row, count: int, suffix: str, *, listed: bool) -> list[str]:
        """Give ids to the attempts of a row. Where one was given before, all of them get the number of the row."""
        while True:
            numbers = [f"#{k}" for k in range(count)] if listed and count else [""]
            ids = [_short(f"{base}{number}{suffix}", MAX_CUSTOM_ID) for number in numbers]
            # Each is added, whether or not another one was known: the next row must find them all.
            known = [self._seen.add(name) for name in ids]
            if not any(known):
                return ids
            # Once for a row, however often a name must be made for it.
            if not base.endswith(f"~{row.index}"):
                self.renamed += 1
            base = f"{base}~{row.index}"

    def _one(self, row: Row, custom_id: str, group: str | None, proof: Any, *, listed: bool) -> Attempt:
        own = {self.columns.proof or "": proof} if listed else {}
        try:
            request = self._request(row, custom_id, proof, group)
        except _Unusable as unusable:
            return self._attempt(row, custom_id, group, str(unusable), own)
        return self._attempt(row, custom_id, group, request, own)

    def _attempt(
        self,
        row: Row,
        custom_id: str,
        group: str | None,
        result: ProofRequest | str,
        own: Mapping[str, Any] | None = None,
    ) -> Attempt:
        number, self._number = self._number, self._number + 1
        values = {**row.values, **(own or {})} if self.keep_values else {}
        request, error = (None, result) if isinstance(result, str) else (result, None)
        return Attempt(number, custom_id, values, row.index, row.where, group, request, error)

    def _request(self, row: Row, custom_id: str, proof: Any, group: str | None) -> ProofRequest:
        columns = self.columns
        header = self._text(row, columns.header) or self.header
        statement = self._text(row, columns.statement)
        if columns.proof is None:
            # A set of statements: that each of them is Lean is what can be verified.
            text, statement = as_statement(statement or ""), None
        else:
            text = self._proof(proof)
            if columns.continues and text.strip():
                if not statement:
                    raise _Unusable(
                        f"{quoted(columns.statement or '')} is empty: there is nothing that the proof continues"
                    )
                text = continued(statement, text)
        if not text.strip():
            raise _Unusable(f"{quoted(columns.proof or columns.statement or '')} is empty")
        if header:
            text = with_header(text, header)
        fields = {**self.fields, "custom_id": custom_id, "proof": text, "group": group}
        if statement and statement.strip():
            fields["statement"] = with_imports_of(text, with_header(as_statement(statement), header))
        if columns.theorem is not None:
            fields["theorem"] = self._text(row, columns.theorem)
        try:
            return ProofRequest.model_validate(fields)
        except ValidationError as invalid:
            raise _Unusable(str(request_error(fields, invalid))) from None

    def _proof(self, value: Any) -> str:
        if isinstance(value, dict):
            value = next((value[name] for name in (*PROOFS, *COMPLETIONS) if name in value), value)
        column = self.columns.proof or ""
        text = _as_text(column, value)
        if text is None:
            raise _Unusable(f"{quoted(column)} is null: there is no proof")
        # Nothing in Lean begins with a fence; a comment of a Lean file may have one.
        if self.columns.completion or text.lstrip().startswith(_FENCE):
            block = last_lean_block(text)
            if block is None:
                raise _Unusable(f"{quoted(column)} has no block of Lean code that is closed")
            return block
        return text

    def _text(self, row: Row, column: str | None) -> str | None:
        return None if column is None else _as_text(column, row.values.get(column))

    def _id(self, row: Row) -> str | None:
        column = self.columns.id
        name = None if column is None else _name(column, row.values.get(column))
        if name is not None and len(name) > MAX_CUSTOM_ID:
            raise _Unusable(
                f"{quoted(column or '')} has more than {MAX_CUSTOM_ID} characters: --id-column names another"
            )
        return name

    def _group(self, row: Row, suffix: str) -> str | None:
        column = self.columns.group
        name = None if column is None else _name(column, row.values.get(column))
        return _short(f"{name}{suffix}", MAX_RUN) if name else None


def _name(column: str, value: Any) -> str | None:
    """Read the name of a row or of a problem: a text or an integer. None where there is none."""
    match value:
        case float() if value != value:  # noqa: PLR0124 - NaN is pandas' null
            return None
        case float() if value.is_integer():
            return str(int(value))  # as pandas writes integers beside a missing one
        case bool() | float():
            raise _Unusable(f"{quoted(column)} must be a string or an integer, not {echo(value)}")
        case int() | Decimal() | UUID():
            return str(value)
        case _:
            name = _as_text(column, value) or None
            if name is not None and not jsontext.is_encodable(name):
                raise _Unusable(f"{quoted(column)} has characters that UTF-8 cannot encode (half of a surrogate pair)")
            return name


def _as_text(column: str, value: Any) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise _Unusable(f"{quoted(column)} is not UTF-8 (byte {error.start})") from None
    if value is None or isinstance(value, str):
        return value
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    what = kinds.get(type(value), f"a value of the type {type(value).__name__}")
    raise _Unusable(f"{quoted(column)} must be a string, not {what}")


def _short(text: str, size: int) -> str:
    """Shorten a name that is too long to a part of it and a digest of the whole, so that two stay two."""
    if len(text) <= size:
        return text
    return f"{text[: size - 33]}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:32]}"
