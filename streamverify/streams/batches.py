"""Batches of records from Faust, each acknowledged only by whoever has done its work.

Faust's `take()` acknowledges a batch even when the code that got it failed, and an agent that failed is started again
without the batch that it had. So this uses `noack_take`, leaves the acknowledgement to the work, and calls `on_failure`
for every unexpected error: the process ends, and records that were not acknowledged are delivered to the next one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    import faust

    from streamverify.streams.application import Application
    from streamverify.streams.faust_consumer import StreamConsumer

BATCH = 500
"""Records that are worked on at once."""
BATCH_WINDOW = 0.05
"""Seconds that a record waits at most for others of its batch."""


class DeliveredBatch:
    """Records that were delivered under one assignment.

    TAKEN ── acknowledge ──> DONE: its offsets are committed
          ── leave: a rebalance came meanwhile ──> LEFT: its records are delivered again, here or to another member
    """

    def __init__(self, batches: Batches, events: Sequence[faust.EventT[Any]], generation: int) -> None:
        """`generation`: that of the group, in which the records were delivered."""
        self.generation = generation
        self.messages: list[Any] = [event.message for event in events]
        """Faust's messages, in their order."""
        self._batches = batches
        self._events = events

    @property
    def is_ours(self) -> bool:
        """True while no rebalance has come since the records were delivered."""
        return self._batches.generation == self.generation

    def acknowledge(self) -> None:
        """The work is done: these records need not be delivered again."""
        self._batches.acknowledge(self._events)

    def leave(self) -> None:
        """Leave the records to the next owner of their partitions."""
        self._batches.leave(self._events)


class Batches:
    """The batches of one agent, and how far it is."""

    def __init__(self, app: Application, on_failure: Callable[[BaseException], None]) -> None:
        """`on_failure` gets the error that ends the process."""
        self._app = app
        self._on_failure = on_failure
        self._read_in: int | None = None
        """The generation of the group in which `read` was read."""
        self.read: dict[int, int] = {}
        """By partition: one past the offset of the last record that was done since the last rebalance that brought
        records."""

    @property
    def generation(self) -> int:
        """The generation of the group: it grows with each rebalance."""
        return self._app.consumer_generation_id

    def done(self) -> Mapping[int, int]:
        """`read`, where there was no rebalance since."""
        return self.read if self.generation == self._read_in else {}

    async def run(self, stream: faust.StreamT[Any], work: Callable[[DeliveredBatch], Awaitable[None]]) -> None:
        """Take batch by batch, for as long as the stream lasts, and have the work of each done."""
        try:
            async for events in cast("faust.Stream[Any]", stream).noack_take(BATCH, within=BATCH_WINDOW):
                if batch := self.take(events):
                    await work(batch)
        except Exception as error:  # noqa: BLE001 - Faust would go on without this batch
            self._on_failure(error)
            # An agent that returns is started again by Faust, with the next batch.
            await asyncio.Event().wait()

    def take(self, events: Sequence[faust.EventT[Any]]) -> DeliveredBatch | None:
        """Make a batch of the records that were delivered under the assignment that there is now.

        Returns:
            The batch; None if none of the records was.
        """
        generation = self.generation
        if generation != self._read_in:
            self._read_in = generation
            self.read.clear()
        # Records of an assignment that is over are delivered again, here or to another member.
        self.leave(event for event in events if event.message.generation_id != generation)
        ours = [event for event in events if event.message.generation_id == generation]
        return DeliveredBatch(self, ours, generation) if ours else None

    def acknowledge(self, events: Iterable[faust.EventT[Any]]) -> None:
        """Note that records of one batch are done, of the generation in which they were taken."""
        for event in events:
            event.ack()
            self.read[event.message.partition] = event.message.offset + 1

    def leave(self, events: Iterable[faust.EventT[Any]]) -> None:
        """Leave records to the next owner of their partition: no rebalance waits for their acknowledgement."""
        for event in events:
            cast("StreamConsumer", self._app.consumer).forget(event.message)
