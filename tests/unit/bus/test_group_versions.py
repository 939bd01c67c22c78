"""What a member says of its versions, and when others are warned about."""

from __future__ import annotations

from structlog.testing import capture_logs

from streamverify.bus.group_versions import VersionWatch, client_ids, others
from streamverify.core.messages.models import Verifier
from streamverify.core.overview.card import client_id
from streamverify.settings import load_settings

OURS = "streamverify_lean-4.34.1_policy-1"
OLDER = "streamverify_lean-4.9.0_policy-1"


def test_the_client_id_says_what_a_verdict_depends_on() -> None:
    verifier = Verifier(
        kind="lean", lean_version="4.34.1", repl_version="v4.34.1", mathlib_version="a b/c;d", policy_version="1"
    )
    assert client_id(verifier) == "streamverify_lean-4.34.1_repl-v4.34.1_mathlib-a-b-c-d_policy-1"
    assert client_id(Verifier(kind="synthetic")) == "streamverify"
    assert len(client_id(verifier.model_copy(update={"mathlib_version": "x" * 10_000}))) < 200


def test_members_of_other_versions_are_told_apart_from_foreign_clients() -> None:
    assert others(OURS, [OURS, OLDER, OLDER, "aiokafka-0.14", "streamverify"]) == [OLDER]


def test_a_difference_is_warned_about_once_for_each_change() -> None:
    peers = VersionWatch(load_settings(), OURS)
    with capture_logs() as logs:
        for members in ([OURS], [OURS, OLDER], [OURS, OLDER], [OURS], [OLDER]):
            peers.compare(members)
    assert [(each["event"], each["others"]) for each in logs] == [("versions_differ", [OLDER])] * 2


def test_the_members_are_read_from_the_brokers_answer() -> None:
    described = {"groups": [{"group": "g", "members": [{"member_id": "m", "client_id": OURS}, {"client_id": OLDER}]}]}
    assert client_ids(described) == [OURS, OLDER]
