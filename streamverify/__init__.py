"""streamverify: a Kafka stream processor that verifies Lean 4 proofs at scale.

This is the face for users of the library; the modules below it may change.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamverify.client import Client
    from streamverify.core.messages.models import ProofRequest, ProofResult
    from streamverify.core.scheduling.partitioner import AffinityPartitioner

__version__ = "0.1.0"

__all__ = ["AffinityPartitioner", "Client", "ProofRequest", "ProofResult", "__version__"]

_HOMES = {
    "AffinityPartitioner": "streamverify.core.scheduling.partitioner",
    "Client": "streamverify.client",
    "ProofRequest": "streamverify.core.messages.models",
    "ProofResult": "streamverify.core.messages.models",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: `streamverify --help` needs neither pydantic nor aiokafka."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - as above

    return getattr(import_module(_HOMES[name]), name)
