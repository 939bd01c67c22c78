"""The application, without Kafka: its state, for people and for probes."""

from __future__ import annotations

import pytest
from gateway_fakes import ENDPOINTS, a_gateway, assert_idle, body_for, client_of


async def test_health_and_status() -> None:
    gateway = a_gateway()
    async with client_of(gateway) as client:
        assert (await client.get("/health")).json()["status"] == "ok"
        assert (await client.get("/v1/status")).json()["status"] == "healthy"
        assert (await client.get("/")).json()["status"] == "ok"
        gateway.ways[0].follower.trouble = "no broker answers"
        health = await client.get("/health")
        assert (health.status_code, health.json()["detail"]) == (503, "no broker answers")
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()) == (503, health.json())
        # A probe that looked at the broker would have every gateway ended in an outage.
        assert (await client.get("/live")).json() == {"live": True}
        assert (await client.get("/v1/status")).json()["status"] == "unavailable"


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_without_a_broker_it_is_503(path: str) -> None:
    gateway = a_gateway()
    gateway.ways[0].follower.trouble = "no broker answers"
    async with client_of(gateway) as client:
        response = await client.post(path, json=body_for(path))
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert_idle(gateway)
