"""Faust's assignor, for members whose address changes while Kafka takes them for the same.

A member that restarts under its `group_instance_id` gets its partitions back without a rebalance: with the assignment
that was made for the process before it, which has the address of that one. Faust takes that for a defect and stalls,
and the others would go on asking at the old address.
"""

from __future__ import annotations

from typing import Any

from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from yarl import URL


class AddressedAssignor(PartitionAssignor):
    """Takes an assignment that was made for another address, and notes that the group has to be told ours."""

    outdated = False
    """True if the last assignment has another address than ours: joining again makes a new one."""
    _taken: URL | None = None

    @property
    def _url(self) -> URL:
        return self._taken or self.app.conf.canonical_url

    def on_assignment(self, assignment: Any) -> None:  # type: ignore[override] # the class of Faust has it so, too
        """Take the partitions, whatever address the assignment was made for."""
        made: Any = ClientMetadata.loads(self._decompress(assignment.user_data))
        # Noted before Faust takes it: the listener that acts on it runs as soon as this method returns.
        self.outdated = made.url != str(self.app.conf.canonical_url)
        self._taken = URL(made.url)
        try:
            super().on_assignment(assignment)
        finally:
            self._taken = None
