"""One soak: real brokers, workers under names, a steady load for long, faults now and then, samples of all of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chaos import network
from chaos.faults import World
from chaos.fleet import Fleet
from chaos.run import (
    JOIN_PATIENCE,
    Plan,
    Reader,
    background,
    choose,
    client_settings,
    make_environment,
    make_topics,
    say,
)
from kafka_broker import KafkaNodes
from soak.judgement import Finding, judge_lives, judge_open
from soak.ledger import Ledger
from soak.load import VERDICTS, expectations, make_case
from soak.samples import Samples, sample

from streamverify.client import AsyncClient
from streamverify.core.errors import StreamVerifyError
from streamverify.core.messages.codec import decode_result
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from chaos.outcome import Strike

    from streamverify.settings import Settings

_SETTLE = 3.0
_READ = 0.3


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """What a soak is made of."""

    minutes: float
    rate: float
    every: float
    """Seconds from the end of a fault to the next."""
    nodes: Literal[1, 3]
    seed: int
    workers: int = 3
    slots: int = 6
    patience: float = 300.0
    """Seconds after the load until what is unanswered counts as lost."""
    network: bool = True
    only: tuple[str, ...] = ()
    logs: Path | None = None

    @property
    def proofs(self) -> int:
        """How many there are in all."""
        return round(self.minutes * 60 * self.rate)


@dataclass(slots=True)
class SoakReport:
    """What a soak has shown."""

    plan: SoakPlan
    seconds: float
    ledger: Ledger
    samples: Samples
    strikes: list[Strike]
    began: float
    """By the wall clock, as strikes have it: seconds."""
    ends: dict[int, int]
    findings: list[Finding] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is as it must be."""
        return all(finding.ok for finding in self.findings)


async def run(plan: SoakPlan) -> SoakReport:
    """Make the soak. Everything that it started is gone at its end."""
    like_chaos = Plan(
        "soak",
        plan.nodes,
        static=True,
        seconds=plan.minutes * 60,
        records=plan.proofs,
        seed=plan.seed,
        slots=plan.slots,
        network=plan.network,
        only=plan.only,
    )
    chosen, skipped = choose(like_chaos)
    wires = network.inside() and plan.network
    say(f"soak: {plan.minutes:g} minutes, {plan.rate:g} proofs/s, {plan.nodes} node(s), {len(chosen)} kinds of faults")
    with contextlib.ExitStack() as stack:
        folder = plan.logs or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        folder.mkdir(parents=True, exist_ok=True)
        host = ("--host", network.BROKERS) if wires else ()
        nodes = stack.enter_context(KafkaNodes(plan.nodes, *host))
        env = make_environment(nodes.bootstrap_servers, like_chaos) | {PREFIX + "LOG_FORMAT": "json"}
        settings = client_settings(env)
        await make_topics(settings, like_chaos)
        fleet = stack.enter_context(Fleet(env, folder, static=True, wires=wires))
        world = World(nodes, plan.nodes, fleet, settings, random.Random(plan.seed))  # noqa: S311 - no secret
        return await _run(plan, world, chosen, skipped)


async def _run(
    plan: SoakPlan, world: World, chosen: list[Callable[[World], Awaitable[None]]], skipped: list[str]
) -> SoakReport:
    expected = expectations(plan.proofs, plan.seed)
    ledger, samples = Ledger(expected, VERDICTS), Samples()
    for _ in range(plan.workers):
        world.fleet.add()
    # One process has to live through all of it, or nothing could be said of what grows slowly.
    world.spared = world.fleet.workers[0]
    async with background(world.fleet.watch()):
        await world.fleet.until_joined(JOIN_PATIENCE)
        began, wall = time.monotonic(), time.time()
        async with (
            background(Reader(world.settings, partial(_take, ledger)).follow()),
            background(sample(world.fleet, ledger, samples, began)),
        ):
            load = asyncio.create_task(_load(world.settings, plan, expected, ledger))
            tormenting = asyncio.create_task(_torment(world, chosen, plan.every, began + plan.minutes * 60))
            reporting = asyncio.create_task(_progress(ledger))
            try:
                await load
                loaded = time.monotonic() - began
                await tormenting
                await _until_answered(ledger, plan.patience)
            finally:
                reporting.cancel()
    seconds = time.monotonic() - began
    report = SoakReport(plan, seconds, ledger, samples, world.strikes, wall, dict(world.fleet.ends), skipped=skipped)
    report.findings = [*_answers(ledger, world.fleet.defects)]
    report.findings += judge_open([each for each in samples.open if each[0] <= loaded], plan.rate)
    report.findings += judge_lives({life.name: life.figures for life in samples.lives.values()}, seconds)
    return report


def _answers(ledger: Ledger, defects: list[str]) -> list[Finding]:
    """Whether every id is right, and no worker ended in a way that it must not."""
    lost = ledger.unanswered()
    return [
        Finding(
            "every proof has an answer",
            not lost,
            f"{ledger.answered:,} of {len(ledger.expected):,}" + (f"; lost: {lost[:10]}" if lost else ""),
        ),
        Finding(
            "every result has the right verdict",
            not ledger.wrongs,
            f"{ledger.results:,} results, {ledger.repeats:,} of them repeats, {ledger.wrongs} wrong"
            + "".join(f"; {each}" for each in ledger.wrong[:5]),
        ),
        Finding("no worker ended in a way that it must not", not defects, "; ".join(defects[:3]) or "none did"),
    ]


async def _torment(world: World, chosen: list[Callable[[World], Awaitable[None]]], every: float, until: float) -> None:
    """A fault now and then, in rounds of their own order each, until the time is up."""
    while chosen:
        order = list(chosen)
        world.rng.shuffle(order)
        for fault in order:
            if time.monotonic() + every >= until:
                return
            await asyncio.sleep(every)
            await fault(world)
            struck = world.strikes[-1]
            struck.end = int(time.time() * 1000)
            say(f"{struck.kind} ({struck.target}), {struck.in_flight} in flight")


async def _progress(ledger: Ledger) -> None:
    while True:
        await asyncio.sleep(30.0)
        say(f"{ledger.answered:,} of {ledger.sent:,} answered, {ledger.repeats:,} repeats, {ledger.wrongs} wrong")


async def _load(settings: Settings, plan: SoakPlan, expected: bytes, ledger: Ledger) -> None:
    """Send every proof at its time; what a broker did not acknowledge is sent again."""
    end = time.monotonic() + plan.minutes * 60
    again: set[int] = set()
    numbers = iter(range(plan.proofs))

    async def requests() -> AsyncIterator[Any]:
        for number in sorted(again):
            yield make_case(number, plan.seed, expected).request
        for number in numbers:
            again.add(number)
            await asyncio.sleep(max(0.0, end - (plan.proofs - number) / plan.rate - time.monotonic()))
            yield make_case(number, plan.seed, expected).request

    while ledger.sent < plan.proofs:
        try:
            async with AsyncClient(settings) as client:
                async for ticket in client.submit_all(requests()):
                    number = int(ticket.custom_id.partition("-")[0])
                    again.discard(number)
                    ledger.was_sent(number)
        except StreamVerifyError as error:
            say(f"the producer goes on after: {error}")


def _take(ledger: Ledger, kafka_record: Any) -> None:
    result = decode_result(kafka_record.value)
    ledger.was_answered(result.custom_id, result.reason)


async def _until_answered(ledger: Ledger, patience: float) -> None:
    give_up = time.monotonic() + patience
    while ledger.answered < len(ledger.expected) and time.monotonic() < give_up:
        await asyncio.sleep(_READ)
    await asyncio.sleep(_SETTLE)
