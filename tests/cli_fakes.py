"""Results and a client for tests of the command line that need no broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from streamverify.client import Answer, Ticket, Unanswered
from streamverify.core.messages.models import (
    LEAN_ANSWERED,
    OUTCOMES,
    Position,
    ProofResult,
    Reason,
    Response,
    Source,
    Timings,
    Verifier,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator

    from streamverify.core.errors import RequestTooLarge
    from streamverify.core.messages.models import Message, ProofRequest


def make_result(  # noqa: PLR0913 - each has its default
    custom_id: str = "a",
    reason: Reason = Reason.OK,
    *,
    messages: Iterable[Message] = (),
    summary: str = "One sentence.",
    offset: int = 0,
    timestamp: int = 1_000,
    kind: Any = "lean",
    run: str | None = None,
    **fields: Any,
) -> ProofResult:
    """A result as a worker would send it: with Lean's answer where the reason rests on one, else with an error."""
    answered = reason in LEAN_ANSWERED
    return ProofResult(
        custom_id=custom_id,
        status=OUTCOMES[reason].status,
        reason=reason,
        retriable=OUTCOMES[reason].retriable,
        error=None if answered else summary,
        summary=summary,
        response=Response(messages=list(messages)) if answered else None,
        timings=Timings(run=0.25),
        run=run,
        verifier=Verifier(kind=kind),
        source=Source(topic="lean.proofs", partition=0, offset=offset, timestamp=timestamp),
        **fields,
    )


def make_message(text: str, *, line: int = 1, column: int = 0, severity: Any = "error") -> Message:
    """A message of Lean, one code point wide."""
    start, end = Position(line=line, column=column), Position(line=line, column=column + 1)
    message: Any = {"severity": severity, "pos": start, "endPos": end, "data": text}
    made: Message = message
    return made


class FakeClient:
    """Stands in for `streamverify.client.AsyncClient`; what it does is set on the class."""

    sent: ClassVar[list[ProofRequest]] = []
    window: ClassVar[int] = 1000
    answer: ClassVar[Callable[[ProofRequest], ProofResult | None]]
    too_large: ClassVar[dict[str, RequestTooLarge]] = {}

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @classmethod
    def reset(cls) -> None:
        """Forget everything, and verify every proof."""
        cls.sent, cls.too_large = [], {}
        cls.answer = staticmethod(lambda request: make_result(request.custom_id))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_args: object) -> None:
        return None

    async def refusal(self, request: ProofRequest) -> RequestTooLarge | None:
        return self.too_large.get(request.custom_id)

    async def submit_all(self, requests: AsyncIterable[ProofRequest]) -> AsyncIterator[Ticket]:
        async for request in requests:
            self.sent.append(request)
            yield Ticket(request.custom_id, "1", self.settings.request_topic, 0, len(self.sent), 0)

    async def verify_each(self, requests: AsyncIterable[ProofRequest], timeout: float) -> AsyncIterator[Answer]:
        """Answers the last request of what is handed in at once first; no more than `window` are."""
        unanswered: list[str] = []
        batch: list[tuple[int, ProofRequest]] = []
        count = 0
        async for request in requests:
            batch.append((count, request))
            count += 1
            if len(batch) == self.window:
                for answer in self._answers(batch, unanswered):
                    yield answer
                batch.clear()
        for answer in self._answers(batch, unanswered):
            yield answer
        if unanswered:
            raise Unanswered(unanswered, count, timeout)

    def _answers(self, batch: list[tuple[int, ProofRequest]], unanswered: list[str]) -> Iterator[Answer]:
        for index, request in reversed(batch):
            self.sent.append(request)
            result = type(self).answer(request)
            if result is None:
                unanswered.append(request.custom_id)
            else:
                yield Answer(index, result)
