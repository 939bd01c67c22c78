"""The protocols between the consumer's side and the worker's side of a record, so that neither imports the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streamverify.core.job import Record, RecordId


class RecordHandler(Protocol):
    """Works on the delivered records. Every method is called in the event loop, and must not raise."""

    def receive(self, record: Record) -> None:
        """Work on a record that is new."""

    def drop(self, partitions: frozenset[int]) -> None:
        """Drop the queued jobs of these partitions and forget their records. Running jobs continue."""

    def attempts_committed(self, records: frozenset[RecordId]) -> None:
        """The broker has a commit that counts the attempts of these records."""

    def pause(self) -> None:
        """Start no quarantined record until `resume`."""

    def resume(self) -> None:
        """Start quarantined records again: the assignment is known, and every partition of it restored."""

    def assignment_known(self) -> None:
        """Decide what waited until it was known which partitions are ours."""


class CommitPort(Protocol):
    """Asks for a commit of what has changed."""

    def commit_soon(self) -> None:
        """A record was completed: commit when the last commit is long enough ago."""

    def commit_now(self) -> None:
        """A quarantined record waits for the commit."""
