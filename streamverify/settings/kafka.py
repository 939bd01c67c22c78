"""The settings of the connection to Kafka: brokers, login, and the names that this process has there."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from streamverify.settings.values import SERVERS, check_path, wrong_setting


class KafkaSettings(BaseModel):
    """The brokers, and this process as they see it."""

    bootstrap_servers: Annotated[
        str, Field(pattern=SERVERS, description="Addresses of Kafka brokers, host:port, separated by commas.")
    ] = "localhost:9092"
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Field(description="Protocol for talking to the brokers."),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        Field(description="Method of logging in to the brokers, for the SASL protocols."),
    ] = "PLAIN"
    sasl_username: Annotated[str | None, Field(description="User to log in to the brokers as.")] = None
    sasl_password: Annotated[SecretStr | None, Field(description="Password of that user.")] = None
    ssl_cafile: Annotated[
        Path | None,
        Field(description="PEM file with the certificate authorities to trust. Default: those of the system."),
    ] = None
    ssl_certfile: Annotated[
        Path | None, Field(description="PEM file with the certificate that we show to brokers that ask for one.")
    ] = None
    ssl_keyfile: Annotated[
        Path | None,
        Field(description="PEM file with the private key of that certificate. Default: the key is in ssl_certfile."),
    ] = None
    ssl_keyfile_password: Annotated[SecretStr | None, Field(description="Password of that private key.")] = None
    group_id: Annotated[str, Field(min_length=1, max_length=249, description="Consumer group of the workers.")] = (
        "streamverify"
    )
    group_instance_id: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9._-]{1,249}$",
            description="Name of this worker for static membership: unique in the group, and the same after a restart.",
        ),
    ] = None
    client_rack: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Rack of this worker; records are fetched from a replica with the same broker.rack, if "
            "there is one.",
        ),
    ] = None

    @model_validator(mode="after")
    def _login_is_complete(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise wrong_setting("security_protocol", f"{self.security_protocol} needs sasl_username and sasl_password")
        if self.ssl_keyfile and not self.ssl_certfile:
            raise wrong_setting("ssl_keyfile", "needs ssl_certfile: the certificate that the key belongs to")
        return self

    @field_validator("ssl_cafile", "ssl_certfile", "ssl_keyfile")
    @classmethod
    def _is_a_file(cls, value: Path | None) -> Path | None:
        return check_path(value)
