"""streamverify: a Kafka stream processor that verifies Lean 4 proofs at scale.

These are the names for users of the library; the modules below them may change.
"""

from typing import TYPE_CHECKING, Any

from streamverify.version import __version__

if TYPE_CHECKING:
    from streamverify.client import AsyncClient, Client, Lean4Client, Results, Unanswered
    from streamverify.core.infotree import Tactic, tactics
    from streamverify.core.messages.models import ProofRequest, ProofResult
    from streamverify.core.scheduling.partitioner import AffinityPartitioner

__all__ = [
    "AffinityPartitioner",
    "AsyncClient",
    "Client",
    "Lean4Client",
    "ProofRequest",
    "ProofResult",
    "Results",
    "Tactic",
    "Unanswered",
    "__version__",
    "tactics",
]

_HOMES = {
    "AffinityPartitioner": "streamverify.core.scheduling.partitioner",
    "AsyncClient": "streamverify.client",
    "Client": "streamverify.client",
    "Lean4Client": "streamverify.client",
    "ProofRequest": "streamverify.core.messages.models",
    "ProofResult": "streamverify.core.messages.models",
    "Results": "streamverify.client",
    "Tactic": "streamverify.core.infotree",
    "Unanswered": "streamverify.client",
    "tactics": "streamverify.core.infotree",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: `streamverify --help` needs neither pydantic nor aiokafka."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - as above

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the names that are imported on demand, too."""
    return sorted({*globals(), *__all__})
