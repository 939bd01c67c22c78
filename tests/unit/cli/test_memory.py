"""Commands for millions keep nothing: while they run, what they are done with is gone. Nothing is timed or weighed."""

from __future__ import annotations

import json
import weakref
from typing import TYPE_CHECKING, Any, Self

import pytest
from cli_fakes import FakeClient, make_result
from commands import invoke

from streamverify import threads
from streamverify.cli import verify
from streamverify.cli.overrides import ColumnNames
from streamverify.client.dead_letters import Letter
from streamverify.core.messages.dead_letter import DeadLetter, Stage
from streamverify.core.messages.models import Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MANY = 3000
"""Far more than any command may hold at once, with the limits that these tests set."""
FEW = 300


class Alive:
    """Counts the objects that it was shown and that are still there."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0

    def see(self, one: Any) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        weakref.finalize(one, self._gone)

    def _gone(self) -> None:
        self.now -= 1


class Forgetful(list[Any]):
    """What the fake client would keep of what was sent."""

    def append(self, _one: Any) -> None:
        """Keep nothing."""


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Alive:
    """Count the requests that live; the fake client keeps none."""
    monkeypatch.setattr("streamverify.client.AsyncClient", FakeClient)
    FakeClient.reset()
    monkeypatch.setattr(FakeClient, "sent", Forgetful())
    monkeypatch.setattr(FakeClient, "window", 20)
    monkeypatch.setattr(threads, "AHEAD", 50)
    monkeypatch.setattr(verify, "_AHEAD", 100)
    alive = Alive()
    read = ColumnNames.read

    def counted(self: ColumnNames, line: bytes, limits: Any) -> Any:
        request, remark = read(self, line, limits)
        alive.see(request)
        return request, remark

    monkeypatch.setattr(ColumnNames, "read", counted)
    return alive


def jsonl(folder: Path) -> str:
    file = folder / "many.jsonl"
    file.write_text("".join(f'{{"custom_id": "{number}", "proof": ""}}\n' for number in range(MANY)))
    return str(file)


def test_produce_keeps_no_request(requests: Alive, tmp_path: Path) -> None:
    ran = invoke("produce", jsonl(tmp_path), "--json")
    assert json.loads(ran.stdout)["sent"] == MANY
    assert 0 < requests.most < FEW


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_verify_keeps_no_request_and_no_result(
    requests: Alive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    results = Alive()

    def answer(request: Any) -> Any:
        made = make_result(request.custom_id)
        results.see(made)
        return made

    monkeypatch.setattr(FakeClient, "answer", staticmethod(answer))
    ran = invoke("verify", jsonl(tmp_path), *form)
    assert ran.code == 0, ran.stderr
    assert len(ran.stdout.splitlines()) >= MANY
    assert 0 < requests.most < FEW
    assert 0 < results.most < FEW


def test_verify_reads_no_further_while_an_early_proof_is_not_answered(requests: Alive, tmp_path: Path) -> None:
    FakeClient.answer = lambda request: None if request.custom_id == "0" else make_result(request.custom_id)

    class Patient(FakeClient):
        """Gives up once nothing more is handed in, as the time-out of the real one does."""

        async def verify_each(self, requests: Any, timeout: float) -> AsyncIterator[Any]:
            import asyncio  # noqa: PLC0415 - only here

            taken = super().verify_each(requests, timeout)
            while True:
                try:
                    yield await asyncio.wait_for(anext(taken), 0.5)
                except TimeoutError:
                    from streamverify.client import Unanswered  # noqa: PLC0415 - only here

                    raise Unanswered(["0"], 1, timeout) from None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamverify.client.AsyncClient", Patient)
        ran = invoke("verify", jsonl(tmp_path), "--json")
    assert ran.code == 3
    assert "The rest of the input was not sent" in ran.stderr
    assert len(ran.stdout.splitlines()) < FEW
    assert requests.most < FEW


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_dlq_list_keeps_no_letter(monkeypatch: pytest.MonkeyPatch, form: list[str]) -> None:
    alive = Alive()

    class Letters:
        def __init__(self, _settings: Any) -> None:
            return

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None:
            return

        async def read(self, _since: int) -> AsyncIterator[Letter]:
            for offset in range(MANY):
                source = Source(topic="t", partition=0, offset=offset, timestamp=1)
                value = b'{"custom_id": "a"}'
                content = DeadLetter.of(
                    ValueError("x"),
                    key=b"",
                    value=value,
                    kafka_headers=(),
                    source=source,
                    group="g",
                    stage=Stage.DECODE,
                )
                # The letter has slots, and no weak references; its source has them.
                alive.see(source)
                letter = Letter(0, offset, 1, content)
                del source, content
                yield letter
                del letter

    monkeypatch.setattr("streamverify.client.dead_letter_topic.DeadLetters", Letters)
    ran = invoke("dlq", "list", *form)
    assert len(ran.stdout.splitlines()) >= MANY
    assert 0 < alive.most < FEW
