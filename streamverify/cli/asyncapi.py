"""The AsyncAPI 3 document of the topics: which there are, what is on them, which of our services reads and writes them.

It is made from what the services themselves use: `plan_topics` has the topics and their settings, the models and
`core.messages.schemas` the messages, `Settings` how one can connect. What only this module says are the sentences.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from streamverify.bus.topics import plan_topics, router_group, table_group
from streamverify.cli.asyncapi_messages import messages, schemas
from streamverify.core.topic_plans import Purpose, TopicPlan
from streamverify.settings import Settings
from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

Node = dict[str, Any]

ASYNCAPI = "3.0.0"
KAFKA_BINDING = "0.5.0"
FILE = "asyncapi.json"

CHANNELS: dict[str, tuple[str, str, list[str]]] = {
    "request_topic": ("proofs", "Proofs that wait for a verdict.", ["proofRequest"]),
    "ingest_topic": (
        "ingest",
        "Proofs from producers that do not choose the partition: the router forwards each to the proofs.",
        ["proofRequest"],
    ),
    "result_topic": (
        "results",
        "Verdicts, of which the newest of each custom_id stays.",
        ["proofResult", "deletedResult"],
    ),
    "dlq_topic": (
        "deadLetters",
        "Records that could not be answered, as they came, and proofs that kept crashing their worker.",
        ["deadLetter"],
    ),
    "groups_topic": (
        "groups",
        "What workers tell each other about attempts at one problem, and what is cancelled.",
        ["announcement", "cancellation"],
    ),
}
"""By the setting that names its topic: the channel, what it is for, and the messages on it."""
PRIVATE = frozenset({Purpose.STATE, Purpose.ROWS})
"""Topics that are no interface: the changelogs in which router and table keep their own state."""


class Operation(NamedTuple):
    """One way in which a service uses a channel. `group` names its consumer group, where it is in one."""

    service: str
    action: Literal["send", "receive"]
    channel: str
    kinds: tuple[str, ...]
    summary: str
    group: Callable[[Settings], str] | None = None


OPERATIONS = {
    "workerTakesProof": Operation(
        "worker",
        "receive",
        "proofs",
        ("proofRequest",),
        "A worker takes a proof and verifies it.",
        lambda settings: settings.group_id,
    ),
    "workerPublishesResult": Operation(
        "worker",
        "send",
        "results",
        ("proofResult",),
        "A worker publishes the verdict; once that is acknowledged it commits the offset of the proof.",
    ),
    "workerSetsAside": Operation(
        "worker",
        "send",
        "deadLetters",
        ("deadLetter",),
        "A worker sets aside what it cannot answer, and proofs that kept killing their worker.",
    ),
    "workerAnnounces": Operation(
        "worker", "send", "groups", ("announcement",), "A worker says that an attempt of a group has succeeded."
    ),
    "workerHears": Operation(
        "worker",
        "receive",
        "groups",
        ("announcement", "cancellation"),
        "Every worker hears of it: it reads the whole topic, without a group.",
    ),
    "routerTakesProof": Operation(
        "router", "receive", "ingest", ("proofRequest",), "The router takes a proof to forward.", router_group
    ),
    "routerForwards": Operation(
        "router",
        "send",
        "proofs",
        ("proofRequest",),
        "The router forwards a proof, as it is, to a partition whose workers have its import header loaded.",
    ),
    "routerSetsAside": Operation(
        "router",
        "send",
        "deadLetters",
        ("deadLetter",),
        "The router sets aside what has no custom_id, or what the topic of proofs refuses.",
    ),
    "tableFollows": Operation(
        "table",
        "receive",
        "results",
        ("proofResult", "deletedResult"),
        "The results table keeps the newest result of each custom_id.",
        table_group,
    ),
    "clientSendsProof": Operation(
        "client",
        "send",
        "proofs",
        ("proofRequest",),
        "The Python client and the commands (`produce`, `verify`, `replay`, `retry`, `dlq replay`) send proofs.",
    ),
    "clientReadsResult": Operation(
        "client",
        "receive",
        "results",
        ("proofResult", "deletedResult"),
        "They read the results, without a group.",
    ),
    "gatewaySendsProof": Operation(
        "gateway", "send", "proofs", ("proofRequest",), "The gateway sends the proofs that came to it over HTTP."
    ),
    "gatewayReadsResult": Operation(
        "gateway",
        "receive",
        "results",
        ("proofResult",),
        "The gateway reads the results of its own requests, without a group, and answers over HTTP.",
    ),
    "clientCancels": Operation(
        "client", "send", "groups", ("cancellation",), "`streamverify cancel` and the Python client cancel what waits."
    ),
    "deleteRemovesResult": Operation(
        "delete", "send", "results", ("deletedResult",), "`streamverify delete` deletes the result of a custom_id."
    ),
}
"""The ways in which services use the channels. `client` is any program that imports it, and `delete` a command."""


def asyncapi_file() -> dict[str, str]:
    """Make the text of the document, by the name of its file in the folder `schemas`."""
    return {FILE: json.dumps(asyncapi_document(), ensure_ascii=False, indent=2) + "\n"}


def asyncapi_document() -> Node:
    """Make the document for the default settings, whatever the environment says: it is the same on each machine."""
    settings = Settings.model_construct()
    return {
        "asyncapi": ASYNCAPI,
        "id": "urn:streamverify:asyncapi",
        "info": _info(settings),
        "defaultContentType": "application/json",
        "servers": _servers(settings),
        "channels": _channels(settings),
        "operations": _operations(settings),
        "components": {
            "messages": messages(KAFKA_BINDING),
            "schemas": schemas(),
            "correlationIds": {
                "requestId": {
                    "description": "The Kafka header by which a sender knows the answer to its own request: it is "
                    "copied to the result. A custom_id does not do for that, as two senders may use the same.",
                    "location": "$message.header#/streamverify-request-id",
                }
            },
            "securitySchemes": _security_schemes(),
        },
    }


def _info(settings: Settings) -> Node:
    private = ", ".join(f"`{plan.name}`" for plan in plan_topics(settings) if plan.purpose in PRIVATE)
    return {
        "title": "streamverify",
        "version": __version__,
        "description": "Verifies Lean 4 proofs: requests on one Kafka topic, a verdict for each on another. Operations "
        "are those of the services (worker, router, table, gateway), of the client and of `streamverify delete`. Names "
        "of topics and groups, and the settings of topics, are the defaults (`streamverify topics create` makes them); "
        "replicas are as on one broker, where there are three `topics create` makes three. The changelogs "
        f"{private} are private to router and table.",
        "license": {"name": "MIT"},
        "contact": {"name": "the maintainers of streamverify"},
        "tags": [{"name": name} for name in ("kafka", "lean4", "theorem-proving")],
    }


def _servers(settings: Settings) -> Node:
    """Make one server for each way to connect, as the setting `security_protocol` has them."""
    host, _, port = settings.bootstrap_servers.partition(":")
    variables = {
        "host": {"default": host, "description": "A broker of the cluster; STREAMVERIFY_BOOTSTRAP_SERVERS takes more."},
        "port": {"default": port, "description": "The port of its listener."},
    }
    sasl = [{"$ref": f"#/components/securitySchemes/{name}"} for name in _sasl_schemes()]
    servers: Node = {}
    for protocol in get_args(Settings.model_fields["security_protocol"].annotation):
        encrypted, logs_in = protocol.endswith("SSL"), protocol.startswith("SASL")
        security = sasl if logs_in else [{"$ref": "#/components/securitySchemes/x509"}] if encrypted else None
        about = "TLS: the certificate's name is checked" if encrypted else "Not encrypted"
        user = "a user with a password" if logs_in else "a certificate where brokers ask for one" if encrypted else ""
        servers[protocol.lower().replace("_", "-")] = {
            "host": "{host}:{port}",
            "protocol": "kafka-secure" if encrypted else "kafka",
            "title": f"STREAMVERIFY_SECURITY_PROTOCOL={protocol}",
            "description": f"{about}; {user or 'nobody logs in'}.",
            "variables": variables,
            **({"security": security} if security else {}),
            "bindings": {"kafka": {"bindingVersion": KAFKA_BINDING}},
        }
    return servers


def _sasl_schemes() -> dict[str, str]:
    """List the mechanisms of the setting `sasl_mechanism`, by their names as AsyncAPI's security schemes."""
    types = {"PLAIN": "plain", "SCRAM-SHA-256": "scramSha256", "SCRAM-SHA-512": "scramSha512"}
    return {types[mechanism]: mechanism for mechanism in get_args(Settings.model_fields["sasl_mechanism"].annotation)}


