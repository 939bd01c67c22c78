from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import running_hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub import Hub

# The hub's client reads its settings when it is imported: a process of its own for each read.
_READ = """
import json, sys
from streamverify.core.errors import SourceError
from streamverify.datasets.dataset import DataSet, SourceOptions
for source in sys.argv[1:]:
    try:
        dataset = DataSet.open(source)
        made = [[a.custom_id, a.request and a.request.proof, a.where] for a in dataset.attempts()]
        print(json.dumps([made, dataset.remarks, dataset.identity, dataset.total]))
    except SourceError as error:
        print(json.dumps(str(error)))
"""
WORKBOOK = "Goedel-LM/Lean-workbook-proofs"


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".parquet"):
        stream = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), stream)
        file.write_bytes(stream.getvalue())
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def proofs(*numbers: int) -> list[dict[str, Any]]:
    return [{"problem_id": f"lean_workbook_{n}", "full_proof": f"theorem t{n}"} for n in numbers]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    write(folder, f"{WORKBOOK}/data/train-00000-of-00002.parquet", proofs(0, 1))
    write(folder, f"{WORKBOOK}/data/train-00001-of-00002.parquet", proofs(2))
    (folder / WORKBOOK / ".gitattributes").write_text("*.parquet filter=lfs")
    (folder / WORKBOOK / "README.md").write_text("---\nlicense: mit\n---\n# Proofs")
    for split, number in {"test": 1, "valid": 2}.items():
        write(folder, f"cat/minif2f/{split}.jsonl", proofs(number))
    write(folder, "cat/configs/lite/shards/a.jsonl", proofs(1))
    write(folder, "cat/configs/full/b.jsonl", proofs(2))
    card = "configs:\n- config_name: lite\n  data_files:\n  - split: train\n    path: lite/shards/*.jsonl\n"
    card += "- config_name: full\n  data_files:\n  - split: train\n    path: [full/*.jsonl]\n"
    (folder / "cat/configs/README.md").write_text(f"---\n{card}---\n")
    with running_hub(folder) as server:
        yield server


SETS = [
    f"hf://{WORKBOOK}",
    f"hf://{WORKBOOK}/train",
    f"hf://datasets/{WORKBOOK}@main/data/*.parquet",
    f"hf://{WORKBOOK}/data/train-00001-of-00002.parquet",
    "hf://cat/minif2f/validation",
    "hf://cat/configs/lite/train",
    "hf://cat/configs/full",
]
WRONG = {
    "hf://nobody/nothing": "hf://nobody/nothing cannot be read: there is no such data set, or it is private (HF_TOKEN)",
    f"hf://{WORKBOOK}@v9": f"hf://{WORKBOOK}@v9 cannot be read: there is no such revision",
    "hf://cat/minif2f": "say which split: there are `test`, `validation` (hf://owner/name/test)",
    "hf://cat/minif2f/trains": (
        "there is no split, file or folder `trains`; there are the splits `test`, `validation`"
    ),
    "hf://minif2f": "hf://minif2f is no address of a data set: hf://owner/name[@revision][/split]",
    "hf://cat/configs": "say which split: there are `lite/train`, `full/train` (hf://owner/name/lite/train)",
}


def read(hub: Hub, home: Path, *sources: str, **environment: str) -> list[Any]:
    settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*"}
    process = subprocess.run(
        [sys.executable, "-c", _READ, *sources],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        check=True,
        text=True,
    )
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_data_sets_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    commit = hub.commit(WORKBOOK)
    whole, split, other_form, file, valid, lite, folder, at_commit, *wrong = read(
        hub, tmp_path, *SETS, f"hf://{WORKBOOK}@{commit}", *WRONG
    )
    made, remarks, identity, total = whole
    assert made == [
        ["lean_workbook_0", "theorem t0", "data/train-00000-of-00002.parquet row 1"],
        ["lean_workbook_1", "theorem t1", "data/train-00000-of-00002.parquet row 2"],
        ["lean_workbook_2", "theorem t2", "data/train-00001-of-00002.parquet row 1"],
    ]
    assert remarks[0] == f"{WORKBOOK} at {commit}: 2 files, from data/train-00000-of-00002.parquet"
    assert (identity["revision"], total) == (commit, 3)
    # What is named in another way is the same set, for a run that goes on.
    assert [[same[0], same[2]] for same in (split, at_commit, other_form)] == [[made, identity]] * 3
    assert [[row[0] for row in other[0]] for other in (file, valid, lite, folder)] == [
        ["lean_workbook_2"],
        ["lean_workbook_2"],
        ["lean_workbook_1"],
        ["lean_workbook_2"],
    ]
    assert wrong == list(WRONG.values())
    fetched = [asked for asked in hub.asked if asked.startswith("GET /datasets/")]
    assert len(fetched) == len(set(fetched)) == 5, "a file is fetched once"


def test_a_hub_that_does_not_answer_is_said(hub: Hub, tmp_path: Path) -> None:
    (said,) = read(hub, tmp_path, f"hf://{WORKBOOK}", HF_ENDPOINT="http://127.0.0.1:9")
    assert said.startswith(f"hf://{WORKBOOK} cannot be read: ")
    assert said.endswith("(HF_ENDPOINT, proxy, network?)")
