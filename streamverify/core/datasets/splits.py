"""Finds which files of a data set on the Hugging Face hub are which split, by the hub's own rules.

The set's card may say it (`configs` in the front matter of its README). Where it does not, the names of files and
folders do: `data/train-00000-of-00002.parquet`, `test.jsonl`, `validation/1.csv`; and where they do not either, all of
them are the split `train`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamverify.core.datasets.columns import printable, quoted, shown_names
from streamverify.core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_BY_WORD = {word: split for split, words in _SPLITS.items() for word in words}
_WORD = re.compile(rf"(?<![a-zA-Z])({'|'.join(sorted(_BY_WORD, key=len, reverse=True))})(?![a-zA-Z])")
_ADDRESS = re.compile(
    r"hf://(?:datasets/)?(?P<repo>[^/@\s]+/[^/@\s]+)(?:@(?P<revision>refs/(?:convert|pr)/[^/@\s]+|[^/@\s]+))?(?:/(?P<part>.*))?"
)


@dataclass(frozen=True, slots=True)
class HubAddress:
    """The parts of `hf://owner/name[@revision][/part]`; a part is a split, a configuration with one, or a path."""

    repo: str
    revision: str | None
    part: str

    @classmethod
    def parse(cls, text: str) -> HubAddress:
        """Read an address.

        Raises:
            SourceError: It is none.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise SourceError(f"{printable(text)} is no address of a data set: hf://owner/name[@revision][/split]")
        revision = match["revision"]
        return cls(match["repo"], revision and revision.replace("%2F", "/"), (match["part"] or "").strip("/"))


def choose_files(
    files: Sequence[str], configs: Sequence[Mapping[str, Any]], part: str, matches: Callable[[str, str], bool]
) -> list[str]:
    """Choose the files of a part of a data set.

    Args:
        files: All files with data, in order.
        configs: `configs` of its card, which may be empty.
        part: A split, `configuration/split`, a configuration, a file, a folder or a pattern; empty for the only split.
        matches: Tells whether a file is one of a pattern, as the hub's client understands patterns.

    Raises:
        SourceError: There is no such part, or it is not clear which is meant.
    """
    table = _table(files, configs, matches)
    default = table.get("default") or (next(iter(table.values())) if len(table) == 1 else None)
    if not part and default is not None and len(default) == 1:
        return next(iter(default.values()))
    head, _, tail = part.partition("/")
    split = _BY_WORD.get(part, part)
    candidates = [
        default and (default.get(part) or default.get(split)),
        table.get(head, {}).get(tail) or table.get(head, {}).get(_BY_WORD.get(tail, tail)),
        next(iter(table[part].values())) if part in table and len(table[part]) == 1 else None,
        [file for file in files if part and (file == part or file.startswith(f"{part}/") or matches(part, file))],
    ]
    # The first that is there: a split before a configuration, and both before a path of the same name.
    for candidate in candidates:
        if candidate:
            return candidate
    known = [name if config == "default" else f"{config}/{name}" for config, splits in table.items() for name in splits]
    if not part:
        raise SourceError(
            f"say which split: there are {shown_names(known)} (hf://owner/name/{known[0] if known else ''})"
        )
    raise SourceError(f"there is no split, file or folder {quoted(part)}; there are the splits {shown_names(known)}")


def _table(
    files: Sequence[str], configs: Sequence[Mapping[str, Any]], matches: Callable[[str, str], bool]
) -> dict[str, dict[str, list[str]]]:
    """Name the files of each split of each configuration."""
    table: dict[str, dict[str, list[str]]] = {}
    for config in configs:
        name = "default" if config.get("default") else str(config.get("config_name") or "default")
        folder = str(config.get("data_dir") or "").strip("./")
        inside = [file for file in files if not folder or file.startswith(f"{folder}/")]
        splits = dict(_patterns(config.get("data_files")))
        table[name] = {} if splits else _by_name(inside)
        for split, patterns in splits.items():
            # A card's patterns are those of the repository, or of the folder of the configuration.
            wanted = [*patterns, *(f"{folder}/{pattern}" for pattern in patterns if folder)]
            if found := [file for file in inside if any(matches(pattern, file) for pattern in wanted)]:
                table[name][split] = found
    return {name: splits for name, splits in table.items() if splits} or {"default": _by_name(files)}


def _patterns(data_files: Any) -> Iterable[tuple[str, list[str]]]:
    """Read `data_files` of a card: one pattern, a list of them, a table, or a list of splits with theirs."""
    if isinstance(data_files, str):
        yield "train", [data_files]
    elif isinstance(data_files, dict):
        for split, paths in data_files.items():
            yield str(split), [paths] if isinstance(paths, str) else [str(path) for path in paths]
    elif isinstance(data_files, list) and data_files and isinstance(data_files[0], str):
        yield "train", [str(path) for path in data_files]
    elif isinstance(data_files, list):
        for entry in data_files:
            if isinstance(entry, dict) and "path" in entry:
                paths = entry["path"]
                yield str(entry.get("split", "train")), [paths] if isinstance(paths, str) else [str(p) for p in paths]


def _by_name(files: Sequence[str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for file in files:
        if word := _WORD.search(file):
            splits.setdefault(_BY_WORD[word[1]], []).append(file)
    return splits or ({"train": list(files)} if files else {})