def _security_schemes() -> Node:
    sasl = {
        name: {
            "type": name,
            "description": f"SASL/{mechanism}: STREAMVERIFY_SASL_USERNAME, STREAMVERIFY_SASL_PASSWORD.",
        }
        for name, mechanism in _sasl_schemes().items()
    }
    x509 = "A client certificate: STREAMVERIFY_SSL_CERTFILE, STREAMVERIFY_SSL_KEYFILE. Beside SASL_SSL, too."
    return {**sasl, "x509": {"type": "X509", "description": x509}}


def _channels(settings: Settings) -> Node:
    plans = {plan.name: plan for plan in plan_topics(settings) if plan.purpose not in PRIVATE}
    made = {}
    for setting, (channel, about, kinds) in CHANNELS.items():
        # A plan without a channel, or the other way round, is a mistake that must not be published.
        plan = plans.pop(getattr(settings, setting))
        made[channel] = {
            "address": plan.name,
            "title": plan.name,
            "description": f"{about} STREAMVERIFY_{setting.upper()} names it.",
            "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds},
            "bindings": {"kafka": _channel_binding(plan)},
        }
    if plans:
        raise ValueError(f"topics without a channel in CHANNELS: {', '.join(plans)}")
    return made


def _channel_binding(plan: TopicPlan) -> Node:
    return {
        "topic": plan.name,
        "partitions": plan.partitions,
        "replicas": plan.replication,
        # Kafka's Admin API has every setting as text; the binding wants a list of policies, and numbers.
        "topicConfiguration": {
            name: value.split(",") if name == "cleanup.policy" else int(value) for name, value in plan.settings.items()
        },
        "bindingVersion": KAFKA_BINDING,
    }


def _operations(settings: Settings) -> Node:
    made: Node = {}
    for name, operation in OPERATIONS.items():
        group = operation.group(settings) if operation.group else None
        in_group = {"groupId": {"type": "string", "enum": [group]}} if group else {}
        made[name] = {
            "action": operation.action,
            "channel": {"$ref": f"#/channels/{operation.channel}"},
            "summary": operation.summary,
            "tags": [{"name": operation.service}],
            "messages": [{"$ref": f"#/channels/{operation.channel}/messages/{kind}"} for kind in operation.kinds],
            "bindings": {"kafka": {**in_group, "bindingVersion": KAFKA_BINDING}},
        }
    made["workerTakesProof"]["reply"] = {
        "channel": {"$ref": "#/channels/results"},
        "messages": [{"$ref": "#/channels/results/messages/proofResult"}],
    }
    return made
