"""Ctrl-C at the moments when a process under test cannot be caught."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, cast

import pytest
from cli_fakes import make_result

from streamverify import cli
from streamverify import client as client_package
from streamverify.cli import app as app_module
from streamverify.cli import verify as module
from streamverify.client.verification import Answer
from streamverify.core.messages.models import ProofRequest
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def test_before_the_command_runs_it_ends_with_130_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_commands: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app_module, "make_app", interrupted)
    monkeypatch.setattr("streamverify.cli.streams.guard", lambda: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


class OneHangs:
    """A client to whose first request there is no answer."""

    def __init__(self, _settings: Any) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def verify_each(self, _requests: Any, _wait: float) -> AsyncIterator[Answer]:
        for index in (1, 2):
            yield Answer(index, make_result(f"p{index}"))
        # What asyncio makes of Ctrl-C.
        raise asyncio.CancelledError


async def test_what_is_answered_is_printed_though_an_earlier_one_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def nobody(_session: Any) -> None:
        pass

    monkeypatch.setattr(client_package, "AsyncClient", OneHangs)
    monkeypatch.setattr(module.Session, "_look_for_a_worker", nobody)
    printer = module.Printer(as_json=True)
    for number in range(3):
        printer.expect(ProofRequest(custom_id=f"p{number}", proof=""))
    session = module.Session(load_settings(), cast("Any", None), 1.0, printer)
    with pytest.raises(asyncio.CancelledError):
        await session.run()
    assert [line.split('"custom_id":"')[1][:2] for line in capsys.readouterr().out.splitlines()] == ["p1", "p2"]
