"""Brokers that want a password, or a certificate; and the ACLs of docs/security.md, no more and no less.

The users may do nothing before `grant`; PLAINTEXT (ANONYMOUS) may do all, and is what the tests set up with.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import kafka_records
import pytest
from command import end, make_environment, run_command, started
from confluent_kafka import admin
from kafka_broker import KafkaNodes
from support import ROOT

from streamverify.bus.admin import open_admin
from streamverify.client import AsyncClient
from streamverify.core.errors import BrokerUnavailable, SettingsError
from streamverify.core.messages.models import ProofRequest, Reason
from streamverify.settings import PREFIX, load_settings

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

pytestmark = [pytest.mark.kafka]

PROOF = "theorem t : 1 = 1 := rfl"
acls: Any = admin
"""Its stubs export nothing."""
DOCS = ROOT / "docs" / "security.md"


@dataclass
class Secured:
    """A broker with its listeners, users and certificates, and topics of this module's."""

    bootstrap_servers: str
    made: dict[str, Any]
    env: dict[str, str]

    def settings(self, user: str, protocol: str, mechanism: str = "SCRAM-SHA-256") -> dict[str, str]:
        """What this user sets, by the settings' names in lower case."""
        found = {"bootstrap_servers": self.made["servers"][protocol], "security_protocol": protocol}
        if protocol.startswith("SASL"):
            found |= {
                "sasl_mechanism": mechanism,
                "sasl_username": user,
                "sasl_password": self.made["users"][user],
            }
        if protocol.endswith("SSL"):
            found["ssl_cafile"] = self.made["cafile"]
        if protocol == "SSL":
            found |= {name: self.made[name.removeprefix("ssl_")] for name in ("ssl_certfile", "ssl_keyfile")}
            found["ssl_keyfile_password"] = self.made["keyfile_password"]
        return found

    def environment(self, user: str, protocol: str, mechanism: str = "SCRAM-SHA-256", **over: str) -> dict[str, str]:
        """The same as environment variables."""
        given = self.settings(user, protocol, mechanism) | over
        return self.env | {PREFIX + name.upper(): value for name, value in given.items()}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secrets")
    with KafkaNodes(1, "--secure", str(folder)) as nodes:
        made = json.loads((folder / "security.json").read_text())
        secured = Secured(nodes.bootstrap_servers, made, make_environment(nodes.bootstrap_servers, real=True))
        for who, principal in PRINCIPALS.items():
            grant(secured, principal, who)
        yield secured


# --- ACLs -----------------------------------------------------------------------------------------------------------

PRINCIPALS = {
    "worker": "User:worker",
    "client": "User:client",
    "dlq, offsets": "User:operator",
    "cancel": "User:operator",
}
"""Who in the docs is which user here. The certificate's user gets what the worker gets, in its test."""

_NAMES = {
    "lean.proofs": "REQUEST_TOPIC",
    "lean.results": "RESULT_TOPIC",
    "lean.proofs.dlq": "DLQ_TOPIC",
    "lean.groups": "GROUPS_TOPIC",
    "streamverify": "GROUP_ID",
}
_OPERATIONS = {
    "Read": acls.AclOperation.READ,
    "Write": acls.AclOperation.WRITE,
    "Describe": acls.AclOperation.DESCRIBE,
    "DescribeConfigs": acls.AclOperation.DESCRIBE_CONFIGS,
}


def documented(who: str) -> list[tuple[str, str, str]]:
    """The rows of the docs' table for `who`: kind, name, operation."""
    rows = re.findall(r"^\| ([\w, ]+) \| (Topic|Group) \| `([\w.]+)` \| ([\w, ]+) \|", DOCS.read_text(), re.MULTILINE)
    return [(kind, name, one) for whose, kind, name, many in rows if whose == who for one in many.split(", ")]


def binding(secured: Secured, principal: str, row: tuple[str, str, str]) -> Any:
    kind, name, operation = row
    return acls.AclBinding(
        acls.ResourceType.TOPIC if kind == "Topic" else acls.ResourceType.GROUP,
        secured.env[PREFIX + _NAMES[name]],
        acls.ResourcePatternType.LITERAL,
        principal,
        "*",
        _OPERATIONS[operation],
        acls.AclPermissionType.ALLOW,
    )


