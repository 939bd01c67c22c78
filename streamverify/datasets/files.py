"""The files of a SOURCE: what each is by its name, which have data, and whether they are the same ones again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

from streamverify.core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Form = Literal["jsonl", "json", "csv", "tsv", "parquet", "lean"]
FORMS: tuple[Form, ...] = get_args(Form)
STDIN = "-"
_SUFFIXES: dict[str, Form] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonlines": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".lean": "lean",
}
_COMPRESSED = frozenset({".gz", ".bz2", ".xz", ".zst", ".zstd"})
_NO_DATA = frozenset(
    {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "lake-manifest.json"}
)
"""Files of JSON that lie beside data sets, and say something about them or about a project of Lean."""
_ENDS = 64 * 1024
"""Bytes at the beginning and at the end of a file by which it is known again."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a source. `fetch` gives its path on this machine, None for standard input."""

    name: str
    fetch: Callable[[], Path | None]
    size: int | None = None
    version: str = ""
    """A text that changes when the file does, where that can be known without reading it."""


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The files of a source, in the order in which they are read."""

    name: str
    form: Form
    files: tuple[File, ...]
    revision: str | None = None
    remarks: tuple[str, ...] = field(default=())

    def digest(self) -> str:
        """Give a text that is another one when the files are."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.name}\0{file.size}\0{file.version or _ends(file)}\0".encode(errors="replace"))
        return digest.hexdigest()


def form_of(name: str) -> Form | None:
    """Tell by the name of a file what it is; a suffix of a compressed file does not count."""
    path = PurePosixPath(name.lower())
    return _SUFFIXES.get(PurePosixPath(path.stem).suffix if path.suffix in _COMPRESSED else path.suffix)


def of_one_form(name: str, shown: str, files: Sequence[File], form: Form | None) -> SourceFiles:
    """Keep the data among files; without `form` they must all be of one.

    Raises:
        SourceError: There are none, or they are of several.
    """
    data = [(file, form_of(file.name)) for file in files]
    forms = sorted({found for _, found in data if found is not None})
    if form is not None:
        # A file whose name says something else is something else; one whose name says nothing may be anything.
        chosen = tuple(file for file, found in data if found == form) or tuple(
            file for file, found in data if not found
        )
    else:
        chosen = tuple(file for file, found in data if found is not None)
    if not chosen:
        raise SourceError(f"{shown} has no file that ends in {', '.join(_SUFFIXES)} (compressed too)")
    if form is None and len(forms) > 1:
        raise SourceError(f"{shown} has files of several kinds: say which with --format {' or '.join(forms)}")
    return SourceFiles(name, form or forms[0], chosen)


def is_data(name: str) -> bool:
    """Tell whether a file may have rows, by its path: nothing hidden has, and nothing that describes others."""
    parts = name.split("/")
    return not any(part.startswith(".") for part in parts) and parts[-1] not in _NO_DATA and form_of(name) is not None


def _ends(file: File) -> str:
    """Digest the ends of a file: a copy of it is the same file, whenever it was made."""
    path = file.fetch() if file.size is not None else None
    if path is None:
        return ""
    with path.open("rb") as stream:
        digest = hashlib.sha256(stream.read(_ENDS))
        # Not the whole: it may be of many gigabytes, and a set that is made anew differs in its size or at its ends.
        stream.seek(max(0, (file.size or 0) - _ENDS))
        digest.update(stream.read(_ENDS))
    return digest.hexdigest()
