"""What a broker's description of a group says of its members, whatever they have written there."""

from __future__ import annotations

from typing import Any

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from hypothesis import given
from hypothesis import strategies as st
from overview_fakes import LEAN, UUID

from streamverify.bus.fencing import signed, this_process
from streamverify.bus.group_look import group_in
from streamverify.core.overview.card import Card, encode_card

CARD = Card(name="prover-1", url="http://10.0.0.7:9464", versions=LEAN)


def described(*members: dict[str, Any], state: str = "Stable", error: int = 0) -> dict[str, Any]:
    return {"groups": [{"error_code": error, "group": "g", "state": state, "members": list(members)}]}


def member(metadata: bytes = b"", assignment: bytes = b"", client_id: str = "streamverify") -> dict[str, Any]:
    return {
        "member_id": f"prover-1-{UUID}",
        "client_id": client_id,
        "client_host": "/10.0.0.7",
        "member_metadata": metadata,
        "member_assignment": assignment,
    }


def test_a_worker_is_known_by_its_card_and_its_partitions() -> None:
    assignor = signed(encode_card(CARD))
    assigned = ConsumerProtocolMemberAssignment(0, [("lean.proofs", [3, 1]), ("other", [7])], b"").encode()
    group = group_in(described(member(assignor.metadata(["lean.proofs"]).encode(), assigned)), "lean.proofs")
    [found] = group.members
    assert (found.card, found.process, found.partitions) == (CARD, this_process(), (1, 3))
    assert found.static_name == "prover-1"


def test_each_worker_of_a_process_has_a_card_of_its_own() -> None:
    one, other = signed(b"streamverify+1"), signed(b"streamverify+2")
    assert one.card != other.card
    assert one.name == other.name == "sticky"


def test_a_worker_of_an_older_version_has_no_card() -> None:
    [found] = group_in(described(member(signed(b"").metadata(["t"]).encode())), "t").members
    assert (found.card, found.process) == (None, this_process())


def test_a_group_that_rebalances_says_that_members_are_there_and_no_more() -> None:
    group = group_in(described(member(), state="PreparingRebalance"), "t")
    assert group.is_rebalancing
    [found] = group.members
    assert (found.card, found.process, found.partitions) == (None, "", ())


@given(st.binary(max_size=100), st.binary(max_size=100), st.text(max_size=30))
def test_whatever_a_foreign_member_writes_is_read(user_data: bytes, assignment: bytes, client_id: str) -> None:
    for metadata in (user_data, ConsumerProtocolMemberMetadata(0, ["t"], user_data).encode()):
        group = group_in(described(member(metadata, assignment, client_id)), "t")
        assert len(group.members) == 1
