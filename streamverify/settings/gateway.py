"""The settings of the gateway: its address, its callers, and how much it takes on at once."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import BaseModel, ByteSize, Field, SecretStr, field_validator

from streamverify.core.gateway.environments import parse_environments
from streamverify.core.gateway.keys import ApiKeys
from streamverify.core.messages.assurance import Require  # noqa: TC001 - pydantic reads the annotations
from streamverify.settings.values import Seconds  # noqa: TC001 - pydantic reads the annotations


class GatewaySettings(BaseModel):
    """The gateway: HTTP over Kafka."""

    gateway_host: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9.:_-]+$",
            description="Address that the gateway listens on. Default: 127.0.0.1 without API_KEYS, 0.0.0.0 with them.",
        ),
    ] = None
    gateway_port: Annotated[
        int, Field(ge=0, le=65_535, description="Port of the gateway. 0 takes a free port, which is logged.")
    ] = 8000
    api_keys: Annotated[
        SecretStr | None,
        Field(
            description="Keys of those who may call the gateway: NAME=KEY, several separated by blanks or commas. The "
            "names stand in the log."
        ),
    ] = None
    environments: Annotated[
        str,
        Field(
            description="Topics of other worker groups, for requests that name an `environment`: "
            "NAME=REQUEST_TOPIC:RESULT_TOPIC[:MODULES], several separated by `;` (docs/gateway.md)."
        ),
    ] = ""
    gateway_require: Annotated[
        Require,
        Field(
            description="Assurance that the gateway asks for where a request for /api/check or /verify asks for none."
        ),
    ] = "checked"
    # Below the 600 seconds after which `kimina-client` gives up.
    gateway_wait: Annotated[
        Seconds,
        Field(
            description="Seconds that the gateway waits for the verdicts of a request before it answers without them."
        ),
    ] = 540.0
    gateway_requests: Annotated[
        int, Field(ge=1, description="Requests that the gateway holds at once; beyond them it answers 429.")
    ] = 1000
    gateway_memory: Annotated[
        ByteSize, Field(ge=1024, description="Bytes of requests that the gateway holds at once, such as 1GiB.")
    ] = cast("ByteSize", "1GiB")
    gateway_body: Annotated[
        ByteSize, Field(ge=1024, description="Bytes that the body of one request may have, such as 64MiB.")
    ] = cast("ByteSize", "64MiB")
    gateway_batch: Annotated[int, Field(ge=1, description="Proofs that one request may have.")] = 20_000
    gateway_in_flight: Annotated[
        int, Field(ge=1, description="Proofs that the gateway has on Kafka at once; the others wait for their turn.")
    ] = 4000
    gateway_in_flight_per_key: Annotated[
        int, Field(ge=1, description="Proofs of one API key that it has on Kafka at once.")
    ] = 2000
    gateway_in_flight_bytes: Annotated[
        ByteSize, Field(ge=1024, description="Bytes of proofs that it has on Kafka at once, such as 256MiB.")
    ] = cast("ByteSize", "256MiB")

    @field_validator("api_keys")
    @classmethod
    def _names_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            ApiKeys.parse(value.get_secret_value())
        return value

    @field_validator("environments")
    @classmethod
    def _names_environments(cls, value: str) -> str:
        parse_environments(value)
        return value