def grant(secured: Secured, principal: str, who: str) -> None:
    rows = documented(who)
    assert rows, f"the docs have no ACLs for {who}"
    broker = acls.AdminClient({"bootstrap.servers": secured.bootstrap_servers})
    for future in broker.create_acls([binding(secured, principal, row) for row in rows]).values():
        future.result(timeout=300)


def revoke(secured: Secured, principal: str, row: tuple[str, str, str]) -> None:
    one = binding(secured, principal, row)
    broker = acls.AdminClient({"bootstrap.servers": secured.bootstrap_servers})
    match = acls.AclBindingFilter(
        one.restype, one.name, one.resource_pattern_type, principal, "*", one.operation, one.permission_type
    )
    for future in broker.delete_acls([match]).values():
        assert future.result(timeout=300)


async def verify_one(secured: Secured, custom_id: str, **settings: str) -> str:
    topics = {name.lower(): secured.env[PREFIX + name] for name in ("REQUEST_TOPIC", "RESULT_TOPIC", "DLQ_TOPIC")}
    given: dict[str, Any] = settings | topics
    async with AsyncClient(load_settings(**given)) as client:
        [result] = await client.verify([ProofRequest(custom_id=custom_id, proof=PROOF)], timeout=300)
    return result.reason


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [("SASL_PLAINTEXT", "SCRAM-SHA-256"), ("SASL_SSL", "SCRAM-SHA-512"), ("SASL_SSL", "PLAIN")],
)
async def test_worker_client_and_commands_with_the_acls_of_the_docs(
    secured: Secured, protocol: str, mechanism: str
) -> None:
    name = f"{protocol}-{mechanism}"
    with started(secured.environment("worker", protocol, mechanism), "worker") as process:
        reason = await verify_one(secured, name, **secured.settings("client", protocol, mechanism))
        assert reason == Reason.OK
        await kafka_records.send(secured.env, [b"no JSON"])
        await kafka_records.read(secured.env, "DLQ_TOPIC", 1)
        _, said = await asyncio.to_thread(end, process)
        assert process.returncode == 0, said
    assert "topic_settings_unknown" not in said  # the worker could read max.message.bytes
    assert "groups_topic_unavailable" not in said
    operator = secured.environment("operator", protocol, mechanism)
    for arguments in (("dlq", "list"), ("dlq", "show", "0:0"), ("dlq", "replay", "0:0"), ("offsets",)):
        done = await asyncio.to_thread(run_command, operator, *arguments)
        assert done.returncode == 0, done.stderr
    assert "closed" in done.stdout


def test_who_may_write_to_the_topic_of_the_groups_may_cancel_and_a_client_may_not(secured: Secured) -> None:
    refused = run_command(secured.environment("client", "SASL_PLAINTEXT"), "cancel", "--run", "nobody's")
    assert (refused.returncode, refused.stdout) == (4, "")
    groups = secured.env[PREFIX + "GROUPS_TOPIC"]
    assert f"does not let this user see the topic {groups}" in refused.stderr
    done = run_command(secured.environment("operator", "SASL_PLAINTEXT"), "cancel", "--run", "nobody's", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["waiting"] is not None


async def test_a_certificate_of_ours_is_who_we_are(secured: Secured) -> None:
    grant(secured, "User:CN=worker", "worker")
    grant(secured, "User:CN=worker", "client")
    with started(secured.environment("", "SSL"), "worker"):
        assert await verify_one(secured, "certificate", **secured.settings("", "SSL")) == Reason.OK


async def test_without_any_acl_the_worker_says_what_it_cannot_see(secured: Secured) -> None:
    done = await asyncio.to_thread(run_command, secured.environment("nobody", "SASL_PLAINTEXT"), "worker")
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert secured.env[PREFIX + "REQUEST_TOPIC"] in done.stderr


@pytest.mark.parametrize("arguments", [("dlq", "list"), ("offsets",), ("dlq", "replay", "--all"), ("produce", "-")])
async def test_without_any_acl_a_command_ends_with_4(secured: Secured, arguments: tuple[str, ...]) -> None:
    env = secured.environment("nobody", "SASL_PLAINTEXT")
    done = await asyncio.to_thread(run_command, env, *arguments, stdin='{"custom_id": "1", "proof": "x"}\n')
    assert done.returncode == 4, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "mechanism", "over", "says"),
    [
        ("SASL_PLAINTEXT", "SCRAM-SHA-256", {"sasl_password": "wrong"}, "does not accept the user worker"),
        ("SASL_PLAINTEXT", "PLAIN", {"sasl_password": "wrong"}, "does not accept the user worker"),
        ("SASL_SSL", "SCRAM-SHA-512", {"sasl_username": "stranger"}, "does not accept the user stranger"),
        ("SASL_SSL", "SCRAM-SHA-512", {"ssl_cafile": "strange_cafile"}, "is not trusted"),
        ("SSL", "", {"ssl_cafile": "strange_cafile"}, "is not trusted"),
    ],
)
async def test_what_the_broker_or_we_refuse_is_one_line_at_once_and_4(
    secured: Secured, protocol: str, mechanism: str, over: dict[str, str], says: str
) -> None:
    over = {name: secured.made.get(value, value) for name, value in over.items()}
    env = secured.environment("worker", protocol, mechanism, **over)
    for arguments in (("worker",), ("topics", "describe"), ("offsets",)):
        done = await asyncio.to_thread(run_command, env, *arguments)
        assert done.returncode == 4
        errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        assert len(errors) == 1
        assert says in errors[0]
        assert "STREAMVERIFY_" in errors[0]
        assert "Traceback" not in done.stderr
        assert secured.made["users"]["worker"] not in done.stderr


