"""The HTTP application: its endpoints, its errors, and the OpenAPI document that describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from streamverify.gateway.axle import ProofBody
from streamverify.gateway.bodies import BodyError, CheckBody, VerifyBody
from streamverify.gateway.holding import caller, gateway_of
from streamverify.gateway.metrics import RequestCounter
from streamverify.gateway.page import routes as page
from streamverify.gateway.page.browser_guard import BrowserGuard
from streamverify.gateway.routes import router
from streamverify.version import __version__

if TYPE_CHECKING:
    from streamverify.gateway.gateway import Gateway

FORMS = (CheckBody, VerifyBody, ProofBody)
"""The bodies, which are read without FastAPI: as text of any Content-Type, within limits, and without a copy."""


class Problem(BaseModel):
    """The answer to a request that is refused."""

    detail: Annotated[str, Field(description="What is wrong, with the name of the field.")]
    field: Annotated[str, Field(description="The field that is wrong; empty where it is none.")] = ""


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not JSON, or a field has a value that is not known here."},
    401: {"model": Problem, "description": "Keys are set, and none of them was sent."},
    403: {"model": Problem, "description": "A page of another site has sent the request."},
    408: {"model": Problem, "description": "The client paused for long in the middle of its body."},
    413: {"model": Problem, "description": "The body is too large."},
    415: {"model": Problem, "description": "The body is compressed."},
    422: {"model": Problem, "description": "A field is missing or wrong."},
    429: {"model": Problem, "description": "The gateway holds as many requests as it may; see Retry-After."},
    503: {"model": Problem, "description": "No Kafka broker answers, or the gateway is being stopped."},
}


def create_app(gateway: Gateway) -> FastAPI:
    """Make the application for a gateway that is started and closed by whoever calls this."""
    app = FastAPI(
        title="streamverify gateway",
        version=__version__,
        description="Verifies Lean 4 proofs over Kafka, for the clients of kimina-lean-server and of AXLE.",
        openapi_url="/api/openapi.json",
        redoc_url=None,
        # Its pages load their scripts from elsewhere, which here could do whatever our own page may.
        docs_url=None,
    )
    app.state.gateway = gateway
    app.include_router(router, responses=PROBLEMS, tags=["verify"])
    app.add_api_route("/health", health, responses={503: PROBLEMS[503]}, tags=["state"])
    app.add_api_route("/health/", health, include_in_schema=False)
    app.add_api_route("/ready", health, responses={503: PROBLEMS[503]}, tags=["state"])
    app.add_api_route("/live", live, tags=["state"])
    app.add_api_route("/v1/status", status, tags=["state"])
    app.add_api_route("/v1/environments", environments, responses={401: PROBLEMS[401]}, tags=["state"])
    app.add_api_route("/metrics", metrics, include_in_schema=False)
    app.add_api_route("/", index, tags=["state"])
    app.include_router(page.router)
    loopback_only = not gateway.keys and gateway.settings.gateway_host in {None, "127.0.0.1", "::1", "localhost"}
    app.add_middleware(BrowserGuard, loopback_only=loopback_only)
    # The last one is the outermost: what the guard refuses is counted, too.
    app.add_middleware(RequestCounter, metrics=gateway.metrics)
    app.add_exception_handler(BodyError, _problem)
    app.add_exception_handler(StarletteHTTPException, _problem)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


async def live() -> dict[str, Any]:
    """Tell that the process answers, whatever its broker does: for probes that end a process that does not."""
    return {"live": True}


async def health(request: Request) -> dict[str, Any]:
    """Tell whether requests are taken."""
    gateway = gateway_of(request)
    if gateway.trouble:
        raise HTTPException(503, gateway.trouble, {"Retry-After": "5"})
    return {"status": "ok", "version": __version__}


async def metrics(request: Request) -> Response:
    """Tell Prometheus what it asks for. No key is needed, as for the health: no proof, id or name is in it."""
    page = gateway_of(request).metrics.page(request.headers.get("accept", ""))
    return Response(page.body, page.status, {"Content-Type": page.content_type})


async def status(request: Request) -> dict[str, Any]:
    """Tell how much is held, and what verifies. AXLE's client takes `status` = `healthy` for health."""
    gateway = gateway_of(request)
    verifiers = {
        name: None if (verifier := gateway.way(name)[1].verifier) is None else verifier.model_dump()
        for name in gateway.environments
    }
    return {
        "status": "unavailable" if gateway.trouble else "healthy",
        "trouble": gateway.trouble,
        "version": __version__,
        "require": gateway.assurance(None),
        **gateway.status(),
        "verifiers": verifiers,
    }


async def environments(request: Request, _key: Annotated[str, Depends(caller)]) -> list[dict[str, Any]]:
    """List the environments that a request may name, with what their workers were seen to be."""
    gateway = gateway_of(request)
    found = []
    for name, environment in gateway.environments.items():
        verifier = gateway.way(name)[1].verifier
        found.append(
            {
                "name": name,
                "description": f"the workers that read the topic {environment.request_topic}",
                "imports": environment.header,
                "lean_version": verifier and verifier.lean_version,
                "mathlib_version": verifier and verifier.mathlib_version,
                "verifier": verifier and verifier.kind,
            }
        )
    return found


async def index(request: Request) -> Response:
    """Tell what this is: a page for a browser, JSON for anything else."""
    if "text/html" in request.headers.get("accept", ""):
        return page.index()
    gateway = gateway_of(request)
    about = {
        "status": "unavailable" if gateway.trouble else "ok",
        "name": "streamverify gateway",
        "version": __version__,
        "docs": "/api/openapi.json",
    }
    return JSONResponse(about, headers={"Vary": "Accept"})


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    """Answer with a `Problem`, whatever refuses the request: FastAPI's own errors have another form."""
    if isinstance(error, BodyError):
        return JSONResponse({"detail": str(error), "field": error.field}, error.status)
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - what it is registered for besides
    return JSONResponse({"detail": error.detail, "field": ""}, error.status_code, error.headers)


async def _client_gone(_request: Request, _error: Exception) -> Response:
    """Answer nobody: the client went while it sent its body. 499 is what proxies log for that."""
    return Response(status_code=499)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with the forms of the bodies in it."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        names = list(app.state.gateway.environments)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for form in FORMS:
            schema = form.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            # Nothing but a name of this gateway is accepted: the document lists them.
            for kind in (environment := schema["properties"]["environment"]).get("anyOf", [environment]):
                if kind["type"] == "string":
                    kind["enum"] = names
            schemas[form.__name__] = schema
        app.openapi_schema = document
    return app.openapi_schema
