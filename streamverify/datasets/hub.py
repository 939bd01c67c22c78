"""Data sets on the Hugging Face hub: `hf://owner/name[@revision][/split]`.

A revision is resolved to its commit once, so that a run that goes on tomorrow reads what it has read today. Files are
fetched into the hub's own cache (`HF_HOME`), each when it is its turn: what was fetched is not fetched again, and a
broken connection costs a try and not the run. `HF_TOKEN` and `HF_ENDPOINT` are read by the hub's client.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.core.datasets.columns import printable
from streamverify.core.datasets.splits import HubAddress, choose_files
from streamverify.core.errors import SourceError
from streamverify.datasets.byte_streams import INSTALL
from streamverify.datasets.files import File, SourceFiles, is_data, of_one_form

if TYPE_CHECKING:
    from streamverify.datasets.files import Form


def find(source: str, form: Form | None) -> SourceFiles:
    """Find the files of a data set, or of a split of it.

    Raises:
        SourceError: It is not there, the hub does not answer, or it is not clear which split is meant.
    """
    try:
        from fsspec.utils import glob_translate  # noqa: PLC0415 - of an extra
        from huggingface_hub import HfApi  # noqa: PLC0415
    except ImportError:
        raise SourceError(f"to read from the hub, install the extra `datasets`: {INSTALL}") from None
    address = HubAddress.parse(source)
    shown = printable(source)
    try:
        info = HfApi().dataset_info(address.repo, revision=address.revision, files_metadata=True)
    except Exception as error:  # noqa: BLE001 - the client raises errors of its own, of httpx and of the system
        raise SourceError(f"{shown} cannot be read: {_reason(error)}") from None
    siblings = {entry.rfilename: entry for entry in info.siblings or [] if is_data(entry.rfilename)}
    card: Any = info.card_data
    configs = (card.get("configs") if card is not None else None) or []

    def matches(pattern: str, file: str) -> bool:
        return re.fullmatch(glob_translate(pattern), file) is not None

    names = choose_files(sorted(siblings), configs, address.part, matches)
    files = [
        File(
            name, partial(_fetch, address.repo, info.sha, name), siblings[name].size or 0, siblings[name].blob_id or ""
        )
        for name in names
    ]
    found = of_one_form(address.repo.split("/")[1], shown, files, form)
    remark = f"{address.repo} at {info.sha}: {len(found.files)} files, from {found.files[0].name}"
    return SourceFiles(found.name, found.form, found.files, info.sha, (remark,))


def _fetch(repo: str, revision: str | None, name: str) -> Path:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - of an extra

    try:
        return Path(hf_hub_download(repo, name, repo_type="dataset", revision=revision))
    except Exception as error:  # noqa: BLE001 - as above
        raise SourceError(f"{name} of {repo} cannot be fetched: {_reason(error)}") from None


def _reason(error: Any) -> str:
    """Word an error of the hub's client: its kind, and the line that says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    hints = {
        "RepositoryNotFoundError": "there is no such data set, or it is private (HF_TOKEN)",
        "RevisionNotFoundError": "there is no such revision",
        "GatedRepoError": "its owner lets in only who has agreed to the terms on its page (HF_TOKEN)",
        "OfflineModeIsEnabled": "HF_HUB_OFFLINE forbids to ask the hub",
    }
    said = printable(lines[0]) if lines else type(error).__name__
    return hints.get(type(error).__name__) or f"{said} (HF_ENDPOINT, proxy, network?)"
