"""How a worker's slots share its proofs: policies as plug-ins, each told what happened and answering what starts.

Ours is the class that runs in production.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from streamverify.core.scheduling.durations import LONG_TIMEOUT
from streamverify.core.scheduling.scheduler import NO_PROCESS, PATIENCE, Rules, Scheduler, SlotState, Start
from streamverify.core.scheduling.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.workload import Proof
    from streamverify.core.scheduling.scheduler import Warm
    from streamverify.core.syntax.header import Header


class Run(NamedTuple):
    """What a slot does now: a proof, or (None) only an import; `header` is imported first where it is cold."""

    slot: int
    header: Header
    proof: Proof | None
    cold: bool


class Policy(Protocol):
    """One worker's way. `now` is in seconds."""

    def submit(self, proof: Proof, now: float) -> list[Run]:
        """A proof came."""

    def imported(self, slot: int, header: Header, seconds: float, now: float) -> list[Run]:
        """A slot has imported what its `Run` asked for, and goes on with the proof."""

    def freed(self, slot: int, now: float, *, died: bool = False) -> list[Run]:
        """A slot has done its `Run`. `died`: its process has not survived that, and what it had imported is gone."""

    def discard(self, doomed: Callable[[Proof], bool]) -> None:
        """Another worker has these proofs now."""

    def due(self, now: float) -> tuple[list[Run], float | None]:
        """What time alone made eligible, and when to ask again."""


class LeastRecentlyUsed:
    """As HTTP servers do: proofs in the order they came; one that no idle REPL suits evicts the one idle longest."""

    def __init__(self, slots: int) -> None:
        self._queue: deque[Proof] = deque()
        self._idle: OrderedDict[int, str | None] = OrderedDict((slot, None) for slot in range(slots))
        self._held: dict[int, str | None] = dict.fromkeys(range(slots))

    def submit(self, proof: Proof, now: float) -> list[Run]:
        self.queue(proof)
        return self.start()

    def imported(self, slot: int, header: Header, seconds: float, now: float) -> list[Run]:
        return []

    def freed(self, slot: int, now: float, *, died: bool = False) -> list[Run]:
        self._idle[slot] = None if died else self._held[slot]
        return self.start()

    def discard(self, doomed: Callable[[Proof], bool]) -> None:
        self._queue = deque(proof for proof in self._queue if not doomed(proof))

    def queue(self, proof: Proof) -> None:
        """A proof came, and nothing is to be started yet."""
        self._queue.append(proof)

    def due(self, now: float) -> tuple[list[Run], float | None]:
        return [], None

    def start(self) -> list[Run]:
        """What the idle slots take now."""
        runs = []
        while self._queue and self._idle:
            proof = self._queue.popleft()
            slot = self._slot(proof.header.fingerprint)
            cold = self._idle.pop(slot) != proof.header.fingerprint
            self._held[slot] = proof.header.fingerprint
            runs.append(Run(slot, proof.header, proof, cold))
        return runs

    def _slot(self, header: str) -> int:
        suited = (slot for slot, held in self._idle.items() if held == header)
        return next(suited, next(iter(self._idle)))


class FirstInFirstOut(LeastRecentlyUsed):
    """Proofs in the order they came, each to the slot that is idle longest, whatever that holds."""

    def _slot(self, header: str) -> int:
        return next(iter(self._idle))


class HeaderHash:
    """Each slot has its own queue, and each header its slot."""

    def __init__(self, slots: int) -> None:
        self._queues: list[deque[Proof]] = [deque() for _ in range(slots)]
        self._held: list[str | None] = [None] * slots
        self._busy = [False] * slots

    def submit(self, proof: Proof, now: float) -> list[Run]:
        slot = zlib.crc32(proof.header.fingerprint.encode()) % len(self._queues)
        self._queues[slot].append(proof)
        return [] if self._busy[slot] else self._start(slot)

    def imported(self, slot: int, header: Header, seconds: float, now: float) -> list[Run]:
        return []

    def freed(self, slot: int, now: float, *, died: bool = False) -> list[Run]:
        self._busy[slot] = False
        self._held[slot] = None if died else self._held[slot]
        return self._start(slot)

    def discard(self, doomed: Callable[[Proof], bool]) -> None:
        self._queues = [deque(proof for proof in queue if not doomed(proof)) for queue in self._queues]

    def due(self, now: float) -> tuple[list[Run], float | None]:
        return [], None

    def _start(self, slot: int) -> list[Run]:
        if not self._queues[slot]:
            return []
        self._busy[slot] = True
        proof = self._queues[slot].popleft()
        cold = self._held[slot] != proof.header.fingerprint
        self._held[slot] = proof.header.fingerprint
        return [Run(slot, proof.header, proof, cold)]


class Ours:
    """`streamverify.core.scheduling.scheduler.Scheduler`, and what its slots hold."""

    def __init__(
        self,
        slots: int,
        *,
        spares: int = 0,
        headers_per_repl: int = 1,
        scale: float = 1.0,
        long_timeout: float = LONG_TIMEOUT,
    ) -> None:
        rules = Rules(slots, spares, max(2, slots // 4), PATIENCE * scale, long_timeout=long_timeout)
        self._scheduler: Scheduler[Proof] = Scheduler(rules)
        self._most = headers_per_repl
        self._states = [SlotState()] * (slots + spares)
        self._at: list[tuple[Header, float] | None] = [None] * (slots + spares)
        for slot in range(slots + spares):
            self._scheduler.slot_freed(slot, SlotState(), 0.0)

    def submit(self, proof: Proof, now: float) -> list[Run]:
        return self._runs(self._scheduler.submit(proof, now, work=Work(proof.timeout)), now)

    def imported(self, slot: int, header: Header, seconds: float, now: float) -> list[Run]:
        before = self._states[slot]
        kept = before.headers if before.room else ()
        headers = (*kept, header.fingerprint)
        self._states[slot] = SlotState(headers, seconds, 0.0, room=len(headers) < self._most)
        self._at[slot] = (header, now)
        return self._runs(self._scheduler.imported(slot, header, seconds, now), now)

    def freed(self, slot: int, now: float, *, died: bool = False) -> list[Run]:
        at = self._at[slot]
        if died:
            self._states[slot] = NO_PROCESS
        elif at is not None:
            state = self._states[slot]
            self._states[slot] = state._replace(useful_seconds=state.useful_seconds + now - at[1])
        return self._runs(self._scheduler.slot_freed(slot, self._states[slot], now), now)

    def discard(self, doomed: Callable[[Proof], bool]) -> None:
        self._scheduler.discard(doomed)

    def due(self, now: float) -> tuple[list[Run], float | None]:
        if not self._scheduler.decisions.timed:
            return [], None
        actions, again = self._scheduler.due(now)
        return self._runs(actions, now), again

    def _runs(self, actions: list[Start[Proof] | Warm], now: float) -> list[Run]:
        runs = []
        for action in actions:
            proof = action.job if isinstance(action, Start) else None
            header = action.job.header if isinstance(action, Start) else action.header
            cold = header.fingerprint not in self._states[action.slot].headers
            self._at[action.slot] = (header, now)
            runs.append(Run(action.slot, header, proof, cold))
        return runs


POLICIES: dict[str, Callable[[int], Policy]] = {
    "fifo": FirstInFirstOut,
    "lru": LeastRecentlyUsed,
    "hash": HeaderHash,
    "ours": Ours,
    "ours, 4 headers a REPL": lambda slots: Ours(slots, headers_per_repl=4),
    "ours, as many spares": lambda slots: Ours(slots, spares=slots),
}
