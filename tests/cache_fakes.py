"""Jobs, verdicts and a store for the tests of the result cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamverify.cache.store import StoreFailed
from streamverify.core.cache.memory_cache import MemoryCache
from streamverify.core.cache.seal import Seal
from streamverify.core.job import Job, Record, RecordId, Verdict
from streamverify.core.messages.models import Assurance, ProofRequest, Reason, Response, Source
from streamverify.core.syntax.header import parse_header
from streamverify.worker.result_cache import ResultCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streamverify.cache.guard import Guard
    from streamverify.cache.store import Entry
    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.syntax.header import Header

SECRET = b"a secret of the tests"
PROOF = "theorem t : 1 = 1 := rfl"


def make_job(
    proof: str = PROOF,
    offset: int = 0,
    *,
    assurance: Assurance = Assurance.CHECKED,
    scope: str | None = None,
    **asked: Any,
) -> Job:
    """Make a job as the intake does."""
    request = ProofRequest(custom_id=f"id {offset}", proof=proof, **asked)
    source = Source(topic="lean.proofs", partition=offset % 3, offset=offset, timestamp=7)
    record = Record(RecordId(offset % 3, offset, 0), source, None, b"{}", [], received=0.0)
    return Job(record, request, parse_header(proof), assurance, scope=scope)


def make_verdict(reason: Reason = Reason.OK, **fields: Any) -> Verdict:
    """Make a verdict as a slot does."""
    return Verdict(reason, f"it is {reason}", Response(messages=[], time=0.25), **fields)


@dataclass
class FakeStore:
    """Keeps entries in a dictionary, and fails when it is told to."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    failing: bool = False
    asked: list[list[bytes]] = field(default_factory=list)
    closed: bool = False
    label: str = "fake"

    async def check(self) -> None:
        if self.failing:
            raise StoreFailed("fake: it is down")

    async def get_many(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        await self.check()
        self.asked.append(list(names))
        return {name: self.values[name] for name in names if name in self.values}

    async def put_many(self, entries: Sequence[Entry]) -> None:
        await self.check()
        self.values |= {each.name: each.value for each in entries}

    async def close(self) -> None:
        self.closed = True


@dataclass
class FakeInstallation:
    """An installation of which the test says whether it is as it was."""

    unchanged: bool = True
    modules: int = 0

    def is_unchanged(self) -> bool:
        return self.unchanged


@dataclass
class Lean:
    """What Lean has said of the headers' vocabularies."""

    said: dict[str, Vocabulary] = field(default_factory=dict)

    def __call__(self, header: Header) -> Vocabulary | None:
        return self.said.get(header.fingerprint)


@dataclass
class Clock:
    """The time, in seconds since the epoch."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def make_cache(guard: Guard | None = None, **given: Any) -> ResultCache:
    """Make a cache of a worker; `given` replaces its parts."""
    parts: dict[str, Any] = {
        "max_age": 1000.0,
        "installation": FakeInstallation(),
        "installation_digest": "here",
        "vocabulary_of": Lean(),
        "clock": Clock(),
    } | given
    seal = parts.pop("seal", Seal(SECRET))
    return ResultCache(seal, parts.pop("memory", MemoryCache(1 << 20)), guard, **parts)


class FakeTiers:
    """Takes higher what asks for it; the test says what becomes of it."""

    def __init__(self) -> None:
        self.in_tiers: list[tuple[Job, Callable[[Job, Verdict], None]]] = []

    def take(self, job: Job, verdict: Verdict, on_done: Callable[[Job, Verdict], None]) -> bool:
        if verdict.reason is not Reason.OK or job.assurance <= max(verdict.assurance, Assurance.AUDITED):
            return False
        self.in_tiers.append((job, on_done))
        return True

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        gone = [job for job, _ in self.in_tiers if doomed(job)]
        self.in_tiers = [each for each in self.in_tiers if not doomed(each[0])]
        return gone

    def supersede(self, job: Job, verdict: Verdict) -> bool:
        found = [each for each in self.in_tiers if each[0] is job]
        self.in_tiers = [each for each in self.in_tiers if each[0] is not job]
        for each, on_done in found:
            on_done(each, verdict)
        return bool(found)

    def answered(self, job: Job, verdict: Verdict) -> None: ...

    @property
    def running(self) -> int:
        return len(self.in_tiers)
