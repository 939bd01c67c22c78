"""Names of entries: which need a vocabulary, who says it, and which note is left for others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cache_fakes import SECRET, Lean, make_job
from structlog.testing import capture_logs

from streamverify.core.audit.vocabulary import SHIPPED, Vocabulary
from streamverify.core.cache.seal import Seal
from streamverify.core.messages.models import Assurance
from streamverify.worker import entry_names
from streamverify.worker.entry_names import EntryNames

if TYPE_CHECKING:
    import pytest

CHECKED, AUDITED = make_job(), make_job(assurance=Assurance.AUDITED)
MORE = replace(SHIPPED, commands=SHIPPED.commands | {"more"})


def names(lean: Lean | None = None, installation: str = "here") -> EntryNames:
    return EntryNames(Seal(SECRET), installation, lean or Lean())


def lean(vocabulary: Vocabulary = SHIPPED) -> Lean:
    return Lean({AUDITED.header.fingerprint: vocabulary})


def test_only_an_audited_job_waits_for_the_vocabulary_of_its_header() -> None:
    assert names().name(CHECKED) is not None
    assert names().name(AUDITED) is None
    assert list(names().unknown([CHECKED, AUDITED, AUDITED]).values()) == [AUDITED.header]
    assert names(lean()).unknown([AUDITED]) == {}


def test_names_differ_where_the_vocabularies_or_the_installations_do() -> None:
    found = [names(lean()).name(AUDITED), names(lean(MORE)).name(AUDITED), names(lean(), "there").name(AUDITED)]
    assert None not in found
    assert len(set(found)) == 3
    assert names(lean()).name(AUDITED) == found[0]


def test_a_note_names_entries_as_the_worker_that_wrote_it_does() -> None:
    writer, reader = names(lean()), names()
    note = writer.take_note(AUDITED)
    assert note is not None
    assert reader.unknown([AUDITED]) == {note.name: AUDITED.header}
    reader.read(AUDITED.header, note.content)
    assert reader.name(AUDITED) == writer.name(AUDITED)


def test_a_note_is_written_once_and_only_of_what_lean_has_said_here() -> None:
    writer, reader = names(lean()), names()
    note = writer.take_note(AUDITED)
    assert note is not None
    assert writer.take_note(AUDITED) is None
    assert writer.take_note(CHECKED) is None
    reader.read(AUDITED.header, note.content)
    assert reader.take_note(AUDITED) is None


def test_what_lean_says_here_counts_more_than_a_note_and_is_noted_anew() -> None:
    other = names(lean()).take_note(AUDITED)
    assert other is not None
    said = Lean()
    reader = names(said)
    reader.read(AUDITED.header, other.content)
    said.said[AUDITED.header.fingerprint] = MORE
    with capture_logs() as logs:
        assert reader.name(AUDITED) == names(lean(MORE)).name(AUDITED)
    assert [entry["event"] for entry in logs] == ["cache_vocabulary_differs"]
    assert reader.take_note(AUDITED) is not None


def test_no_more_headers_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_names, "MAX_HEADERS", 1)
    reader = names()
    jobs = [make_job(f"import {name}\ntheorem t", assurance=Assurance.AUDITED) for name in "AB"]
    for job in jobs:
        reader.read(job.header, b"digest")
    assert list(reader.unknown(jobs).values()) == [jobs[0].header]
