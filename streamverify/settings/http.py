"""The settings of the HTTP server of a service: where it listens, and the address that others use."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from streamverify.settings.values import PORT


class HttpSettings(BaseModel):
    """The HTTP server that every service has."""

    http_host: Annotated[
        str,
        Field(
            pattern=r"^(\*|[A-Za-z0-9.:_-]+)$",
            description="Address that /live and /ready listen on, such as 127.0.0.1; *: every address of this machine.",
        ),
    ] = "*"
    http_port: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=0, le=65_535)],
        Field(
            description="Port of /live, /ready and /metrics. auto: the first that is free from 9464 on; 0: any that is "
            "free. The port is logged."
        ),
    ] = "auto"
    advertised_url: Annotated[
        str | None,
        Field(
            pattern=rf"^https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:{PORT})?/?$",
            description="Address under which others reach this process over HTTP, such as http://10.0.0.7:9464: `top` "
            "and `workers` a worker, the other instances of the results table this one. Default: this machine's "
            "address towards the brokers (or HTTP_HOST, if that names one), and the port that it listens on.",
        ),
    ] = None
