"""Names identical work: a digest of everything that a verdict depends on. Pure.

Every field is written with its name and its length, so that no two different works are the same text. What is not in
the key must not matter: `custom_id`, `metadata`, `run`, `group` and `deadline` do not reach Lean, and the timeout only
decides whether there is a verdict, not which.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from streamverify.core.messages.models import Assurance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.job import Job
    from streamverify.core.messages.models import Verifier

KEY_VERSION = "1"
"""Changes with every change of what stands in a key."""


def digest(what: str, fields: Mapping[str, str | None]) -> bytes:
    """Digest named fields. None is not the same as an empty text.

    Args:
        what: What the fields describe: digests of different things never meet.
        fields: They count with their names, in their order.
    """
    made = hashlib.sha256(f"streamverify cache {KEY_VERSION} {what}\n".encode())
    for name, text in fields.items():
        # A proof may hold half of a surrogate pair only where no codec of ours read it.
        raw = b"" if text is None else text.encode("utf-8", "surrogatepass")
        made.update(f"{name} {-1 if text is None else len(raw)}\n".encode())
        made.update(raw)
    return made.digest()


def installation_digest(verifier: Verifier, parts: Mapping[str, str]) -> str:
    """Digest what answers: the verifier as results name it, and what else of the installation can change an answer.

    Args:
        verifier: With kind, sandbox, and the versions of Lean, REPL, Mathlib and policy.
        parts: Digests of files, by name (`lean.installation`).
    """
    return digest("installation", {**{f"verifier {k}": v for k, v in verifier.__dict__.items()}, **parts}).hex()


def vocabulary_digest(vocabulary: Vocabulary) -> str:
    """Digest what a header's environment knows, and what the operator has declared harmless."""
    trusted = vocabulary.trusted
    words = {
        "commands": vocabulary.commands,
        "attributes": vocabulary.attributes,
        "options": vocabulary.options,
        "tactics": vocabulary.tactics,
        "trusted commands": trusted.commands,
        "trusted attributes": trusted.attributes,
        "trusted options": trusted.options,
    }
    # Sorted: a set has no order, and the digest depends on one.
    fields: dict[str, str | None] = {name: "\n".join(sorted(found)) for name, found in words.items()}
    return digest("vocabulary", {**fields, "old comments": str(trusted.old_comments)}).hex()


def needs_vocabulary(job: Job) -> bool:
    """Tell whether the verdict on a job depends on its header's vocabulary: that of an audit does."""
    return job.assurance is not Assurance.CHECKED


def work_digest(job: Job, installation: str, vocabulary: str) -> bytes:
    """Digest the work of a job.

    Args:
        job: Its file, statement, theorem, options and assurance; that is after REQUIRE and REQUIRE_MIN.
        installation: What `installation_digest` says.
        vocabulary: What `vocabulary_digest` says of its header's environment; "" where that does not matter.
    """
    request = job.request
    return digest(
        "work",
        {
            "installation": installation,
            "vocabulary": vocabulary,
            "assurance": job.assurance.value,
            "theorem": request.theorem,
            # At `checked` nobody looks at it, and a request with another one is other work all the same.
            "statement": request.statement,
            "infotree_type": request.infotree_type,
            "all_tactics": str(request.all_tactics),
            "proof": request.proof,
        },
    )


def note_digest(header_fingerprint: str, installation: str) -> bytes:
    """Digest the question which vocabulary a header has in an installation."""
    return digest("vocabulary of", {"installation": installation, "header": header_fingerprint})
