"""The results of one call of `verify`: a list that prints as a table and becomes a data frame."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from streamverify.core.messages.codec import encode_result
from streamverify.core.messages.models import ProofResult, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHOWN = 20
"""Rows of a table at most; those in the middle are left out."""
_WIDTH = 120
_MAX_ID = 32
_MAX_MESSAGE = 300
_NAMED = 5


class Results(list[ProofResult]):
    """Results in the order in which their proofs were handed in.

    If time was up before all of them were there, it has those that were, and `missing` the custom_ids of the others:
    then it is shorter than what was handed in, and `aligned` puts None where nothing came.
    """

    def __init__(
        self, answers: Mapping[int, ProofResult], missing: Sequence[str] = (), timeout: float | None = None
    ) -> None:
        """Make the list.

        Args:
            answers: The results by the index of their proof.
            missing: The custom_ids of the proofs without a result.
            timeout: The seconds after which they were given up.
        """
        indexes = sorted(answers)
        super().__init__(answers[index] for index in indexes)
        self.missing = tuple(missing)
        self._indexes = indexes
        self._timeout = timeout

    @property
    def counts(self) -> dict[str, int]:
        """The number of results with each status, and of those that are `missing`, zeros included."""
        found = Counter(result.status for result in self)
        return {**{str(status): found[status] for status in Status}, "missing": len(self.missing)}

    def aligned(self) -> list[ProofResult | None]:
        """Return one item for each proof that was handed in: its result, or None."""
        whole: list[ProofResult | None] = [None] * (len(self) + len(self.missing))
        for index, result in zip(self._indexes, self, strict=True):
            whole[index] = result
        return whole

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return each result as it is on the topic (docs/messages.md)."""
        found = []
        for result in self:
            # Not with pydantic, which stops at a depth that real infotrees have.
            written: dict[str, Any] = orjson.loads(encode_result(result, limit=sys.maxsize, overhead=0).value)
            if result.metadata is not None:
                # orjson reads integers beyond 64 bits as floats: metadata comes back as it was sent.
                written["metadata"] = result.metadata
            found.append(written)
        return found

    def to_pandas(self) -> Any:
        """Return a data frame of pandas with a row for each result and a column for each field that is no list.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd  # noqa: PLC0415 - not everybody has it

        return pd.DataFrame(self._rows(), columns=_COLUMNS)

    def to_polars(self) -> Any:
        """Return a data frame of polars with a row for each result and a column for each field that is no list.

        Raises:
            ImportError: polars is not installed.
        """
        import polars as pl  # noqa: PLC0415 - not everybody has it

        return pl.DataFrame(self._rows(), schema=_COLUMNS, infer_schema_length=None, orient="row")

    def _rows(self) -> list[list[Any]]:
        flat = (_flat(result) for result in self)
        return [[row[name] for name in _COLUMNS] for row in flat]

    def __repr__(self) -> str:
        """Return the table."""
        return str(self)

    def __str__(self) -> str:
        """Return the table, with the number of each status below it."""
        from rich.console import Console  # noqa: PLC0415 - only who prints needs it
        from rich.table import Table  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        table = Table("id", "status", "reason", "message", "seconds", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        # Where the table is too wide, rich narrows the columns that may wrap: that is only the message.
        for column in (*table.columns[:3], table.columns[4]):
            column.no_wrap = True
        table.columns[4].justify = "right"
        # A single row is not left out: the line that says so takes as much room.
        left_out = len(self) - _SHOWN if len(self) > _SHOWN + 1 else 0
        for number, result in enumerate(self):
            if left_out and number == _SHOWN - 1:
                table.add_row("…", "", "", f"… {left_out:,} more …", "")
            if not left_out or number < _SHOWN - 1 or number == len(self) - 1:
                # Of a proof that holds there is nothing to say but what the audit found beside.
                message = "" if result.status is Status.VERIFIED and not result.findings else result.summary
                cells = (
                    _visible(result.custom_id, _MAX_ID), str(result.status), _visible(str(result.reason), _MAX_ID),
                    _visible(message, _MAX_MESSAGE), f"{result.timings.run:.3f}",
                )  # fmt: skip
                table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells))
        written = io.StringIO()
        console = Console(file=written, width=_WIDTH, color_system=None, force_jupyter=False)
        if self:
            console.print(table)
        lines = [line.rstrip() for line in written.getvalue().splitlines()]
        counts = ", ".join(f"{count:,} {name}" for name, count in self.counts.items() if count or name != "missing")
        total = len(self) + len(self.missing)
        lines.append(f"{total:,} proof{'' if total == 1 else 's'}: {counts}")
        if self.missing:
            named = ", ".join(_visible(custom_id, _MAX_ID) for custom_id in self.missing[:_NAMED])
            more = f" and {len(self.missing) - _NAMED:,} more" if len(self.missing) > _NAMED else ""
            lines.append(f"no answer within {self._timeout or 0:g} s: {named}{more}")
        return "\n".join(lines)


_COLUMNS = [
    "custom_id", "status", "reason", "retriable", "assurance", "summary", "error", "truncated", "run", "group",
    "superseded_by", "cached", "cached_age_seconds", "seconds_queued", "seconds_import", "seconds_run",
    "seconds_audit", "seconds_total", "attempts", "worker", "verifier", "sandbox", "lean_version", "mathlib_version",
    "policy_version", "proof_sha256", "topic", "partition", "offset", "timestamp", "metadata",
]  # fmt: skip
"""Plain values alone, so that pandas and polars make of them the same."""


def _flat(result: ProofResult) -> dict[str, Any]:
    timings, verifier, source = result.timings, result.verifier, result.source
    return {
        **{name: getattr(result, name) for name in _COLUMNS if name in ProofResult.model_fields},
        # Words for people and for filters, not members of an enumeration.
        **{name: str(getattr(result, name)) for name in ("status", "reason", "assurance")},
        "truncated": ", ".join(result.truncated),
        "cached": result.cached is not None,
        "cached_age_seconds": None if result.cached is None else result.cached.age_seconds,
        "seconds_queued": timings.queued,
        "seconds_import": timings.import_,
        "seconds_run": timings.run,
        "seconds_audit": timings.audit,
        "seconds_total": timings.total,
        "verifier": str(verifier.kind),
        "sandbox": verifier.sandbox,
        "lean_version": verifier.lean_version,
        "mathlib_version": verifier.mathlib_version,
        "policy_version": verifier.policy_version,
        "topic": source.topic,
        "partition": source.partition,
        "offset": source.offset,
        "timestamp": source.timestamp,
        "metadata": None if result.metadata is None else json.dumps(result.metadata, ensure_ascii=False),
    }


def _visible(text: str, size: int) -> str:
    """Make a text of one line that neither steers a terminal nor changes the order of what is shown."""
    line = " ".join(text.split())
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return shown if len(shown) <= size else shown[: size - 1] + "…"
