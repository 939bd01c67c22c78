"""What `/ready` of a router says."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any, cast

from streamverify.bus.liveness import OUTAGE_GRACE
from streamverify.router.router import Router
from streamverify.runtime import Signals
from streamverify.settings import load_settings


async def test_ready_says_what_is_wrong_and_an_outage_counts_only_after_its_grace_time() -> None:
    signals = Signals()
    router = Router(load_settings(), signals, AsyncExitStack())
    recovered = asyncio.Event()
    app = SimpleNamespace(tables=SimpleNamespace(recovery=SimpleNamespace(completed=recovered)), rebalancing=False)
    brokers = SimpleNamespace(outage=None, seconds_without_broker=0.0)
    vars(router).update(_forwarder=SimpleNamespace(forwarded=3, dead_letters=0))
    vars(router._life).update(app=app, _brokers=brokers)
    assert "joins its group" in cast("str", router._status()["problem"])
    assert not router._ready()
    recovered.set()
    assert router._status() == {"problem": None, "draining": False, "forwarded": 3, "dead_letters": 0}
    assert router._ready()
    app.rebalancing = True
    assert not router._ready()
    app.rebalancing = False
    brokers.outage, brokers.seconds_without_broker = cast("Any", "no broker answers"), OUTAGE_GRACE
    assert (router._status()["problem"], router._ready()) == ("no broker answers", True)
    brokers.seconds_without_broker += 1
    assert (router._status()["problem"], router._ready()) == ("no broker answers", False)
    signals.drain.set()
    assert "drains" in cast("str", router._status()["problem"])
