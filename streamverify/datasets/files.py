"""Finds the files of a SOURCE, and what they are: a file, a folder, a pattern, standard input, or a set on the hub."""

from __future__ import annotations

import glob
import hashlib
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

from streamverify.core.datasets.columns import nearest, printable
from streamverify.core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Form = Literal["jsonl", "json", "csv", "tsv", "parquet", "lean"]
FORMS: tuple[Form, ...] = get_args(Form)
STDIN = "-"
HUB = "hf://"
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


def find(source: str, form: Form | None, stdin: Path | None = None) -> SourceFiles:
    """Find the files of a source.

    Args:
        source: A file, a folder, a pattern with `*`, `-` for standard input, or `hf://owner/name[@revision][/split]`.
        form: What the files are; None: their names say so.
        stdin: A file with what came from standard input, which can then be read more than once.

    Raises:
        SourceError: There is nothing of that name, or it cannot be known what it is.
    """
    if source.startswith(HUB):
        from streamverify.datasets import hub  # noqa: PLC0415 - it needs an extra

        return hub.find(source, form)
    if source == STDIN:
        if form is None:
            raise SourceError(f"say what comes from stdin: --format {', '.join(FORMS[:-1])} or {FORMS[-1]}")
        return SourceFiles("stdin", form, (File("stdin", lambda: stdin, stdin.stat().st_size if stdin else None),))
    path = Path(source)
    shown = printable(source)
    if not source or "\0" in source:
        raise SourceError("the name of the source is empty, or has a character that no name of a file has")
    if os.path.isdir(source):  # noqa: PTH112 - Path.is_dir fails for a name that is too long
        name = path.resolve().name or "root"
        return of_one_form(name, shown, _local(_in_folder(source), path), form)
    if os.path.exists(source):  # noqa: PTH110 - as above
        form = form or form_of(path.name)
        if form is None:
            raise SourceError(f"{shown}: its name does not say what it is: --format {' or '.join(FORMS)}")
        return SourceFiles(printable(path.name), form, tuple(_local([source], path.parent)))
    if glob.has_magic(source):
        paths = sorted(found for found in glob.glob(source, recursive=True) if os.path.isfile(found))  # noqa: PTH113, PTH207
        if not paths:
            raise SourceError(f"no file matches {shown}")
        name = printable(path.name)
        return of_one_form(name, shown, _local(paths, Path(os.path.commonpath([*map(os.path.dirname, paths)]))), form)
    # Nothing of that name: a file beside it may have been meant.
    beside = [entry.name for entry in os.scandir(path.parent)] if path.parent.is_dir() else []
    raise SourceError(f"there is no file or folder {shown}{nearest(path.name, beside, listed=False)}")


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


def _in_folder(folder: str) -> list[str]:
    """List the files at any depth, but nothing hidden, such as `.lake` and `.cache`, and nothing that has no data."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(parent, name) for name in names if is_data(name)]  # noqa: PTH118
    return sorted(found)


def is_data(name: str) -> bool:
    """Tell whether a file may have rows, by its path: nothing hidden has, and nothing that describes others."""
    parts = name.split("/")
    return not any(part.startswith(".") for part in parts) and parts[-1] not in _NO_DATA and form_of(name) is not None


def _local(paths: Sequence[str], root: Path) -> list[File]:
    return [
        File(
            printable(os.path.relpath(path, root)) if len(paths) > 1 or root.is_dir() else printable(path),
            partial(Path, path),
            os.stat(path).st_size if os.path.isfile(path) else None,  # noqa: PTH113, PTH116
        )
        for path in paths
    ]


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
