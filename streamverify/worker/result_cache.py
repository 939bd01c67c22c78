"""The result cache of one worker: verdicts of identical work, from its memory and from a store. It runs nothing.

What is decided (what may be kept, the key, the signature) stands in `core.cache`; stores are in `streamverify.cache`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from streamverify.cache.store import Entry
from streamverify.core.cache.cacheable import may_be_kept, weight
from streamverify.core.cache.content import decode, encode
from streamverify.core.cache.seal import Opened
from streamverify.core.log.once import Once
from streamverify.worker.entry_names import EntryNames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streamverify.cache.guard import Guard
    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.cache.memory_cache import MemoryCache
    from streamverify.core.cache.seal import Seal
    from streamverify.core.job import Job, Verdict
    from streamverify.core.syntax.header import Header
    from streamverify.lean.installation import Installation

LOOK_SECONDS = 10.0
"""Seconds after which the project's modules are looked at again where only answers are taken from the cache."""
MAX_UNWRITTEN = 2_000
"""Entries that wait for a store that is slow or down; what comes beyond them is kept in memory alone."""
_BETWEEN_WRITES = 0.05
_LOOKING_SHARE = 10
"""Looking at the modules takes a tenth of a thread's time at most: a library outside of the project has thousands."""
_AFTER_A_FAILURE = 1.0
_LAST_WRITE_SECONDS = 2.0
_QUIET_SECONDS = 600.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hit:
    """The verdict of identical work, and the seconds since it was given."""

    verdict: Verdict
    age: float


