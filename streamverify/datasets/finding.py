"""Finds the files of a SOURCE: a file, a folder, a pattern, standard input, or a set on the hub."""

from __future__ import annotations

import glob
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.datasets.columns import nearest, printable
from streamverify.core.errors import SourceError
from streamverify.datasets.files import FORMS, STDIN, File, SourceFiles, form_of, is_data, of_one_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.datasets.files import Form

_HUB = "hf://"


def find(source: str, form: Form | None, stdin: Path | None = None) -> SourceFiles:
    """Find the files of a source.

    Args:
        source: A file, a folder, a pattern with `*`, `-` for standard input, or `hf://owner/name[@revision][/split]`.
        form: What the files are; None: their names say so.
        stdin: A file with what came from standard input, which can then be read more than once.

    Raises:
        SourceError: There is nothing of that name, or it cannot be known what it is.
    """
    if source.startswith(_HUB):
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


def _in_folder(folder: str) -> list[str]:
    """List the files at any depth, but nothing hidden, such as `.lake` and `.cache`, and nothing that has no data."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(parent, name) for name in names if is_data(name)]  # noqa: PTH118
    return sorted(found)


def _local(paths: Sequence[str], root: Path) -> list[File]:
    return [
        File(
            printable(os.path.relpath(path, root)) if len(paths) > 1 or root.is_dir() else printable(path),
            partial(Path, path),
            os.stat(path).st_size if os.path.isfile(path) else None,  # noqa: PTH113, PTH116
        )
        for path in paths
    ]
