from __future__ import annotations

from streamverify.core.datasets.attempts import Attempts
from streamverify.core.datasets.columns import Columns
from streamverify.core.datasets.row import Row


def test_lists_of_proofs_become_attempts_of_one_group() -> None:
    make = Attempts("set.jsonl", Columns(id="name", proof="proofs"))
    attempts = make.of(Row(4, "set.jsonl:5", {"name": "imo", "proofs": ["a", None, "b"]}))
    assert [(a.number, a.custom_id, a.group, a.values["proofs"]) for a in attempts] == [
        (0, "imo#0", "imo", "a"),
        (1, "imo#1", "imo", None),
        (2, "imo#2", "imo", "b"),
    ]
    assert [a.request and a.request.proof for a in attempts] == ["a", None, "b"]
    assert attempts[1].error == "`proofs` is null: there is no proof"
