"""A worker's service between fakes of its pool, its slots for replays, its partitions and its publisher."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from worker_fakes import FakePartitions, FakePool, FakePublisher, FakeReplays

from streamverify.core.groups.cancellation import Cancellations
from streamverify.core.groups.groups import Groups
from streamverify.core.job import Record, RecordId
from streamverify.core.messages.codec import RequestLimits
from streamverify.core.messages.models import Assurance, Source, Verifier
from streamverify.lean.kernel.reachable_tiers import ReachableTiers
from streamverify.settings import Settings
from streamverify.worker.results import ResultBuilder
from streamverify.worker.service import Service
from streamverify.worker.superseding import Superseding
from streamverify.worker.tiers import Tiers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.bus.publisher import Publisher
    from streamverify.core.delivery.delivered_records import DeliveredRecords
    from streamverify.core.groups.groups import Winner
    from streamverify.lean.kernel.replays import Replays
    from streamverify.lean.pool import Pool
    from streamverify.telemetry.tracing import Tracing

EPOCH = 4
PROOF = "theorem t : 1 = 1 := rfl"
RECORD = RecordId(2, 5, EPOCH)
"""The record that a bench delivers where the test names no offset."""


def request(**fields: Any) -> bytes:
    """A request as it is on the topic."""
    return json.dumps({"custom_id": "a", "proof": PROOF} | fields).encode()


class Bench:
    """A service between its fakes."""

    def __init__(
        self,
        limit: int = 1_000_000,
        *,
        settings: Settings | None = None,
        reachable: ReachableTiers | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.pool, self.partitions, self.publisher = FakePool(), FakePartitions(), FakePublisher()
        self.announced: list[Winner] = []
        settings, reachable = settings or Settings(require="checked"), reachable or ReachableTiers(Assurance.CHECKED)
        results = ResultBuilder("worker-1", Verifier(kind="synthetic"), "lean.results", limit, tracing=tracing)
        self.replays = FakeReplays()
        self.tiers = Tiers(
            cast("Replays", self.replays) if reachable.tier > Assurance.AUDITED else None,
            Assurance(settings.upgrade),
            publisher=cast("Publisher", self.publisher),
            results=results,
        )
        self.superseding = Superseding(
            Groups(ttl=3600.0),
            Cancellations(consumer_group=settings.group_id, topic=settings.request_topic),
            pool=cast("Pool", self.pool),
            runner=self.pool,
            tiers=self.tiers,
            records=cast("DeliveredRecords", self.partitions),
            announce=self.announced.append,
        )
        self.service = Service(
            settings,
            RequestLimits(max_proof_bytes=1000),
            pool=cast("Pool", self.pool),
            runner=self.pool,
            publisher=cast("Publisher", self.publisher),
            results=results,
            records=cast("DeliveredRecords", self.partitions),
            commits=self.partitions,
            superseding=self.superseding,
            tiers=self.tiers,
            reachable=reachable,
            slots=2,
        )

    def deliver(  # noqa: PLR0913 - what a record has
        self,
        value: bytes | None,
        offset: int = 5,
        *,
        worker_deaths: int = 0,
        quarantined: bool = False,
        kafka_headers: Sequence[tuple[str, bytes | None]] = (("trace", b"1"),),
        received: float = 0.0,
    ) -> None:
        source = Source(topic="lean.proofs", partition=2, offset=offset, timestamp=77)
        self.service.receive(
            Record(
                RecordId(2, offset, EPOCH),
                source,
                b"key",
                value,
                kafka_headers,
                received=received,
                worker_deaths=worker_deaths,
                quarantined=quarantined,
            )
        )
