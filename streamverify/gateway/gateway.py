"""The gateway without its HTTP: who may call, what is held, the ways over Kafka, and which of them a request takes."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import structlog

from streamverify.bus.group_positions import records_to_do
from streamverify.bus.topic_reader import records_kept
from streamverify.core.gateway.admission import Admission
from streamverify.core.gateway.environments import GatewayEnvironment, parse_environments
from streamverify.core.gateway.keys import ApiKeys
from streamverify.core.gateway.live import LiveState
from streamverify.core.gateway.turns import Places
from streamverify.core.messages.models import Assurance
from streamverify.gateway.bodies import BodyError
from streamverify.gateway.fair_queue import FairQueue
from streamverify.gateway.metrics import GatewayMetrics
from streamverify.gateway.monitor import Monitor
from streamverify.gateway.observer import Observer
from streamverify.gateway.request_reply import RequestReply

if TYPE_CHECKING:
    from typing import Any

    from streamverify.gateway.batch import BatchOptions
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

DEFAULT = "default"
"""The name of the environment that REQUEST_TOPIC and RESULT_TOPIC are."""
_REPORT = 60.0


class Gateway:
    """The parts that the endpoints share. `trouble` says which state it is in.

    serving: ""  <--- a broker goes, or comes back --->  waiting for a broker: why
         |                                                     |
         +------------> closing: new requests are refused <----+
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        secret = settings.api_keys
        self.keys = ApiKeys.parse(secret.get_secret_value() if secret else "")
        self.admission = Admission(requests=settings.gateway_requests, total_bytes=settings.gateway_memory)
        places = Places(
            settings.gateway_in_flight, settings.gateway_in_flight_per_key, settings.gateway_in_flight_bytes
        )
        self.queue = FairQueue(places)
        self.live = LiveState()
        own = GatewayEnvironment(DEFAULT, settings.request_topic, settings.result_topic)
        self.environments = {DEFAULT: own, **parse_environments(settings.environments)}
        ways: dict[tuple[str, str], RequestReply] = {}
        self._ways: dict[str, RequestReply] = {}
        for name, environment in self.environments.items():
            topics = (environment.request_topic, environment.result_topic)
            # Environments on the same topics share one reader, and so one sender.
            if topics not in ways:
                update = dict(zip(("request_topic", "result_topic"), topics, strict=True))
                # Everybody's results are counted only where the page shows the backlog: of the gateway's own topics.
                observer = Observer(self.live, counts=name == DEFAULT)
                ways[topics] = RequestReply(settings.model_copy(update=update), self.queue, observer)
            self._ways[name] = ways[topics]
        self.monitor = Monitor(
            to_do=partial(records_to_do, settings), dead_letters=partial(records_kept, settings, settings.dlq_topic)
        )
        self.closing = asyncio.Event()
        """Set when the gateway ends: who follows its state would keep it waiting."""
        # For the log of each minute: a line for each request would be one for each proof with some clients.
        self._counts: Counter[str] = Counter()
        self.metrics = GatewayMetrics(
            self.ways, self.admission, self.queue, closing=self.closing, trouble=lambda: self.trouble
        )

    @property
    def ways(self) -> list[RequestReply]:
        """The ways over Kafka, one for each pair of topics."""
        return list(dict.fromkeys(self._ways.values()))

    @property
    def trouble(self) -> str:
        """The reason why new requests cannot be taken, for people; "" where they can."""
        if self.closing.is_set():
            return "this gateway is being stopped"
        return next(filter(None, (way.follower.trouble for way in self.ways)), "")

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answers, or a topic is not there.
        """
        for way in self.ways:
            await way.start()

    async def run(self) -> None:
        """Read results, and say each minute what was done, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for way in self.ways:
                tasks.create_task(way.run())
            tasks.create_task(self.monitor.run())
            tasks.create_task(self._report())
            tasks.create_task(self.metrics.run())

    async def close(self) -> None:
        """Disconnect."""
        for way in self.ways:
            await way.close()

    def way(self, environment: str | None) -> tuple[GatewayEnvironment, RequestReply]:
        """Return the environment that a request names, and its way over Kafka.

        Raises:
            BodyError: There is no such environment.
        """
        name = DEFAULT if environment is None else environment
        if name not in self.environments:
            known = ", ".join(self.environments)
            raise BodyError(
                400,
                "environment",
                f"there is no environment `{name[:64]}`; this gateway has: {known} (its setting ENVIRONMENTS)",
            )
        return self.environments[name], self._ways[name]

    def assurance(self, asked: str | None) -> Assurance:
        """Return the assurance to ask for: what the request says, else GATEWAY_REQUIRE, never less than REQUIRE_MIN."""
        wanted = Assurance(asked or self.settings.gateway_require)
        return max(wanted, Assurance(self.settings.require_min))

    def count(self, key: str, proofs: int, options: BatchOptions) -> None:
        """Note a request, for the log."""
        self._counts[key] += proofs
        _log.debug("request", key=key, proofs=proofs, require=str(options.require), timeout=options.timeout)

    def status(self) -> dict[str, Any]:
        """Count what is held, for people and programs."""
        return {
            "requests": self.admission.requests,
            "request_bytes": self.admission.bytes,
            "in_flight": self.queue.in_flight,
            "waiting": self.queue.waiting,
        }

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_REPORT)
            if self._counts:
                counts, self._counts = self._counts, Counter()
                by_key = " ".join(f"{key}:{count}" for key, count in sorted(counts.items()))
                _log.info("last_minute", proofs=sum(counts.values()), by_key=by_key, **self.status())