async def test_the_client_raises_the_same(secured: Secured) -> None:
    with pytest.raises(BrokerUnavailable, match="does not accept the user client"):
        await verify_one(secured, "x", **(secured.settings("client", "SASL_PLAINTEXT") | {"sasl_password": "wrong"}))


async def test_a_listener_that_wants_a_certificate_says_so(secured: Secured) -> None:
    given: dict[str, Any] = {
        name: value
        for name, value in secured.settings("", "SSL").items()
        if name in {"bootstrap_servers", "security_protocol", "ssl_cafile"}
    }
    with pytest.raises(BrokerUnavailable, match="STREAMVERIFY_SSL_CERTFILE"):
        await open_admin(load_settings(**given))


async def test_a_listener_that_speaks_otherwise_is_a_question_about_the_protocol(secured: Secured) -> None:
    given: dict[str, Any] = {"bootstrap_servers": secured.made["servers"]["SSL"]}
    with pytest.raises(BrokerUnavailable, match="STREAMVERIFY_SECURITY_PROTOCOL=PLAINTEXT"):
        await open_admin(load_settings(**given), broker_timeout=1.0)


@pytest.mark.parametrize(
    ("over", "names"),
    [
        ({"ssl_keyfile_password": "wrong"}, "--ssl-keyfile-password is wrong"),
        ({"ssl_cafile": "keyfile"}, "--ssl-cafile"),
        ({"ssl_keyfile": "cafile"}, "--ssl-keyfile"),
    ],
)
async def test_files_that_are_of_no_use_are_a_wrong_setting(secured: Secured, over: dict[str, str], names: str) -> None:
    over = {name: secured.made.get(value, value) for name, value in over.items()}
    given: dict[str, Any] = secured.settings("", "SSL") | over
    with pytest.raises(SettingsError, match=names):
        await open_admin(load_settings(**given))


# --- whether the table of ACLs has a row too many ---------------------------------------------------------------------


async def test_each_acl_of_the_worker_is_needed(secured: Secured) -> None:
    """Without any one of its rights the worker ends, or says that it does without."""
    for row in documented("worker"):
        revoke(secured, "User:worker", row)
        try:
            await _suffers(secured, row)
        finally:
            grant(secured, "User:worker", "worker")


async def _suffers(secured: Secured, row: tuple[str, str, str]) -> None:
    attempt = {"custom_id": "x", "proof": PROOF, "statement": PROOF, "group": f"{row}", "first_success": True}
    with started(secured.environment("worker", "SASL_PLAINTEXT", drain_timeout="1"), "worker") as process:
        # A letter, a verdict, and a success to be announced: whatever a worker writes.
        await kafka_records.send(secured.env, [b"no JSON", json.dumps(attempt).encode()])
        await asyncio.wait_for(asyncio.to_thread(_read_complaint, process, row), 300)


def _read_complaint(process: subprocess.Popen[str], row: tuple[str, str, str]) -> None:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if re.search(
            "authoriz|topic_settings_unknown|groups_topic_unavailable|not let|missing at", line, re.IGNORECASE
        ):
            sys.stderr.write(f"{row}: {line}")
            return
        said.append(line)
    raise AssertionError(f"{row}: it ended and did not say what it lacks: {''.join(said)[-2000:]}")
