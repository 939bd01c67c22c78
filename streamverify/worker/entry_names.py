"""Names the entries of the result cache. For an audited job that takes the vocabulary of its header.

What the vocabulary is, Lean says when it audits a proof with that header. A worker of the same installation that was
told has left a *note* of its digest in the store, so that the others need not ask Lean before they find an entry.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import structlog

from streamverify.core.bounded_dict import BoundedDict
from streamverify.core.cache.digests import needs_vocabulary, note_digest, vocabulary_digest, work_digest
from streamverify.core.log.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.cache.seal import Seal
    from streamverify.core.job import Job
    from streamverify.core.syntax.header import Header

MAX_HEADERS = 10_000
"""Headers whose vocabulary's digest is remembered."""
_QUIET_SECONDS = 600.0

_log = structlog.get_logger(__name__)


class Note(NamedTuple):
    """A note for the store: its name, and the digest that it tells the other workers."""

    name: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The digest of a header's vocabulary. `own`: Lean has said it here; `noted`: the store has a note of it."""

    digest: str
    own: bool
    noted: bool


class EntryNames:
    """The names of one installation's entries, and the digests of the vocabularies in them."""

    def __init__(
        self, seal: Seal, installation_digest: str, vocabulary_of: Callable[[Header], Vocabulary | None]
    ) -> None:
        """Know no vocabulary yet; `vocabulary_of` gives what Lean itself has said here, None where it was not asked."""
        self._seal = seal
        self._digest = installation_digest
        self._vocabulary_of = vocabulary_of
        self._once = Once(_QUIET_SECONDS)
        self._vocabularies: BoundedDict[str, _Vocabulary] = BoundedDict(MAX_HEADERS)

    def name(self, job: Job) -> bytes | None:
        """Name the entry of a job; None where the vocabulary of its header is not known yet."""
        if not needs_vocabulary(job):
            return self._seal.name(work_digest(job, self._digest, ""))
        known = self._vocabulary(job.header)
        return None if known is None else self._seal.name(work_digest(job, self._digest, known.digest))

    def _vocabulary(self, header: Header) -> _Vocabulary | None:
        """Return what is known of a header's vocabulary: by our own Lean, else by a note of another worker."""
        known = self._vocabularies.get(header.fingerprint)
        if known is not None and known.own:
            return known
        # Our own Lean has the last word: a note may be that of another library with the same manifest.
        said = self._vocabulary_of(header)
        if said is None:
            return known
        digest = vocabulary_digest(said)
        differs = known is not None and known.digest != digest
        if differs and self._once.is_new("vocabulary", time.monotonic()):
            _log.warning(
                "cache_vocabulary_differs",
                header=header.canonical[:200],
                hint="workers with one manifest have different libraries: what the others found counts for no audited "
                "proof with this header here; build the project anew where it differs",
            )
        known = _Vocabulary(digest, own=True, noted=known is not None and not differs)
        self._vocabularies[header.fingerprint] = known
        return known

    def unknown(self, jobs: Sequence[Job]) -> dict[bytes, Header]:
        """Return the headers whose entries cannot be named yet, by the names of the notes that would tell."""
        return {
            self._note_name(job.header): job.header
            for job in jobs
            if needs_vocabulary(job) and self._vocabulary(job.header) is None
        }

    def read(self, header: Header, note: bytes) -> None:
        """Believe the note of another worker, until Lean says here what it is."""
        self._vocabularies[header.fingerprint] = _Vocabulary(note.decode("ascii", "replace"), own=False, noted=True)

    def take_note(self, job: Job) -> Note | None:
        """Return the note to write beside the entry of a job; None where there is none to write, or it is written."""
        known = self._vocabulary(job.header) if needs_vocabulary(job) else None
        # Only what Lean has said here: what was read in the store is there already.
        if known is None or not known.own or known.noted:
            return None
        self._vocabularies[job.header.fingerprint] = replace(known, noted=True)
        return Note(self._note_name(job.header), known.digest.encode())

    def _note_name(self, header: Header) -> bytes:
        return self._seal.name(note_digest(header.fingerprint, self._digest))
