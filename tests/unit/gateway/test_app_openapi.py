"""The OpenAPI document and the code say the same: schemathesis asks what the document allows, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from gateway_fakes import a_gateway, client_of
from hypothesis import settings

from streamverify.gateway.app import create_app

APP = create_app(a_gateway(api_keys="tester=secret-one", gateway_wait=5))
SCHEMA = schemathesis.openapi.from_asgi("/api/openapi.json", APP)


# A client of another test in this process may reconnect in its thread meanwhile, with `random`: not a strategy's doing.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@SCHEMA.parametrize()
@settings(max_examples=15, derandomize=True)
def test_the_document_is_kept(case: Any) -> None:
    case.call_and_validate(headers={"Authorization": "Bearer secret-one"})


async def test_the_document_names_every_endpoint_and_its_examples_work() -> None:
    document = APP.openapi()
    assert set(document["paths"]) == {
        "/",
        "/api/check",
        "/api/v1/verify_proof",
        "/health",
        "/live",
        "/one_pass_verify_batch",
        "/ready",
        "/v1/environments",
        "/v1/status",
        "/verify",
    }
    async with client_of(APP, headers={"Authorization": "Bearer secret-one"}) as client:
        for path, methods in document["paths"].items():
            if "post" in methods:
                [content] = methods["post"]["requestBody"]["content"].values()
                form = content["schema"]["$ref"].rpartition("/")[2]
                example = document["components"]["schemas"][form]["example"]
                assert (await client.post(path, json=example)).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    # FastAPI's page of the document runs scripts of another host, which here could do whatever our own page may.
    [("/api/openapi.json", 200), ("/docs", 404), ("/redoc", 404)],
)
async def test_the_document_is_served_and_no_page_of_it(path: str, status: int) -> None:
    async with client_of(APP) as client:
        assert (await client.get(path)).status_code == status
