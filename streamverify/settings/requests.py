"""The settings of requests: which a worker takes, how often it tries one, and what it asks of a proof."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

from streamverify.core.audit.vocabulary import Trusted
from streamverify.core.messages.assurance import Require  # noqa: TC001 - pydantic reads the annotations
from streamverify.core.topic_plans import MAX_PROOF_BYTES
from streamverify.settings.values import Seconds  # noqa: TC001 - pydantic reads the annotations


class RequestSettings(BaseModel):
    """The way of a request through a worker, before and after Lean has run it."""

    policy_allow: Annotated[
        str,
        Field(
            description="Commands, attributes and options of your own libraries that an audit accepts as harmless, "
            "such as `command:problem_file attribute:coe option:google.answer` (docs/policy.md)."
        ),
    ] = ""
    max_proof_bytes: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_PROOF_BYTES,
            description="Size in bytes of UTF-8 that a proof, with its statement, may have at most. A worker answers "
            "a larger one without running it; `topics create` makes the topics large enough for it.",
        ),
    ] = 512 * 1024
    session_timeout_ms: Annotated[
        int,
        Field(
            # Within what brokers accept by default (group.min.session.timeout.ms, group.max.session.timeout.ms).
            ge=6_000,
            le=1_800_000,
            description="Milliseconds without a heartbeat after which Kafka gives a worker's partitions to others.",
        ),
    ] = 45_000
    max_deliveries: Annotated[
        int,
        Field(
            ge=1,
            # The offset map has three bits for attempts: a poison proof has one more than this.
            le=6,
            description="How many times a proof may crash a worker while running alone before it becomes a dead "
            "letter.",
        ),
    ] = 3
    drain_timeout: Annotated[
        Seconds, Field(description="Seconds that running proofs are given to finish after SIGTERM.")
    ] = 60.0
    require: Annotated[
        Require,
        Field(description="Assurance that a proof needs to be verified if its request asks for none."),
    ] = "audited"
    deadlines: Annotated[
        Literal["heed", "ignore"],
        Field(
            description="heed: a proof that would start after its deadline is answered `expired`; ignore: it is run, "
            "as when a topic is verified again (docs/re-verify.md)."
        ),
    ] = "heed"
    require_min: Annotated[
        Require,
        Field(description="Lowest assurance that a request may ask for."),
    ] = "checked"

    @field_validator("policy_allow")
    @classmethod
    def _names_words(cls, value: str) -> str:
        Trusted.parse(value)
        return value
