"""The real Lean that `STREAMVERIFY_TEST_REPL` names (a command line, as in STREAMVERIFY_REPL), and proofs run in it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from streamverify.core.job import Job, Record, RecordId
from streamverify.core.messages.codec import RequestLimits
from streamverify.core.messages.models import Assurance, Source
from streamverify.core.messages.versions import is_older
from streamverify.lean.pool import Pool, PoolLimits
from streamverify.lean.repl.launch import find_repl, probe
from streamverify.lean.repl.protocol import decode_answer, encode_command, read_response
from streamverify.lean.repl.session import ReplSession
from streamverify.worker.intake import ImmediateVerdict, IntakeRules, take_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from streamverify.core.job import Verdict
    from streamverify.core.messages.models import Message
    from streamverify.lean.repl.command import ReplCommand

REPL = os.environ.get("STREAMVERIFY_TEST_REPL", "")
needs_lean = pytest.mark.skipif(not REPL, reason="STREAMVERIFY_TEST_REPL names no real Lean")

_SOURCE = Source(topic="t", partition=0, offset=0, timestamp=0)


def decide(
    proof: str, *, require: Assurance = Assurance.AUDITED, highest_tier: Assurance = Assurance.AUDITED, **fields: Any
) -> Job | Verdict:
    """What the worker makes of a request before any Lean: a job, or its verdict."""
    value = json.dumps({"custom_id": "id", "proof": proof, **fields}).encode()
    record = Record(RecordId(0, 0, 0), _SOURCE, None, value, [], time.monotonic())
    rules = IntakeRules(RequestLimits(1 << 20), require, Assurance.CHECKED, highest_tier)
    taken = take_in(record, rules, datetime.now(UTC))
    assert isinstance(taken, Job | ImmediateVerdict)
    return taken if isinstance(taken, Job) else taken.verdict


class Lean:
    """One slot with a real Lean; a request takes the whole way of the worker but Kafka's part."""

    def __init__(self, pool: Pool, command: ReplCommand, version: str | None) -> None:
        self.command = command
        self.of_2021 = is_older(version, "4.0.1")
        self._pool = pool

    async def verify(self, proof: str, *, require: Assurance = Assurance.AUDITED, **fields: Any) -> Verdict:
        job = decide(proof, require=require, **fields)
        if not isinstance(job, Job):
            return job
        outcome: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._pool.submit(job, lambda _, verdict: outcome.set_result(verdict))
        return await outcome


async def asked(lean: Lean, *commands: str) -> list[list[Message]]:
    """The messages of a fresh process to these commands, each in the environment that the one before made."""
    session = ReplSession(lean.command, max_answer_bytes=1 << 24)
    try:
        env = decode_answer(await session.ask(encode_command("import Init"), 30.0)).env
        said = []
        for command in commands:
            response = read_response(decode_answer(await session.ask(encode_command(command, env=env), 30.0)), 0.0)
            env = response.env
            said.append(list(response.messages))
        return said
    finally:
        await session.close()


@asynccontextmanager
async def real_lean(folder: Path, *, slots: int = 1) -> AsyncIterator[Lean]:
    """The configured Lean, started in a folder that a hostile proof may fill."""
    command: ReplCommand = replace(await find_repl(REPL, None), cwd=folder)
    version = (await probe(command)).lean_version
    pool = Pool(command, slots=slots, limits=PoolLimits(default_timeout=30.0))
    await pool.start()
    try:
        yield Lean(pool, command, version)
    finally:
        await pool.close()