class ResultCache:
    """Finds verdicts, and keeps them.

    ON ── the modules of the project have changed ──> OFF, for good: nothing is found or kept any more
    """

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        seal: Seal,
        memory: MemoryCache,
        guard: Guard | None,
        *,
        max_age: float,
        installation: Installation,
        installation_digest: str,
        vocabulary_of: Callable[[Header], Vocabulary | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a cache.

        Args:
            seal: The secret.
            memory: The entries that are at hand.
            guard: The store behind it; None where there is none.
            max_age: Seconds after which a verdict is not given again.
            installation: What answers here, as it was when this worker started.
            installation_digest: The digest of it, and of the verifier.
            vocabulary_of: What Lean itself has said here of a header's environment; None where it was not asked yet.
            clock: Seconds since the epoch.
        """
        self._seal = seal
        self.memory = memory
        self._guard = guard
        self._max_age = max_age
        self._installation = installation
        self._names = EntryNames(seal, installation_digest, vocabulary_of)
        self._clock = clock
        self._once = Once(_QUIET_SECONDS)
        self._unwritten: list[Entry] = []
        self._something_to_write = asyncio.Event()
        self._looked = time.monotonic()
        self._look_took = 0.0
        self.counts: Counter[str] = Counter()
        """Counts of `memory` and `store` hits, of `misses`, and of entries `refused` and `kept`."""
        self.is_on = True
        """False once the project's modules have changed: what answers is not what the keys say any more."""

    # --- finding --------------------------------------------------------------------------------------------------

    async def find(self, jobs: Sequence[Job]) -> list[Hit | None]:
        """Return for each job the verdict of identical work, if there is one."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            await self._look()
        if not self.is_on:
            return [None] * len(jobs)
        asks_store = self._guard is not None and self._guard.readable
        if asks_store:
            await self._read_notes(jobs)
        names = [self._names.name(job) for job in jobs]
        found = [None if name is None else self._in_memory(name) for name in names]
        missing = [name for name, hit in zip(names, found, strict=True) if name is not None and hit is None]
        if missing and asks_store and self._guard is not None:
            values = await self._guard.get_many(list(dict.fromkeys(missing)))
            # Looked at again after the wait: the writer may have found that the project has changed.
            if not self.is_on:
                return [None] * len(jobs)
            in_store = {name: self._in_store(name, value) for name, value in values.items()}
            # In memory once more: identical work may have ended while the store was asked.
            found = [
                hit or (None if name is None else in_store.get(name) or self._in_memory(name))
                for name, hit in zip(names, found, strict=True)
            ]
        self.counts["misses"] += found.count(None)
        return found

    def _in_memory(self, name: bytes) -> Hit | None:
        entry = self.memory.get(name, self._clock(), self._max_age)
        hit = None if entry is None else self._hit(entry)
        self.counts["memory"] += hit is not None
        return hit

    def _in_store(self, name: bytes, value: bytes) -> Hit | None:
        """Read what the store says; nothing is believed that was not signed with our secret, for this name."""
        opened = self._seal.open(name, value, self._clock(), self._max_age)
        hit = None if opened is None else self._hit(opened)
        if opened is None or hit is None:
            self._refuse()
            return None
        self.memory.put(name, opened)
        self.counts["store"] += 1
        return hit

    def _hit(self, entry: Opened) -> Hit | None:
        verdict = decode(entry.content)
        return None if verdict is None else Hit(verdict, max(0.0, self._clock() - entry.created))

    def _refuse(self) -> None:
        self.counts["refused"] += 1
        if self._once.is_new("refused", time.monotonic()):
            _log.warning(
                "cache_entry_refused",
                hint="an entry of the store is too old, damaged, or not signed with this CACHE_KEY: the proof is "
                "verified instead; if there are many, see who else writes to the store (docs/cache.md)",
            )

    async def _read_notes(self, jobs: Sequence[Job]) -> None:
        """Ask the store for the vocabularies of headers that no Lean here was asked about.

        A worker of the same installation has noted them. Without a note an audited proof of such a header is run.
        """
        unknown = self._names.unknown(jobs)
        if not unknown or self._guard is None:
            return
        values = await self._guard.get_many(list(unknown))
        for name, header in unknown.items():
            value = values.get(name)
            if value is None:
                continue
            if opened := self._seal.open(name, value, self._clock(), self._max_age):
                self._names.read(header, opened.content)
            else:
                self._refuse()

    # --- keeping --------------------------------------------------------------------------------------------------

    def keep(self, job: Job, verdict: Verdict) -> None:
        """Keep the verdict of a job that was run, if it is one that identical work gets, too."""
        if not self.is_on or not may_be_kept(verdict):
            return
        name = self._names.name(job)
        content = None if name is None else encode(verdict)
        if name is None or content is None:
            return
        now = self._clock()
        self.memory.put(name, Opened(content, now))
        self.counts["kept"] += 1
        # Wakes the writer in any case, as it also looks at the project's modules.
        self._something_to_write.set()
        if self._guard is None or len(self._unwritten) >= MAX_UNWRITTEN:
            return
        self._unwritten.append(Entry(name, self._seal.close(name, content, now), weight(verdict)))
        if note := self._names.take_note(job):
            self._unwritten.append(Entry(note.name, self._seal.close(note.name, note.content, now), 0))

    async def run(self) -> None:
        """Write what is kept to the store, until cancelled.

        The modules are looked at between a verdict and its writing: if they are as they were at the start, then Lean
        had no others when it gave the verdict.
        """
        while True:
            await self._something_to_write.wait()
            self._something_to_write.clear()
            if await self._write():
                # Looking takes a moment of a thread, and writing many at once less of the store than one at a time.
                await asyncio.sleep(max(_BETWEEN_WRITES, _LOOKING_SHARE * self._look_took))
            else:
                await asyncio.sleep(_AFTER_A_FAILURE)
                self._something_to_write.set()

    async def _write(self) -> bool:
        """Write what waits for it.

        Returns:
            False where it has to be tried again.
        """
        entries, self._unwritten = self._unwritten, []
        await self._look()
        if self._guard is None or not self.is_on or await self._guard.put_many(entries):
            return True
        # As many as there is room for, and the newest rather than the oldest.
        self._unwritten = [*entries, *self._unwritten][-MAX_UNWRITTEN:]
        return False

    async def _look(self) -> None:
        """See whether the project's modules are as they were; for good without a cache if they are not."""
        self._looked = begun = time.monotonic()
        unchanged = not self.is_on or await asyncio.to_thread(self._installation.is_unchanged)
        self._look_took = time.monotonic() - begun
        if unchanged:
            return
        self.is_on = False
        self.memory.clear()
        self._unwritten.clear()
        _log.warning(
            "cache_switched_off",
            hint="the Lean project or its manifest has changed since this worker started, so it neither keeps nor "
            "gives verdicts of the project as it was: restart the worker",
        )

    async def close(self) -> None:
        """Write what is kept, if the store is fast enough, and close it."""
        # What is not written is verified again elsewhere: the end of a worker must not wait for a slow store.
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITE_SECONDS):
                await self._write()
        if self._guard is not None:
            await self._guard.close()

    @property
    def store_up(self) -> bool | None:
        """True if the store does what it is asked; None without a store, or once the cache is off."""
        return None if self._guard is None or not self.is_on else not self._guard.failing

    def status(self) -> Mapping[str, object]:
        """Return what the cache has done, for `/ready`."""
        return {
            "on": self.is_on,
            "entries": len(self.memory),
            "bytes": self.memory.bytes,
            **{name: self.counts[name] for name in ("memory", "store", "misses", "refused", "kept")},
            **({} if self._guard is None else {"store_failing": self._guard.failing}),
        }
