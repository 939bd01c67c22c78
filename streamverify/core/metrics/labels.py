"""The labels of the metrics and the closed sets of their values."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus

from streamverify.core.messages.dead_letter import Stage
from streamverify.core.messages.models import Assurance, Reason, Status
from streamverify.core.metrics.metric import Label


class ReplDeath(StrEnum):
    """The causes for which a REPL process ended by itself, or was ended because it was of no more use."""

    CRASH = "crash"
    """It crashed, or a signal that was not ours ended it."""
    MEMORY = "memory"
    """The kernel ended it for want of memory, or Lean said that it had none."""
    MEMORY_LIMIT = "memory_limit"
    """The memory watch ended it, because it used more than `MEMORY_PER_REPL`."""
    EXIT = "exit"
    """It ended of itself."""
    TIMEOUT = "timeout"
    """It did not answer a proof or an import in time."""
    CHECK_TIMEOUT = "check_timeout"
    """It answered a proof, and then not the check of its channel."""
    CHANNEL = "channel"
    """Something was on the answer channel that no REPL writes there."""
    ANSWER = "answer"
    """Its answer was too large, or nested too deeply."""
    SUSPENDED = "suspended"
    """The worker itself had been stopped, so that nobody knows how long Lean ran."""
    START = "start"
    """The system could not start it."""
    REFUSED = "refused"
    """It said that it would not run a command of ours."""


class ReplReplaced(StrEnum):
    """The reasons for which a REPL process that was in order was ended."""

    WORN = "worn"
    """It had grown, or had run as many proofs as one process may."""
    HEADER = "header"
    """Another header was needed in its slot, and there was no room beside those that it held."""
    IMPORT = "import"
    """Lean could not import a header, and what the try had loaded is never given back."""
    FRESH = "fresh"
    """A request asked for a fresh process (`disable_cache`)."""
    CODE = "code"
    """A proof may have left code running in it."""
    SUPERSEDED = "superseded"
    """Nobody needed the verdict of the proof that it ran any more."""
    ERROR = "error"
    """The worker made an error of its own."""
    END = "end"
    """The worker ends."""


class EnvironmentState(StrEnum):
    """The states in which a proof finds the environment of its header."""

    WARM = "warm"
    """A free slot had imported it."""
    DELAYED = "delayed"
    """A slot had imported it, for which the proof waited although another slot was free."""
    COLD = "cold"
    """It was imported for this proof."""
    FRESH = "fresh"
    """It was imported for this proof, which asked for that (`disable_cache`)."""


def of(name: str, meaning: str, values: type[StrEnum] | tuple[str, ...]) -> Label:
    """Make a label of a closed set."""
    return Label(name, meaning, tuple(str(value) for value in values))


STATUS = of("status", "of the result", Status)
REASON = of("reason", "of the result", Reason)
ANSWERED = of("reason", "of the answer; `other`: a newer worker has said what is not known here", (*Reason, "other"))
ASSURANCE = of("assurance", "how much `verified` is worth; `none` for what is not verified", Assurance)
STEP = of("step", "what Lean was busy with", ("import", "run", "audit"))
ENVIRONMENT = of("environment", "whether its header was imported", EnvironmentState)
DEATH = of("cause", "why it ended", ReplDeath)
REPLACED = of("why", "why it was ended", ReplReplaced)
STAGE = of("stage", "where it became one", Stage)
LOOKUP = of("outcome", "where a verdict of identical work was found", ("memory", "store", "miss"))
SUPERSEDED = of("state", "what the proof did then", ("waiting", "running"))
SLOT = Label("slot", "its number, below `SLOTS` with the spares", numbers=True)
PARTITION = Label("partition", "of the request topic", numbers=True)
ROUTED = of("outcome", "what became of it", ("forwarded", "dead_letter"))
TABLED = of("outcome", "what it was", ("result", "tombstone", "skipped"))
METRIC = Label("metric", "its name")
"""Its closed set is the table itself; `table.py` fills it in."""

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
METHOD = of("method", "of the request", (*METHODS, "other"))
CODE = of("code", "of the answer; 499: the client went before it", ("499", *(str(int(code)) for code in HTTPStatus)))
NO_ROUTE = "none"
ROUTES = (
    "/",
    "/api/check",
    "/api/openapi.json",
    "/api/page/verify",
    "/api/v1/verify_proof",
    "/events",
    "/health",
    "/live",
    "/metrics",
    "/one_pass_verify_batch",
    "/page",
    "/page/rules.json",
    "/ready",
    "/v1/environments",
    "/v1/status",
    "/verify",
    NO_ROUTE,
)
ROUTE = of("route", "the endpoint, without a slash at its end; `none`: there is no such", ROUTES)
REFUSALS = {
    400: "invalid",
    401: "key",
    403: "origin",
    408: "slow",
    413: "too_large",
    415: "compressed",
    421: "origin",
    422: "invalid",
    429: "full",
    503: "unavailable",
}
"""The word for each code with which the gateway refuses a request."""
STATIC = "/page"
"""The route below which the page's own files lie: any of them is counted as this."""


def route_of(path: str) -> str:
    """Return the route of a path: one of `ROUTES`, whatever somebody has asked for."""
    path = path.rstrip("/") or "/"
    if path in ROUTES:
        return path
    return STATIC if path.startswith(f"{STATIC}/") else NO_ROUTE


def method_of(method: str) -> str:
    """Return the method as it is counted."""
    return method if method in METHODS else "other"


def code_of(status: int) -> str:
    """Return the code as it is counted: one that HTTP does not know counts as the failure of a server."""
    return str(status) if CODE.allows(str(status)) else "500"


REFUSED = of("reason", "why", tuple(dict.fromkeys(REFUSALS.values())))

BUILD = (
    Label("version", "of streamverify", info=True),
    Label("kind", "what verifies here: `lean`, `replay`, `synthetic`; empty where nothing does", info=True),
    Label("lean", "version of Lean", info=True),
    Label("repl", "version of the REPL", info=True),
    Label("mathlib", "version of Mathlib", info=True),
    Label("policy", "version of the policy of audits", info=True),
    Label("sandbox", "what confines Lean", info=True),
)
