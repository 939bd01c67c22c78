"""The infotree of a proof: which tactics ran, and with which goals."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamverify.core.errors import NoInfotree
from streamverify.core.infotree.cut import Tactic, split_tactics

if TYPE_CHECKING:
    from streamverify.core.messages.models import ProofResult

__all__ = ["Tactic", "tactics"]


def tactics(result: ProofResult | Mapping[str, Any], proof: str | None = None) -> list[Tactic]:
    """Give the tactics of a proof, which do not overlap, with the goals before and after each.

    Joined again (`"".join(map(str, tactics(result)))`) they are the file that was sent. The request must have asked
    for an infotree: `infotree_type="tactics"`; any of the four kinds will do, `full` being the largest.

    Args:
        result: The answer, as our clients give it or as the dictionary that stands in the result topic.
        proof: The file that was sent. The topic does not bring it back; results of our client know it themselves.

    Returns:
        The tactics in the order of the file; none where the proof has no tactic, or where Lean ran none of them.

    Raises:
        NoInfotree: The result has no infotree, the file is not known, or it is not the one that was checked.
    """
    fields: Mapping[str, Any] = result if isinstance(result, Mapping) else vars(result)
    response = fields.get("response")
    answer: Mapping[str, Any] = response if isinstance(response, Mapping) else vars(response) if response else {}
    infotree = answer.get("infotree")
    name = f"the result of {fields.get('custom_id')!r:.80}"
    if infotree is None:
        if "infotree" in (fields.get("truncated") or ()):
            raise NoInfotree(
                f"{name} has no infotree: it was too large for the result topic. Ask with infotree_type='substantive', "
                "or raise the topic's max.message.bytes."
            )
        raise NoInfotree(f"{name} has no infotree. Ask for one: the request's infotree_type='tactics'.")
    if proof is None:
        proof = getattr(result, "proof", None)
    if proof is None:
        raise NoInfotree(f"{name} does not bring the file that was sent: hand it in, as tactics(result, proof).")
    digest = fields.get("proof_sha256")
    if digest is not None and hashlib.sha256(proof.encode(errors="surrogatepass")).hexdigest() != digest:
        raise NoInfotree(f"{name} belongs to another file than this one: their SHA-256 differ.")
    return split_tactics(proof, infotree)
